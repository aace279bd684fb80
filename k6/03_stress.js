// The seeds' phase 3: 300 users claim the campaign `apply` for five minutes (lib/campaign.js). Does it get slower with
// time? The summary has a line for each fifth of the run.

import { campaign } from './lib/campaign.js';
import { closed } from './lib/shapes.js';

const SHAPES = { ci: closed(30, '5s'), load: closed(300, '5m') };

const script = campaign('03_stress.js', SHAPES, { parts: ['1', '2', '3', '4', '5'] });

export const { options, setup, handleSummary } = script;
export default script.iteration;

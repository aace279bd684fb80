// The seeds' phase 1: ten users claim the campaign `apply` (lib/campaign.js). What the other phases are compared with.

import { campaign } from './lib/campaign.js';
import { closed } from './lib/shapes.js';

const SHAPES = { ci: closed(10, '5s'), load: closed(10, '60s') };

const script = campaign('01_baseline.js', SHAPES, { parts: ['baseline'] });

export const { options, setup, handleSummary } = script;
export default script.iteration;

// The seeds' phase 4: ten users claim the campaign `apply`, then 1,000, then ten again (lib/campaign.js). The summary
// has a line for each: are the last ten served like the first?

import { campaign } from './lib/campaign.js';
import { levels } from './lib/shapes.js';

const SHAPES = { ci: levels([2, 40, 2], '3s'), load: levels([10, 1000, 10], '60s') };

const script = campaign('04_spike.js', SHAPES, { parts: ['calm', 'spike', 'recovery'] });

export const { options, setup, handleSummary } = script;
export default script.iteration;

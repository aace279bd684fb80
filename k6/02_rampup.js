// The seeds' phase 2: from 10 to 1,000 users in six levels claim the campaign `apply` (lib/campaign.js). Where does it
// stop to grow? The summary has a line for each level, 1 to 6.

import { campaign } from './lib/campaign.js';
import { levels } from './lib/shapes.js';

const SHAPES = {
  ci: levels([2, 5, 10, 20, 30, 50], '2s'),
  load: levels([10, 50, 100, 300, 500, 1000], '90s'),
};

const script = campaign('02_rampup.js', SHAPES, { parts: ['1', '2', '3', '4', '5', '6'] });

export const { options, setup, handleSummary } = script;
export default script.iteration;

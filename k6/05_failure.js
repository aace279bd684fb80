// Phase 5, ours to give a shape: users claim the campaign `apply` (lib/campaign.js) while whoever runs this freezes a
// service at 1:00 and lets it go on at 2:00, see README.md. Between the two a 503 with Retry-After is an answer and a
// 202 is one; before there is none, and afterwards everybody is served again.

import { campaign } from './lib/campaign.js';
import { closed } from './lib/shapes.js';

const SHAPES = { ci: closed(20, '24s'), load: closed(100, '3m') };

const script = campaign('05_failure.js', SHAPES, { parts: ['before', 'fault', 'after'], fault: 'fault' });

export const { options, setup, handleSummary } = script;
export default script.iteration;

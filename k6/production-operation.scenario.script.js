// The whole production scenario, the seeds' script of the same name (what an iteration does: lib/production.js). The
// partner hears of every paid order behind our backs: whoever runs this compares. Stage mode: sample orders are
// somebody else's.

import { gates, guarded, latency } from './lib/gates.js';
import { liveThrough, prepareProduction, PRODUCTION_ENDPOINTS, PRODUCTION_GATES } from './lib/production.js';
import { expectStatuses } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, constant, ramping, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';

const SHAPES = {
  ci: constant(20, '15s', 200),
  load: constant(100, '30s', 300),
  stress: ramping(10, [['60s', 100], ['60s', 150], ['60s', 200]], 1000),
  // Ours: the documents' shop failed at 200.
  peak: ramping(10, [['10s', 1000], ['60s', 1000]], 1000),
  endurance: constant(200, '10m', 500),
};
const SHAPE = chosen(SHAPES);
const P95_MS = 500;

expectStatuses(200, 201);

export const options = {
  scenarios: { production: scenario(SHAPE) },
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(PRODUCTION_ENDPOINTS, { ...latency(P95_MS), ...PRODUCTION_GATES }),
};

export function setup() {
  return { goods: prepareProduction(SHAPE) };
}

export default guarded(({ goods }) => liveThrough(goods));

export const handleSummary = summary('production-operation.scenario.script.js', PRODUCTION_ENDPOINTS);

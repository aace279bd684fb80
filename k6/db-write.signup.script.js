// Guests sign up, the seeds' `db-write.signup`: there every signup was a row written before the answer, here the row
// comes later and the answer stands on the log. Empty body with a JSON content type; one cookie jar per iteration.

import exec from 'k6/execution';
import { gates, guarded, latency } from './lib/gates.js';
import { signup } from './lib/requests.js';
import { expectStatuses } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, constant, ramping, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';

const SHAPES = {
  ci: constant(50, '10s', 400),
  load: constant(100, '30s', 200),
  // The documents give no peak for signups: the most their shop reached, held for two minutes.
  peak: ramping(10, [['10s', 2000], ['120s', 2000]], 4000),
  stress: ramping(10, [['60s', 1000], ['60s', 2000], ['60s', 3000]], 3000),
  endurance: constant(1000, '10m', 2000),
};
const ENDPOINTS = ['signup'];
const P95_MS = 500;

expectStatuses(201);

export const options = {
  scenarios: { signups: scenario(chosen(SHAPES)) },
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    ...latency(P95_MS),
    http_req_failed: ['rate<0.01'],
    success_register_rate: ['rate>0.99'],
    'http_reqs{name:signup,status:201}': ['count>0'],
  }),
};

export default guarded(() => {
  signup({ read: exec.scenario.iterationInTest % settings.bodyEvery === 0 });
});

export const handleSummary = summary('db-write.signup.script.js', ENDPOINTS);

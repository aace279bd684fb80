// Coupon claims by unique users, the seeds' `redis.issue-coupon`. The name is theirs: there a Redis counter decided
// who wins. Here the log decides and Redis has no part in a claim; the load is the same. Stage mode (no session).

import exec from 'k6/execution';
import { gates, guarded, latency, SHOWN } from './lib/gates.js';
import { claim, sellOutGates } from './lib/requests.js';
import { expectStatuses } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, constant, ramping, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { runNumber, userId } from './lib/users.js';

const SHAPES = {
  ci: constant(50, '10s', 400),
  load: constant(100, '30s', 200),
  peak: ramping(10, [['10s', 1500], ['120s', 1500]], 4000),
  stress: ramping(0, [['5s', 1000], ['30s', 2000], ['30s', 3000], ['30s', 4000]], 4000),
  endurance: constant(1000, '20m', 2000),
};
const ENDPOINTS = ['issue'];
const P95_MS = 500;
/** With COUPON_PIECES every body is read, because the winners' numbers are summed. */
const BODY_EVERY = settings.couponPieces === undefined ? settings.bodyEvery : 1;

expectStatuses(201, 422);

export const options = {
  scenarios: { claims: scenario(chosen(SHAPES)) },
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    ...latency(P95_MS),
    http_req_failed: ['rate<0.01'],
    success_coupon_issue_rate: ['rate>0.99'],
    coupon_won: ['count>0'],
    errors_coupon_issue: [SHOWN.counter],
    coupon_sold_out_count: [SHOWN.counter],
    ...(settings.couponPieces === undefined ? {} : sellOutGates(settings.couponPieces)),
  }),
};

export function setup() {
  return { run: runNumber() };
}

export default guarded(({ run }) => {
  const iteration = exec.scenario.iterationInTest;
  claim(settings.couponId, userId(run, 0, iteration), { read: iteration % BODY_EVERY === 0 });
});

export const handleSummary = summary('redis.issue-coupon.script.js', ENDPOINTS);

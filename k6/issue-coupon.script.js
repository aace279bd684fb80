// Signup, then a claim in the same session, against several API processes behind nginx: the cookie that one process
// gave must be good on the next one. With COUPON_PIECES the run must sell the coupon out: exactly that many 201, by
// different winners, and everybody else 422 C001 (an expected answer, not an error).

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { gates, guarded, latency, SHOWN } from './lib/gates.js';
import { claim, sellOutGates, signup } from './lib/requests.js';
import { expectStatuses } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, closed, constant, planned, ramping, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { target } from './lib/target.js';

const SHAPES = {
  ci: constant(50, '10s', 400),
  load: constant(25, '5s', 100),
  // The documents give no peak for sessions: ours.
  peak: ramping(10, [['10s', 500], ['60s', 500]], 1000),
  stress: closed(200, '60s'),
  endurance: closed(50, '10m'),
};
const SHAPE = chosen(SHAPES);
const ENDPOINTS = ['signup', 'issue'];
const P95_MS = 3000;

expectStatuses(201, 422);

export const options = {
  scenarios: { sessions: scenario(SHAPE) },
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    ...latency(P95_MS),
    http_req_failed: ['rate<0.01'],
    success_register_rate: ['rate>0.99'],
    success_coupon_issue_rate: ['rate>0.99'],
    'http_reqs{name:issue}': ['count>0'],
    coupon_won: ['count>0'],
    errors_coupon_issue: [SHOWN.counter],
    coupon_sold_out_count: [SHOWN.counter],
    ...(settings.couponPieces === undefined ? {} : sellOutGates(settings.couponPieces)),
  }),
};

export function setup() {
  const asked = planned(SHAPE);
  if (settings.couponPieces !== undefined && asked !== undefined && asked <= settings.couponPieces) {
    exec.test.abort(`${asked} claims cannot sell out ${settings.couponPieces} pieces: raise RATE or DURATION`);
  }
}

export default guarded(() => {
  const { userId } = signup();
  if (userId === undefined) {
    return;
  }
  // k6 gives every iteration of a VU an empty jar, fills it from Set-Cookie and sends it back.
  const cookies = http.cookieJar().cookiesForURL(target('/api/coupons'));
  check(cookies, { 'signup: a session cookie for the next request': (jar) => Object.keys(jar).length > 0 });
  claim(settings.couponId, userId);
});

export const handleSummary = summary('issue-coupon.script.js', ENDPOINTS);

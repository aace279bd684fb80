// Signups, claims of a large coupon and a sell-out, at once, RATE iterations a second in all. The small coupon gets a
// fifth of RATE, or more where that would not sell it out; the rest is split evenly. Stage mode (no session).
// Needs SMALL_COUPON_ID: a coupon with SMALL_PIECES (1,000) pieces of which none is taken.

import exec from 'k6/execution';
import http from 'k6/http';
import { gates, guarded, SHOWN } from './lib/gates.js';
import { claim, sellOutGates, signup } from './lib/requests.js';
import { settings } from './lib/settings.js';
import { chosen, constant, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { runNumber, userId } from './lib/users.js';

const SHAPES = { ci: constant(200, '10s', 200), load: constant(500, '30s', 500) };
const ENDPOINTS = ['signup', 'issue', 'issue_small'];
const LANE = { large: 0, small: 1 };
const SMALL_SHARE = 0.2;
/** Claimants of the small coupon per piece, at least. */
const SMALL_DEMAND = 1.2;

const shape = chosen(SHAPES);
const small = Math.max(
  Math.round(shape.rate * SMALL_SHARE),
  Math.ceil((settings.smallPieces * SMALL_DEMAND) / shape.seconds),
);
const large = Math.floor((shape.rate - small) / 2);
const signups = shape.rate - small - large;

function part(rate, run) {
  const vus = Math.max(20, Math.ceil((shape.vus * rate) / shape.rate));
  return scenario({ ...shape, rate: Math.max(1, rate), vus }, { exec: run });
}

http.setResponseCallback(http.expectedStatuses(201, 422));

export const options = {
  scenarios: {
    signups: part(signups, 'newGuest'),
    large_coupon: part(large, 'claimLarge'),
    small_coupon: part(small, 'claimSmall'),
  },
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    http_req_failed: ['rate<0.01'],
    success_register_rate: ['rate>0.99'],
    success_coupon_issue_rate: ['rate>0.99'],
    'http_reqs{name:signup,status:201}': ['count>0'],
    'coupon_won{coupon:main}': ['count>0'],
    errors_coupon_issue: [SHOWN.counter],
    'coupon_sold_out_count{coupon:main}': ['count==0'],
    'coupon_sold_out_count{coupon:small}': ['count>0'],
    ...sellOutGates(settings.smallPieces, 'issue_small', 'small'),
    ...(settings.p95Ms === undefined ? {} : { http_req_duration: [`p(95)<${settings.p95Ms}`] }),
  }),
};

export function setup() {
  if (settings.smallCouponId === undefined) {
    exec.test.abort('SMALL_COUPON_ID is not set: the id of a fresh coupon with SMALL_PIECES (1,000) pieces');
  }
  if (large < 1 || signups < 1) {
    exec.test.abort(`RATE=${shape.rate} for ${shape.seconds} s cannot sell out ${settings.smallPieces} pieces`);
  }
  return { run: runNumber() };
}

export const newGuest = guarded(() => {
  signup({ read: exec.scenario.iterationInTest % settings.bodyEvery === 0 });
});

export const claimLarge = guarded(({ run }) => {
  const iteration = exec.scenario.iterationInTest;
  claim(settings.couponId, userId(run, LANE.large, iteration), { read: iteration % settings.bodyEvery === 0 });
});

export const claimSmall = guarded(({ run }) => {
  const user = userId(run, LANE.small, exec.scenario.iterationInTest);
  claim(settings.smallCouponId, user, { name: 'issue_small', coupon: 'small' });
});

export const handleSummary = summary('demo.script.js', ENDPOINTS);

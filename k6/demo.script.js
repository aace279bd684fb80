// The production scenario, RATE iterations a second, and beside it the sell-out of a small coupon, 1.2 claimants per
// piece. Stage mode. Needs SMALL_COUPON_ID: a coupon with SMALL_PIECES (1,000) pieces of which none is taken.

import exec from 'k6/execution';
import { gates, guarded, latency } from './lib/gates.js';
import { liveThrough, prepareProduction, PRODUCTION_ENDPOINTS, PRODUCTION_GATES } from './lib/production.js';
import { claim, sellOutGates } from './lib/requests.js';
import { expectStatuses } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, constant, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { runNumber, userId } from './lib/users.js';

const SHAPES = { ci: constant(50, '10s', 400), load: constant(200, '30s', 400) };
const ENDPOINTS = [...PRODUCTION_ENDPOINTS, 'issue_small'];
const LANE = 1;
/** Claimants of the small coupon per piece. */
const SMALL_DEMAND = 1.2;
/** Virtual users that claim it. */
const SMALL_VUS = 50;

const SHAPE = chosen(SHAPES);
const SMALL_RATE = Math.ceil((settings.smallPieces * SMALL_DEMAND) / SHAPE.seconds);

expectStatuses(200, 201, 422);

export const options = {
  scenarios: {
    production: scenario(SHAPE, { exec: 'production' }),
    small_coupon: scenario({ ...SHAPE, rate: SMALL_RATE, vus: SMALL_VUS }, { exec: 'claimSmall' }),
  },
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    ...PRODUCTION_GATES,
    'coupon_sold_out_count{coupon:main}': ['count==0'],
    'coupon_sold_out_count{coupon:small}': ['count>0'],
    ...sellOutGates(settings.smallPieces, 'issue_small', 'small'),
    ...latency(),
  }),
};

export function setup() {
  if (settings.smallCouponId === undefined) {
    exec.test.abort('SMALL_COUPON_ID is not set: the id of a fresh coupon with SMALL_PIECES (1,000) pieces');
  }
  return { run: runNumber(), goods: prepareProduction(SHAPE) };
}

export const production = guarded(({ goods }) => liveThrough(goods));

export const claimSmall = guarded(({ run }) => {
  const user = userId(run, LANE, exec.scenario.iterationInTest);
  claim(settings.smallCouponId, user, { name: 'issue_small', coupon: 'small' });
});

export const handleSummary = summary('demo.script.js', ENDPOINTS);

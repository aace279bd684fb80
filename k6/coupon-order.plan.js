// A plan of eight parts, the seeds' coupon-and-order plan: peak, load, endurance and stress, each first on the coupon
// and then on orders, 10 s apart. There connections were reset at its peak; here an answer is 200, 201, 400 or 422 and
// nothing else. SCENARIO takes one kind (`peak`, `load`, `endurance`, `stress`), all of them (`all`) or a short look
// at the eight (`ci`). Stage mode: users need not have signed up.

import { sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { checkError, checkIssued, checkOrder } from './lib/answers.js';
import { gates, guarded, latency, observed } from './lib/gates.js';
import { expectStatuses, settled } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { closed, crowd, scenario, shared } from './lib/shapes.js';
import { optionsForSale, productsForSale } from './lib/shopping.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { params, target } from './lib/target.js';
import { runNumber, userId } from './lib/users.js';

const PLAN = {
  peak: shared(300, 300, '30s'),
  load: closed(100, '60s'),
  endurance: closed(50, '10m'),
  stress: crowd(10, [['30s', 300], ['30s', 300], ['30s', 500], ['30s', 500], ['30s', 0]]),
};
const SHORT = {
  peak: shared(30, 60, '10s'),
  load: closed(10, '2s'),
  endurance: closed(5, '2s'),
  stress: crowd(2, [['1s', 20], ['1s', 30], ['1s', 0]]),
};
const KINDS = Object.keys(PLAN);
/** Before every part but the first, seconds. */
const APART = settings.scenario === 'ci' ? 1 : 10;
/** As people do; without it a part would measure how fast k6 can ask. */
const THINK_SECONDS = settings.thinkSeconds === undefined ? 0.1 : settings.thinkSeconds;
const EXPECTED = [200, 201, 400, 422];
const ENDPOINTS = ['issue', 'order', 'products', 'product'];

const unexpected = new Counter('unexpected_statuses');

function kinds() {
  const short = settings.scenario === 'ci';
  if (short || settings.scenario === 'all') {
    return KINDS.map((kind) => [kind, short ? SHORT[kind] : PLAN[kind]]);
  }
  if (!KINDS.includes(settings.scenario)) {
    throw new Error(`SCENARIO=${settings.scenario}: this script has all, ${KINDS.join(', ')}, ci`);
  }
  return [[settings.scenario, PLAN[settings.scenario]]];
}

/** All parts, one after the other. The number of a part is the lane of its users. */
function parts() {
  const planned = kinds().flatMap(([kind, shape]) => [['coupon', kind, shape], ['order', kind, shape]]);
  const result = {};
  let start = 0;
  planned.forEach(([what, kind, shape], lane) => {
    const extra = { exec: what, startTime: `${Math.round(start * 1000)}ms`, env: { LANE: String(lane) } };
    result[`${kind}_${what}`] = scenario(shape, extra);
    start += shape.seconds + APART;
  });
  return result;
}

expectStatuses(...EXPECTED);

export const options = {
  scenarios: parts(),
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    http_req_failed: ['rate==0'],
    unexpected_statuses: ['count==0'],
    'http_reqs{name:issue}': ['count>0'],
    'http_reqs{name:order}': ['count>0'],
    ...latency(),
  }),
};

export function setup() {
  const onSale = optionsForSale(productsForSale());
  if (onSale.length === 0) {
    exec.test.abort('no product is for sale: run `consumers seed`');
  }
  return { run: runNumber(), onSale };
}

const someone = (run) => userId(run, Number(__ENV.LANE), exec.scenario.iterationInTest);

/** Sends it and looks at the answer: the body of some, the status of all. */
function ask(url, body, name, check) {
  const read = exec.scenario.iterationInTest % settings.bodyEvery === 0;
  const extra = read ? { responseType: 'text' } : {};
  const response = settled(observed(http.post(url, JSON.stringify(body), params(name, extra))));
  if (!EXPECTED.includes(response.status)) {
    unexpected.add(1, { status: String(response.status) });
  }
  if (read && response.status === 201) {
    check(response);
  } else if (read && response.status >= 400) {
    checkError(response);
  }
  sleep(THINK_SECONDS);
}

export const coupon = guarded(({ run }) => {
  const user = someone(run);
  const url = target(`/api/coupons/${settings.couponId}/issue`);
  ask(url, { userId: user }, 'issue', (response) => checkIssued(response, settings.couponId, user));
});

export const order = guarded(({ run, onSale }) => {
  const user = someone(run);
  const productOptionId = onSale[exec.scenario.iterationInTest % onSale.length];
  const body = { userId: user, items: [{ productOptionId, quantity: 1 }] };
  ask(target('/api/orders'), body, 'order', (response) => checkOrder(response, user, productOptionId));
});

export const handleSummary = summary('coupon-order.plan.js', ENDPOINTS);

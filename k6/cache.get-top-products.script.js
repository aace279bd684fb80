// The products sold most, the seeds' `cache.get-top-products`. There a cache spared the database the question; here
// every process counts the sales of its fold, so there is nothing to expire and nothing to warm.

import exec from 'k6/execution';
import http from 'k6/http';
import { checkError, checkTop } from './lib/answers.js';
import { gates, guarded, latency, observed } from './lib/gates.js';
import { expectStatuses } from './lib/settled.js';
import { settings } from './lib/settings.js';
import { chosen, constant, ramping, scenario } from './lib/shapes.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { params, target } from './lib/target.js';

const SHAPES = {
  ci: constant(50, '10s', 200),
  load: constant(500, '30s', 200),
  spike: ramping(50, [['10s', 50], ['2s', 3000], ['20s', 3000], ['2s', 50], ['10s', 50]], 1000),
  stress: ramping(10, [['30s', 1000], ['30s', 2000], ['30s', 3000]], 1000),
};
const ENDPOINTS = ['top'];
const P95_MS = 200;
const COUNT = 5;
const DAYS = 3;

expectStatuses(200);

export const options = {
  scenarios: { top: scenario(chosen(SHAPES)) },
  discardResponseBodies: true,
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    ...latency(P95_MS),
    http_req_failed: ['rate==0'],
    'http_reqs{name:top,status:200}': ['count>0'],
  }),
};

export default guarded(() => {
  const read = exec.scenario.iterationInTest % settings.bodyEvery === 0;
  const url = target(`/api/products/top?count=${COUNT}&dateRangeDays=${DAYS}`);
  const response = observed(http.get(url, params('top', read ? { responseType: 'text' } : {})));
  if (read && response.status === 200) {
    checkTop(response, COUNT);
  } else if (read && response.status !== 0) {
    checkError(response);
  }
});

export const handleSummary = summary('cache.get-top-products.script.js', ENDPOINTS);

// What every script holds the server to, whatever the load: nothing dropped, no broken connection, no 5xx, no wrong
// body. A gate that breaks ends k6 with 99.
//
// k6 traps that shaped this file: a rate over no samples at all passes every threshold, so each script also gates a
// count; an exception ends an iteration without any metric, so `guarded` counts it; status counts per endpoint exist
// in the summary only where a threshold names them, hence the thresholds `count>=0`, which cannot fail.

import { Counter } from 'k6/metrics';
import { settings } from './settings.js';

/** Statuses counted one by one; any other one is counted as `other`. */
export const STATUSES = [0, 200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503, 504];

/** Threshold that only makes k6 keep a metric. */
export const SHOWN = { counter: 'count>=0', trend: 'max>=0', rate: 'rate>=0' };

const LOGGED_PER_VU = 3;
const LOGGING_VUS = 5;

const socketErrors = new Counter('socket_errors');
const http5xx = new Counter('http_5xx');
const scriptErrors = new Counter('script_errors');

let logged = 0;

function complain(text) {
  if (__VU <= LOGGING_VUS && logged < LOGGED_PER_VU) {
    logged += 1;
    console.warn(text);
  }
}

/** Counts what no answer may be. Pass every response through it. */
export function observed(response) {
  if (response.status === 0) {
    socketErrors.add(1);
    complain(`socket error ${response.error_code}: ${response.error}`);
  } else if (response.status >= 500) {
    http5xx.add(1);
    complain(`status ${response.status} from ${response.request.method} ${response.url}`);
  }
  return response;
}

/** The iteration, with an exception counted. */
export function guarded(iteration) {
  return (data) => {
    try {
      iteration(data);
    } catch (error) {
      scriptErrors.add(1);
      throw error;
    }
  };
}

/**
 * Threshold of p95 of all requests: P95_MS where it is set, else this many ms, else none. None in `ci`: a machine that
 * stalls is no error of the server.
 */
export function latency(otherwise) {
  const limit = settings.p95Ms || (settings.scenario === 'ci' ? undefined : otherwise);
  return limit === undefined ? {} : { http_req_duration: [`p(95)<${limit}`] };
}

/** Thresholds of a script that talks to `endpoints` (names as given to `params`). */
export function gates(endpoints, extra = {}) {
  const thresholds = {
    dropped_iterations: ['count==0'],
    socket_errors: ['count==0'],
    http_5xx: ['count==0'],
    script_errors: ['count==0'],
    checks: ['rate==1'],
    http_reqs: ['count>0'],
  };
  for (const name of endpoints) {
    thresholds[`http_reqs{name:${name}}`] = [SHOWN.counter];
    thresholds[`http_req_duration{name:${name}}`] = [SHOWN.trend];
    for (const status of STATUSES) {
      thresholds[`http_reqs{name:${name},status:${status}}`] = [SHOWN.counter];
    }
  }
  for (const [metric, expressions] of Object.entries(extra)) {
    thresholds[metric] = (thresholds[metric] || []).concat(expressions);
  }
  return thresholds;
}

// What came of a request that was answered 202: the broker has it, the outcome was not known within the server's wait.
// A load test counts that as slow, which it is. A run in `ci` looks for errors on a machine that may stall for seconds:
// there it is asked for its outcome, and the outcome is what counts.

import { sleep } from 'k6';
import http from 'k6/http';
import { settings } from './settings.js';
import { params, REQUEST_TIMEOUT_SECONDS, target } from './target.js';

/** Between two questions, seconds. */
const PAUSE_SECONDS = 0.2;

const asks = settings.scenario === 'ci';

/** Sets which statuses of a script's requests are answers and no failures. */
export function expectStatuses(...statuses) {
  http.setResponseCallback(http.expectedStatuses(...statuses, ...(asks ? [202] : [])));
}

/**
 * The response, or in `ci` what it came to: with the outcome's status and body, and `late`. A sign-up's outcome gives no
 * session. A 202 that stays unknown is answered as it is.
 */
export function settled(response) {
  if (!asks || response.status !== 202) {
    return response;
  }
  const extra = { responseType: 'text', responseCallback: http.expectedStatuses(200, 404) };
  const location = target(response.headers.Location);
  for (let waited = 0; waited < REQUEST_TIMEOUT_SECONDS; waited += PAUSE_SECONDS) {
    sleep(PAUSE_SECONDS);
    const asked = http.get(location, params('outcome', extra));
    if (asked.status === 200) {
      const { status, body } = JSON.parse(asked.body);
      return { ...response, status, body: JSON.stringify(body), headers: asked.headers, late: true };
    }
  }
  return response;
}

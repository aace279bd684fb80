// Words of the smoke test: a request with its expected status, a check with its own name, waiting for other processes.
// A request `to` is { name, url, status, method = POST, body, headers = JSON, jar = a fresh one }.

import http from 'k6/http';
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { checkError, isJson, object } from './answers.js';
import { observed } from './gates.js';
import { settings } from './settings.js';
import { admin, JSON_HEADERS, params, target } from './target.js';

/** How far the refusal of one process may lie behind what another one has acknowledged, seconds. */
const CATCH_UP_SECONDS = 2;
const POLL_SECONDS = 0.1;

const steps = new Counter('smoke_steps');

function request(to, responseCallback) {
  const extra = { headers: to.headers || JSON_HEADERS, jar: to.jar || new http.CookieJar(), responseCallback };
  const body = to.body === undefined ? null : to.body;
  return observed(http.request(to.method || 'POST', to.url, body, params(to.name, extra)));
}

/** One check; what was there instead goes to the console. */
export function expect(step, response, condition) {
  if (!check(response, { [step]: (r) => condition(r) === true })) {
    console.error(`wrong: ${step}: got ${response.status} ${String(response.body).slice(0, 300)}`);
  }
}

/** Sends it; the status must be (one of) `to.status`. */
export function send(step, to) {
  const statuses = [].concat(to.status);
  const response = request(to, http.expectedStatuses(...statuses));
  steps.add(1);
  expect(`${step}: status ${statuses.join(' or ')}`, response, (r) => statuses.includes(r.status));
  return response;
}

/** Sends it; the answer must be JSON. */
export function answered(step, to) {
  const response = send(step, to);
  expect(`${step}: content type is JSON`, response, isJson);
  return response;
}

/** Sends it; it must be refused with an error body and, where given, with this code. */
export function refused(step, to, errorCode) {
  const response = send(step, to);
  checkError(response);
  if (errorCode !== undefined) {
    expect(`${step}: errorCode ${errorCode}`, response, (r) => object(r).errorCode === errorCode);
  }
}

/** Sends it until the status is `to.status`: for what another process must learn first. One process needs one try. */
export function eventually(step, to) {
  const until = Date.now() + CATCH_UP_SECONDS * 1000;
  let response = request(to, http.expectedStatuses({ min: 200, max: 499 }));
  while (response.status !== to.status && Date.now() < until) {
    console.warn(`${step}: status ${response.status}, trying again: another process may be behind`);
    sleep(POLL_SECONDS);
    response = request(to, http.expectedStatuses({ min: 200, max: 499 }));
  }
  steps.add(1);
  expect(`${step}: status ${to.status}`, response, (r) => r.status === to.status);
  return response;
}

/** Waits until the admin listener says that the folds have caught up. Not counted: 503 is right until then. */
export function untilReady(limitSeconds) {
  const until = Date.now() + limitSeconds * 1000;
  while (Date.now() < until) {
    const { status } = http.get(admin('/ready'), params('waiting', { responseCallback: null }));
    if (status === 200) {
      return;
    }
    sleep(POLL_SECONDS);
  }
}

/** A POST to the admin listener, with the token. */
export function adminPost(name, path, body, status) {
  const headers = { ...JSON_HEADERS, Authorization: `Bearer ${settings.adminToken}` };
  return { name, url: admin(path), body: body === undefined ? null : JSON.stringify(body), status, headers };
}

/** A claim in the shape of the load scripts. `guest` is { userId, jar }. */
export function claimBy(guest, couponId, status, headers = JSON_HEADERS) {
  const url = target(`/api/coupons/${couponId}/issue`);
  return { name: 'issue', url, body: JSON.stringify({ userId: guest.userId }), status, headers, jar: guest.jar };
}

/** The campaign's claim: no body at all. */
export function applyBy(guest, status) {
  return { name: 'apply', url: target(`/coupon/apply?userId=${guest.userId}`), status, headers: {}, jar: guest.jar };
}

// Where requests go and what they carry: base URL, headers, the name under which an endpoint is counted.
// The name replaces the URL in k6's tags, so ids in paths never become label values.

import { settings } from './settings.js';

/** A request that takes longer counts as a socket error (status 0), seconds. */
export const REQUEST_TIMEOUT_SECONDS = 30;

export const JSON_HEADERS = Object.freeze({ 'Content-Type': 'application/json' });

export function target(path) {
  return `${settings.targetUrl}${path}`;
}

export function admin(path) {
  return `${settings.adminUrl}${path}`;
}

export function consumersAdmin(path) {
  return `${settings.consumersAdminUrl}${path}`;
}

/** k6 parameters of one request to the endpoint called `name`. */
export function params(name, extra = {}) {
  return { timeout: `${REQUEST_TIMEOUT_SECONDS}s`, tags: { name }, headers: JSON_HEADERS, ...extra };
}

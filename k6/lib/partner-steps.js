// The partner's part of the smoke test: an event, signed as the partner signs it, and events that are not to be taken.

import crypto from 'k6/crypto';
import { settings } from './settings.js';
import { expect, refused, send } from './steps.js';
import { JSON_HEADERS, target } from './target.js';

export const PARTNER_ENDPOINTS = ['platform_event'];

/** The partner may be this wrong about the time, seconds. */
const SKEW_SECONDS = 300;

function bytes(hex) {
  return new Uint8Array(hex.match(/../g).map((pair) => parseInt(pair, 16))).buffer;
}

function event(body, status, { seconds = Math.floor(Date.now() / 1000), signed = body } = {}) {
  const [id, key] = settings.platformKey.split(':');
  const signature = crypto.hmac('sha256', bytes(key), `${seconds}.${signed}`, 'hex');
  const headers = {
    ...JSON_HEADERS,
    'X-Platform-Key-Id': id,
    'X-Platform-Timestamp': String(seconds),
    'X-Platform-Signature': signature,
  };
  return { name: 'platform_event', url: target('/api/external-platform/events'), body, status, headers };
}

/** Needs K6_PLATFORM_KEY. */
export function partner() {
  const occurredAt = new Date().toISOString();
  const body = JSON.stringify({ eventId: `smoke-${Date.now()}`, type: 'SHIPPED', orderId: 1, occurredAt });
  const taken = send('event of the partner', event(body, 202));
  expect('event of the partner: empty body', taken, (r) => !r.body);
  send('event of the partner, repeated', event(body, 202));
  const old = Math.floor(Date.now() / 1000) - SKEW_SECONDS - 60;
  refused('event signed long ago', event(body, 401, { seconds: old }));
  refused('event with another body', event(body, 401, { signed: `${body} ` }));
  refused('event without an order', event('{"eventId":"smoke","type":"SHIPPED"}', 400));
}

/** What is not signed is refused, whatever it says. */
export function unsigned() {
  const url = target('/api/external-platform/events');
  refused('unsigned event', { name: 'platform_event', url, body: '{}', status: 401, headers: JSON_HEADERS });
}

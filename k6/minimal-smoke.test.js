// Every endpoint that exists, once, with its status and its body. Needs a server in stage mode with the sample data;
// may run again and again against the same one. With K6_ADMIN_URL and K6_ADMIN_TOKEN also the admin listener: the
// campaign `apply` is then reset, a coupon of two pieces is opened, sold out, extended and closed, and a product that
// is not for sale is listed; with K6_CONSUMERS_ADMIN_URL and the token the audit is asked for. The shop's steps are in
// lib/shop-steps.js.

import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { checkError, checkIssued, checkSignup, object } from './lib/answers.js';
import { gates, guarded, SHOWN } from './lib/gates.js';
import { partner, PARTNER_ENDPOINTS, unsigned } from './lib/partner-steps.js';
import { settings } from './lib/settings.js';
import { shop, SHOP_ENDPOINTS, shopAdministration } from './lib/shop-steps.js';
import { adminPost, answered, applyBy, claimBy, eventually, expect, refused, send, untilReady } from './lib/steps.js';
import { summary, TREND_STATS } from './lib/summary.js';
import { admin, consumersAdmin, JSON_HEADERS, target } from './lib/target.js';

const ENDPOINTS = [
  'health', 'signup', 'login', 'logout', 'issue', 'user_coupons', 'apply', 'outcome', 'refusals',
  'ready', 'metrics', 'coupon_create', 'coupon_extend', 'coupon_close', 'campaign_reset', 'rules', 'conservation',
  ...SHOP_ENDPOINTS, ...PARTNER_ENDPOINTS,
];
/** The largest coupon id there may be; nobody opens it. */
const UNKNOWN_COUPON = 2 ** 21 - 1;
const BODY_LIMIT_BYTES = 64 * 1024;
const DAY_MS = 24 * 60 * 60 * 1000;
const READY_WITHIN_SECONDS = 30;

const completed = new Counter('smoke_completed');
const adminSkipped = new Counter('smoke_admin_skipped');

export const options = {
  scenarios: { smoke: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '3m' } },
  summaryTrendStats: TREND_STATS,
  thresholds: gates(ENDPOINTS, {
    smoke_completed: ['count==1'],
    http_req_failed: ['rate==0'],
    smoke_admin_skipped: [SHOWN.counter],
  }),
};

/** 128 bits as hex, as an idempotency key for a signup must be. */
function freshKey() {
  return Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
}

const signupWith = (headers, jar) => ({ name: 'signup', url: target('/api/auth/signup'), status: 201, headers, jar });

/** A new user with a session of its own. */
function guest(step, headers = JSON_HEADERS) {
  const jar = new http.CookieJar();
  const response = send(step, signupWith(headers, jar));
  const { userId } = checkSignup(response);
  expect(`${step}: sets a cookie`, response, () => Object.keys(jar.cookiesForURL(target('/api/'))).length > 0);
  return { userId, jar, response };
}

function signups() {
  const first = guest('signup with no body', {});
  const second = guest('signup with no body, JSON content type');
  expect('signup: another user each time', second.response, () => first.userId !== second.userId);

  const keyed = { ...JSON_HEADERS, 'Idempotency-Key': freshKey() };
  const original = guest('signup with a key', keyed);
  expect('signup with a key: not replayed', original.response, (r) => r.headers['Idempotent-Replayed'] !== 'true');
  const key = keyed['Idempotency-Key'];
  expect('signup with a key: echoes it', original.response, (r) => r.headers['Idempotency-Key'] === key);
  const repeat = guest('signup with the same key', keyed);
  expect('signup with the same key: the same user', repeat.response, () => repeat.userId === original.userId);
  expect('signup with the same key: replayed', repeat.response, (r) => r.headers['Idempotent-Replayed'] === 'true');
}

function sessions() {
  const { userId } = guest('signup before login');
  const jar = new http.CookieJar();
  const body = JSON.stringify({ userId });
  const login = answered('login', { name: 'login', url: target('/api/auth/login'), body, status: 200, jar });
  expect('login: success and the user', login, (r) => object(r).success && object(r).userId === userId);
  const logout = answered('logout', { name: 'logout', url: target('/api/auth/logout'), status: 200, jar });
  expect('logout: success', logout, (r) => object(r).success);
}

function coupons() {
  const user = guest('signup before a claim');
  checkIssued(send('claim', claimBy(user, settings.couponId, 201)), settings.couponId, user.userId);
  refused('claim by the same user', claimBy(user, settings.couponId, 400), 'C005');
  refused('claim of an unknown coupon', claimBy(user, UNKNOWN_COUPON, 404), 'C006');

  const keyed = { ...JSON_HEADERS, 'Idempotency-Key': freshKey() };
  const other = guest('signup before a claim with a key');
  const original = object(send('claim with a key', claimBy(other, settings.couponId, 201, keyed)));
  const repeat = send('claim with the same key', claimBy(other, settings.couponId, 201, keyed));
  expect('claim with the same key: replayed', repeat, (r) => r.headers['Idempotent-Replayed'] === 'true');
  expect('claim with the same key: the same piece', repeat, (r) => object(r).userCouponId === original.userCouponId);

  const url = target(`/api/users/${user.userId}/coupons`);
  const held = send('coupons of a user', { name: 'user_coupons', method: 'GET', url, status: 200, jar: user.jar });
  expect('coupons of a user: the one just won', held, (r) => {
    const { data } = object(r);
    return Array.isArray(data) && data.some((coupon) => coupon.couponId === settings.couponId);
  });
}

function campaign() {
  const user = guest('signup before apply');
  const first = send('apply', applyBy(user, [200, 422]));
  if (first.status === 200) {
    expect('apply: empty body', first, (r) => !r.body);
    refused('apply again', applyBy(user, 409), 'C005');
  } else {
    checkError(first);
    refused('apply again, sold out', applyBy(user, 422));
  }
}

/** The id of a request is told with a 202 and nowhere else: what can be asked for at any time is an unknown one. */
function outcomes() {
  for (const topic of ['signup', 'coupon', 'order']) {
    const url = target(`/api/requests/${topic}-0-${freshKey()}`);
    const asked = { name: 'outcome', method: 'GET', url, status: 404 };
    refused(`outcome of an unknown ${topic}`, asked, 'REQUEST_NOT_FOUND');
  }
}

function refusals() {
  const user = guest('signup before refusals');
  const name = 'refusals';
  const issue = (body, status, headers = JSON_HEADERS) => ({
    ...claimBy(user, settings.couponId, status, headers), name, body,
  });
  refused('unknown path', { name, method: 'GET', url: target('/api/there-is-nothing-here'), status: 404 });
  refused('wrong method', { name, method: 'DELETE', url: target('/api/auth/signup'), status: 405 });
  refused('wrong content type', issue(`userId=${user.userId}`, 415, { 'Content-Type': 'text/plain' }));
  const large = JSON.stringify({ userId: user.userId, pad: 'x'.repeat(BODY_LIMIT_BYTES) });
  refused('body over the limit', issue(large, 413));
  refused('malformed JSON', issue('{"userId":', 400));
  refused('unknown property', issue(JSON.stringify({ userId: user.userId, colour: 'red' }), 400));
}

function health() {
  const response = answered('health', { name: 'health', method: 'GET', url: target('/health'), status: 200 });
  expect('health: ok', response, (r) => object(r).status === 'ok');
}

function probes() {
  send('ready', { name: 'ready', method: 'GET', url: admin('/ready'), status: 200 });
  const metrics = send('metrics', { name: 'metrics', method: 'GET', url: admin('/metrics'), status: 200 });
  expect('metrics: Prometheus text', metrics, (r) => /^# TYPE \S+ (counter|gauge|histogram|summary)/m.test(r.body));
}

/** A coupon's life: two pieces, sold out, a third one, closed. */
function couponLife() {
  const couponId = 1000000 + (Math.floor(Date.now() / 1000) % 1000000);
  const coupon = {
    couponId,
    name: `SMOKE-${couponId}`,
    total: 2,
    discountRate: 15,
    expiresAt: new Date(Date.now() + DAY_MS).toISOString(),
  };
  const users = [1, 2, 3, 4].map((n) => guest(`signup ${n} before a new coupon`));
  answered('create a coupon', adminPost('coupon_create', '/admin/coupons', coupon, 201));

  const first = eventually('claim of a new coupon', claimBy(users[0], couponId, 201));
  const won = checkIssued(first, couponId, users[0].userId);
  expect('claim of a new coupon: as created', first, () => won.remainingQuantity === 1
    && won.discountRate === coupon.discountRate && won.couponName === coupon.name);
  const last = send('claim of the last piece', claimBy(users[1], couponId, 201));
  expect('claim of the last piece: nothing remains', last, (r) => object(r).remainingQuantity === 0);
  refused('claim of a sold out coupon', claimBy(users[2], couponId, 422), 'C001');

  answered('extend a coupon', adminPost('coupon_extend', `/admin/coupons/${couponId}/extend`, { total: 3 }, 200));
  eventually('claim of an extended coupon', claimBy(users[2], couponId, 201));
  answered('close a coupon', adminPost('coupon_close', `/admin/coupons/${couponId}/close`, undefined, 200));
  const closed = eventually('claim of a closed coupon', claimBy(users[3], couponId, 400));
  expect('claim of a closed coupon: C003', closed, (r) => object(r).errorCode === 'C003');
}

function campaignReset() {
  const user = guest('signup before a reset');
  answered('reset a campaign', adminPost('campaign_reset', '/admin/campaigns/apply/reset', undefined, [200, 201]));
  const first = eventually('apply after a reset', applyBy(user, 200));
  expect('apply after a reset: empty body', first, (r) => !r.body);
  refused('apply after a reset, again', applyBy(user, 409), 'C005');
}

/** The version that every log is founded with, once more: nothing changes. */
function rules() {
  const same = adminPost('rules', '/admin/rules/activate', { version: 1 }, 200);
  expect('activate the rules there are', answered('activate rules', same), (r) => object(r).changed === false);
}

/** The audit, as `consumers` serve it: exact while everything goes on writing. */
function conservation() {
  const headers = { ...JSON_HEADERS, Authorization: `Bearer ${settings.adminToken}` };
  const url = consumersAdmin('/api/audit/conservation');
  const audit = answered('audit', { name: 'conservation', method: 'GET', url, status: 200, headers });
  const { clean, partitions, coupons: counted } = object(audit);
  expect('audit: clean', audit, () => clean);
  expect('audit: appended is applied, dead and in flight', audit, () => partitions.length > 0
    && partitions.every((p) => p.appended === p.applied + p.dead + p.inFlight));
  expect('audit: winners by the log and in MySQL, no more than pieces', audit, () => counted.length > 0
    && counted.every((coupon) => coupon.log === coupon.mysql && coupon.log <= coupon.total));
}

function skip(what) {
  adminSkipped.add(1);
  console.warn(`SKIPPED: ${what}`);
}

function partnerEvents() {
  unsigned();
  if (settings.platformKey === undefined) {
    skip('signed events of the partner: K6_PLATFORM_KEY is not set');
    return;
  }
  partner();
}

function adminListener() {
  if (settings.adminUrl === undefined) {
    skip('the whole admin listener: K6_ADMIN_URL is not set');
    return;
  }
  probes();
  if (settings.adminToken === undefined) {
    skip('admin coupons, campaigns, products and rules: K6_ADMIN_TOKEN is not set');
    return;
  }
  couponLife();
  campaignReset();
  shopAdministration(guest);
  rules();
}

function consumersListener() {
  if (settings.consumersAdminUrl === undefined || settings.adminToken === undefined) {
    skip("the audit on the consumers' listener: K6_CONSUMERS_ADMIN_URL or K6_ADMIN_TOKEN is not set");
    return;
  }
  conservation();
}

export default guarded(() => {
  if (settings.adminUrl !== undefined) {
    untilReady(READY_WITHIN_SECONDS);
  }
  const parts = [
    health, signups, sessions, coupons, campaign, () => shop(guest), partnerEvents, outcomes, refusals, adminListener,
    consumersListener,
  ];
  parts.forEach((part) => part());
  completed.add(1);
});

export const handleSummary = summary('minimal-smoke.test.js', ENDPOINTS, 'once');

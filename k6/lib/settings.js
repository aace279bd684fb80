// The only place that reads the environment. Everything else imports what it needs from here, so a wrong
// value is refused once, at start, with the variable's name. Never holds state of a run.

const SECONDS_PER = { ms: 0.001, s: 1, m: 60, h: 3600 };

function text(name, fallback) {
  const value = __ENV[name];
  return value === undefined || value === '' ? fallback : value;
}

function integer(name, fallback) {
  const value = text(name);
  if (value === undefined) {
    return fallback;
  }
  if (!/^[0-9]{1,15}$/.test(value) || Number(value) < 1) {
    throw new Error(`${name}=${value}: expected a whole number of at least 1`);
  }
  return Number(value);
}

/** Seconds in a k6 duration (`1m30s`, `500ms`); a bare number means seconds. */
export function seconds(duration, name = 'duration') {
  const parts = /^[0-9.]+$/.test(duration) ? [`${duration}s`] : duration.match(/[0-9.]+(ms|s|m|h)/g);
  if (!parts || (parts.length > 1 && parts.join('') !== duration)) {
    throw new Error(`${name}=${duration}: expected something like 30s or 1m30s`);
  }
  const total = parts.reduce((sum, part) => {
    const [, amount, unit] = part.match(/^([0-9.]+)(ms|s|m|h)$/);
    return sum + Number(amount) * SECONDS_PER[unit];
  }, 0);
  if (!(total > 0)) {
    throw new Error(`${name}=${duration}: expected more than nothing`);
  }
  return total;
}

function optionalSeconds(name) {
  const value = text(name);
  return value === undefined ? undefined : seconds(value, name);
}

function base(value) {
  return value === undefined ? undefined : value.replace(/\/+$/, '');
}

export const settings = Object.freeze({
  /** Base URL of the public listener (or of nginx). */
  targetUrl: base(text('K6_TARGET_URL', 'http://127.0.0.1:3000')),
  /** Base URL of an API process' admin listener; only the smoke test uses it. */
  adminUrl: base(text('K6_ADMIN_URL')),
  adminToken: text('K6_ADMIN_TOKEN'),
  /** Base URL of a `consumers` process' admin listener; only the smoke test uses it. */
  consumersAdminUrl: base(text('K6_CONSUMERS_ADMIN_URL')),
  /** Which shape of load; every script names its own. */
  scenario: text('SCENARIO', 'load'),
  /** Iterations per second: of a constant shape its rate, of a ramping one its highest target. */
  rate: integer('RATE'),
  /** Length of the whole shape, seconds. */
  durationSeconds: optionalSeconds('DURATION'),
  /** Virtual users, allocated before the start. */
  vus: integer('VUS'),
  /** Names the run; two runs with the same value use the same user ids. */
  runId: text('RUN_ID'),
  couponId: integer('COUPON_ID', 1),
  /** Pieces the coupon has: the gate is then exactly this many 201. */
  couponPieces: integer('COUPON_PIECES', integer('PIECES')),
  /** One iteration of the production scenario in this many orders and pays: 20 is 5 %. */
  orderEvery: integer('ORDER_EVERY', 20),
  /** Pause of a virtual user between two iterations of a closed model, seconds. */
  thinkSeconds: optionalSeconds('THINK'),
  /** With which the partner's events are signed, `id:hex`; only the smoke test uses it. */
  platformKey: text('K6_PLATFORM_KEY'),
  smallCouponId: integer('SMALL_COUPON_ID'),
  smallPieces: integer('SMALL_PIECES', 1000),
  /** At high rates one body in this many is read and checked. */
  bodyEvery: integer('BODY_EVERY', 50),
  /** Overrides the limit of p95 of all requests, ms. */
  p95Ms: integer('P95_MS'),
  /** Where the JSON summary goes; none is written without it. */
  summaryFile: text('SUMMARY_FILE'),
});

// Signup and claim, in the shape of the seeds' scripts, and the metrics under the documents' names.

import { check } from 'k6';
import http from 'k6/http';
import { Counter, Rate } from 'k6/metrics';
import { checkError, checkIssued, checkSignup, object, winnerNumber } from './answers.js';
import { observed } from './gates.js';
import { settled } from './settled.js';
import { params, target } from './target.js';

const registered = new Rate('success_register_rate');
const issued = new Rate('success_coupon_issue_rate');
const issueErrors = new Counter('errors_coupon_issue');
const soldOut = new Counter('coupon_sold_out_count');
/** 201 seen; per coupon by the tag `coupon`. */
const won = new Counter('coupon_won');
/** Sum of the winners' numbers: N different winners of N pieces make exactly N * (N + 1) / 2. */
const numberSum = new Counter('coupon_winner_number_sum');

const withBody = (read) => (read ? { responseType: 'text' } : {});

/**
 * A guest signs up: empty body with a JSON content type. Answers the body where it was read, else an empty object; also
 * where the answer came late and so without a session.
 */
export function signup({ read = true } = {}) {
  const response = settled(observed(http.post(target('/api/auth/signup'), null, params('signup', withBody(read)))));
  const success = response.status === 201;
  registered.add(success);
  if (!read || response.status === 0 || response.late) {
    return {};
  }
  if (success) {
    return checkSignup(response);
  }
  checkError(response);
  return {};
}

/**
 * A user asks for a piece. Sold out is an expected answer: it counts in neither direction of the success rate.
 * Answers the winner's body where it was read.
 */
export function claim(couponId, userId, { read = true, name = 'issue', coupon = 'main' } = {}) {
  const body = JSON.stringify({ userId });
  const url = target(`/api/coupons/${couponId}/issue`);
  const response = settled(observed(http.post(url, body, params(name, withBody(read)))));
  if (response.status === 201) {
    return countWin(response, couponId, userId, read, coupon);
  }
  // Only C001 answers 422 here (no idempotency key is sent); where the body is read, that is checked.
  const wasSoldOut = response.status === 422 && (!read || object(response).errorCode === 'C001');
  if (wasSoldOut) {
    soldOut.add(1, { coupon });
  } else {
    issued.add(false);
    issueErrors.add(1, { coupon });
  }
  if (read && response.status !== 0 && response.status !== 202) {
    checkError(response);
  }
  return undefined;
}

function countWin(response, couponId, userId, read, coupon) {
  issued.add(true);
  won.add(1, { coupon });
  if (!read) {
    return undefined;
  }
  const body = checkIssued(response, couponId, userId);
  numberSum.add(winnerNumber(body) || 0, { coupon });
  return body;
}

/**
 * A user asks the campaign `apply` for a piece: no body, and a winner's answer is empty. `phase` is a tag of the
 * request and of what is counted. An answer that `excuse` allows ({ expected: k6's callback, fits(response) }) is no
 * error, and is neither won nor lost. Answers the response with `excused`, and `answered` where it was 200 or 422.
 */
export function apply(userId, { read = true, name = 'apply', phase = 'all', excuse } = {}) {
  const extra = { headers: {}, tags: { name, phase }, ...withBody(read) };
  if (excuse !== undefined) {
    extra.responseCallback = excuse.expected;
  }
  const first = http.post(target(`/coupon/apply?userId=${userId}`), null, params(name, extra));
  if (excuse !== undefined && excuse.fits(first)) {
    return { ...first, excused: true };
  }
  const response = settled(observed(first));
  const tags = { coupon: 'apply', phase };
  // What came late is told as the claim of a coupon.
  const success = response.status === 200 || (response.late === true && response.status === 201);
  const wasSoldOut = response.status === 422;
  if (success) {
    issued.add(true, tags);
    won.add(1, tags);
  } else if (wasSoldOut) {
    soldOut.add(1, tags);
  } else {
    issued.add(false, tags);
    issueErrors.add(1, tags);
  }
  if (read && success && response.late !== true) {
    check(response, { 'apply: empty body': (r) => !r.body });
  } else if (read && response.status >= 400) {
    // C003 and C006 answer 422 too: then there is no campaign to sell out.
    checkError(response, wasSoldOut ? 'C001' : undefined);
  }
  return { ...response, answered: success || wasSoldOut };
}

/** Thresholds: exactly `pieces` were won, by different winners, and more were asked for (bodies must be read). */
export function sellOutGates(pieces, name = 'issue', coupon = 'main') {
  return {
    [`coupon_won{coupon:${coupon}}`]: [`count==${pieces}`],
    [`coupon_winner_number_sum{coupon:${coupon}}`]: [`count==${(pieces * (pieces + 1)) / 2}`],
    [`http_reqs{name:${name}}`]: [`count>${pieces}`],
  };
}

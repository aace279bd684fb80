// Signup and claim, in the shape of the seeds' scripts, and the metrics under the documents' names.

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

/** Thresholds: exactly `pieces` were won, by different winners, and more were asked for (bodies must be read). */
export function sellOutGates(pieces, name = 'issue', coupon = 'main') {
  return {
    [`coupon_won{coupon:${coupon}}`]: [`count==${pieces}`],
    [`coupon_winner_number_sum{coupon:${coupon}}`]: [`count==${(pieces * (pieces + 1)) / 2}`],
    [`http_reqs{name:${name}}`]: [`count>${pieces}`],
  };
}

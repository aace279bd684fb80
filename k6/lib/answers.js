// What a body must look like. Every function checks one answer and counts into k6's `checks`, which the gates
// hold at 1.

import { check } from 'k6';

/** Ids and amounts are JSON numbers below this. */
const NUMBER_LIMIT = 2 ** 53;
/** userCouponId = coupon id * 2^32 + number of the winner. */
const NUMBERS_PER_COUPON = 2 ** 32;

const isId = (value) => Number.isInteger(value) && value >= 1 && value < NUMBER_LIMIT;
const isAmount = (value) => Number.isInteger(value) && value >= 0 && value < NUMBER_LIMIT;
const isText = (value) => typeof value === 'string' && value.length > 0;
const isTime = (value) => (isText(value) && !Number.isNaN(Date.parse(value))) || isAmount(value);

/** The body as an object; an empty one where it is not a JSON object. */
export function object(response) {
  try {
    const body = JSON.parse(response.body);
    return body !== null && typeof body === 'object' ? body : {};
  } catch {
    return {};
  }
}

export function isJson(response) {
  return /^application\/json\b/.test(response.headers['Content-Type'] || '');
}

/** The winner's number, 1 .. total. */
export function winnerNumber(body) {
  return body.userCouponId % NUMBERS_PER_COUPON;
}

export function checkSignup(response) {
  const body = object(response);
  check(body, {
    'signup: userId is an id': (b) => isId(b.userId),
    'signup: balance is an amount': (b) => isAmount(b.balance),
  });
  return body;
}

export function checkIssued(response, couponId, userId) {
  const body = object(response);
  check(body, {
    'issue: userCouponId is an id': (b) => isId(b.userCouponId),
    'issue: winner number is at least 1': (b) => winnerNumber(b) >= 1,
    'issue: couponId is the one asked for': (b) => b.couponId === couponId,
    'issue: userId is who asked': (b) => b.userId === userId,
    'issue: couponName is a text': (b) => isText(b.couponName),
    'issue: discountRate is a number': (b) => typeof b.discountRate === 'number' && b.discountRate >= 0,
    'issue: expiredAt is a time': (b) => isTime(b.expiredAt),
    'issue: expiresAt is a time': (b) => isTime(b.expiresAt),
    'issue: remainingQuantity is an amount': (b) => isAmount(b.remainingQuantity),
    'issue: data.id is there': (b) => b.data !== null && typeof b.data === 'object' && isId(b.data.id),
  });
  return body;
}

/** An error's body; with `errorCode` it must be that code. */
export function checkError(response, errorCode) {
  const body = object(response);
  check(body, {
    'error: content type is JSON': () => isJson(response),
    'error: errorCode': (b) => (errorCode === undefined ? isText(b.errorCode) : b.errorCode === errorCode),
    'error: message is a text': (b) => isText(b.message),
    'error: timestamp is a time': (b) => isTime(b.timestamp),
  });
  return body;
}

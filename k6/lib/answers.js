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

export function checkProduct(response, productId) {
  const body = object(response);
  const { options } = body;
  check(body, {
    'product: the one asked for': (b) => b.productId === productId,
    'product: name and category are texts': (b) => isText(b.name) && isText(b.category),
    'product: price is an amount': (b) => isAmount(b.price),
    'product: it has options': () => Array.isArray(options) && options.length > 0,
    'product: no more is available than there is': () => Array.isArray(options) && options.every((option) => (
      isId(option.productOptionId) && isAmount(option.stock) && isAmount(option.availableStock)
      && option.availableStock <= option.stock)),
  });
  return body;
}

export function checkOrder(response, userId, productOptionId) {
  const body = object(response);
  const [item] = Array.isArray(body.items) ? body.items : [];
  check(body, {
    'order: orderId is an id': (b) => isId(b.orderId),
    'order: userId is who asked': (b) => b.userId === userId,
    'order: one item, the option asked for': (b) => b.items.length === 1 && item.productOptionId === productOptionId,
    'order: orderItemId is an id': () => isId(item.orderItemId),
    'order: subtotal is price times quantity': () => item.subtotal === item.price * item.quantity,
    'order: totalAmount is the sum': (b) => b.totalAmount === item.subtotal,
    'order: it is pending': (b) => b.status === 'PENDING',
    'order: createdAt and expiresAt are times': (b) => isTime(b.createdAt) && isTime(b.expiresAt),
    'order: there is time to pay': (b) => Date.parse(b.createdAt) < Date.parse(b.expiresAt),
  });
  return body;
}

/** `won` is the body of the coupon's claim, or undefined. */
export function checkPayment(response, order, won) {
  const body = object(response);
  const rate = won === undefined ? 0 : won.discountRate;
  // Rates are percent with at most two digits after the point: counted in hundredths, so that nothing is lost.
  const discount = Math.floor((order.totalAmount * Math.round(rate * 100)) / 10000);
  check(body, {
    'payment: the order asked for': (b) => b.orderId === order.orderId,
    'payment: it is paid': (b) => b.status === 'PAID',
    'payment: the coupon takes its share off': (b) => b.discountAmount === discount,
    'payment: paid and discount make the total': (b) => b.paidAmount + b.discountAmount === order.totalAmount,
    'payment: remainingBalance is an amount': (b) => isAmount(b.remainingBalance),
    'payment: paidAt and requestedAt are times': (b) => isTime(b.paidAt) && isTime(b.requestedAt),
  });
  return body;
}

export function checkOrderDetail(response, orderId, status) {
  const { orderDetail: detail = {} } = object(response);
  check(detail, {
    'order detail: the one asked for': (d) => d.orderId === orderId,
    'order detail: the status it must have': (d) => d.status === status,
    'order detail: its items make its total': (d) => Array.isArray(d.items)
      && d.items.reduce((sum, item) => sum + item.subtotal, 0) === d.totalAmount,
  });
  return detail;
}

export function checkBalance(response, userId) {
  const body = object(response);
  check(body, {
    'balance: whose it is': (b) => b.userId === userId,
    'balance: an amount': (b) => isAmount(b.balance),
  });
  return body;
}

export function checkTop(response, count) {
  const { data } = object(response);
  check(data, {
    'top: products, no more than asked for': (d) => Array.isArray(d) && d.length > 0 && d.length <= count,
    'top: ranks from 1 on': (d) => d.every((product, index) => product.rank === index + 1),
    'top: sold most first': (d) => d.every((product, i) => i === 0 || product.salesCount <= d[i - 1].salesCount),
    'top: products are whole': (d) => d.every((product) => isId(product.productId) && isText(product.name)
      && isText(product.category) && isAmount(product.price) && isAmount(product.salesCount)),
  });
  return data;
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

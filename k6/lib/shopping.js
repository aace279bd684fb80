// What a person does in the shop: looks at a product, orders one piece, pays with a coupon, looks at the order.
// Every function is one request. A body is checked only where it is read.

import http from 'k6/http';
import { Counter, Rate } from 'k6/metrics';
import { checkError, checkOrder, checkOrderDetail, checkPayment, checkProduct, object } from './answers.js';
import { observed } from './gates.js';
import { settled } from './settled.js';
import { params, target } from './target.js';

const ordered = new Rate('success_order_rate');
const paid = new Rate('success_payment_rate');
/** 201 seen. */
const placedCount = new Counter('orders_placed');
const paidCount = new Counter('orders_paid');
/** Sums of the answers, for whoever compares money at the end. */
const paidAmount = new Counter('orders_paid_amount');
const discountAmount = new Counter('orders_discount_amount');

/** Orders 1 to 10 of the sample data are paid; anybody may look at them in stage mode. */
const SAMPLE_ORDERS = 10;
/** More products than this nobody needs for a load. */
const PAGE = 100;

const withBody = (read) => (read ? { responseType: 'text' } : {});

/** Ids of the products for sale. Call it in setup(). */
export function productsForSale() {
  const url = target(`/api/products?page=1&size=${PAGE}`);
  const { data } = object(observed(http.get(url, params('products', withBody(true)))));
  return (data || []).filter((product) => product.isAvailable).map((product) => product.productId);
}

/** Options with stock, of these products. Call it in setup(). */
export function optionsForSale(products) {
  return products.flatMap((id) => inStock(viewProduct(id)).map((option) => option.productOptionId));
}

/** The product's page; an empty object where it was not read. */
export function viewProduct(productId, { read = true } = {}) {
  const url = target(`/api/products/${productId}`);
  const response = observed(http.get(url, params('product', withBody(read))));
  if (!read || response.status === 0) {
    return {};
  }
  if (response.status !== 200) {
    checkError(response);
    return {};
  }
  return checkProduct(response, productId);
}

export function inStock(product) {
  return (product.options || []).filter((option) => option.availableStock > 0);
}

/** An order of one piece; answers its body, or nothing where it was refused or not read. */
export function placeOrder(userId, productOptionId, { read = true } = {}) {
  const body = JSON.stringify({ userId, items: [{ productOptionId, quantity: 1 }] });
  const response = settled(observed(http.post(target('/api/orders'), body, params('order', withBody(read)))));
  ordered.add(response.status === 201);
  if (response.status === 201) {
    placedCount.add(1);
    return read ? checkOrder(response, userId, productOptionId) : undefined;
  }
  if (read && response.status !== 0 && response.status !== 202) {
    checkError(response);
  }
  return undefined;
}

/** Pays an order that was just placed, with a coupon or without; true where it is paid. `won` is the claim's body. */
export function payOrder(order, won) {
  const { userId, orderId } = order;
  const body = JSON.stringify(won === undefined ? { userId } : { userId, couponId: won.userCouponId });
  const url = target(`/api/orders/${orderId}/payment`);
  const response = settled(observed(http.post(url, body, params('payment', withBody(true)))));
  const success = response.status === 201;
  paid.add(success);
  if (success) {
    const payment = checkPayment(response, order, won);
    paidCount.add(1);
    paidAmount.add(payment.paidAmount || 0);
    discountAmount.add(payment.discountAmount || 0);
  } else if (response.status !== 0 && response.status !== 202) {
    checkError(response);
  }
  return success;
}

/** An order as its owner sees it; `expected` is the status it must have. */
export function viewOrder(orderId, expected, { read = true } = {}) {
  const response = observed(http.get(target(`/api/orders/${orderId}`), params('order_detail', withBody(read))));
  if (!read || response.status === 0) {
    return;
  }
  if (response.status === 200) {
    checkOrderDetail(response, orderId, expected);
  } else {
    checkError(response);
  }
}

/** One of the sample orders, all of them in turn. */
export function sampleOrder(iteration) {
  return 1 + (iteration % SAMPLE_ORDERS);
}

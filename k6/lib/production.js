// One iteration of the production scenario: a person signs up, wins a coupon, looks at a product and at an order; one
// in ORDER_EVERY (20: 5 %) orders a piece, pays with the coupon just won and looks at that order.

import exec from 'k6/execution';
import { SHOWN } from './gates.js';
import { claim, signup } from './requests.js';
import { settings } from './settings.js';
import { planned } from './shapes.js';
import { inStock, payOrder, placeOrder, productsForSale, sampleOrder, viewOrder, viewProduct } from './shopping.js';

/** What it asks; `products` only once, before the load. */
export const PRODUCTION_ENDPOINTS = ['signup', 'issue', 'product', 'order_detail', 'order', 'payment', 'products'];

/** What every load of it is held to, whatever its shape. */
export const PRODUCTION_GATES = {
  http_req_failed: ['rate<0.01'],
  success_register_rate: ['rate>0.99'],
  success_coupon_issue_rate: ['rate>0.99'],
  success_order_rate: ['rate>0.99'],
  success_payment_rate: ['rate>0.99'],
  'coupon_won{coupon:main}': ['count>0'],
  orders_placed: ['count>0'],
  orders_paid: ['count>0'],
  errors_coupon_issue: [SHOWN.counter],
};

/** Ids of the products to look at, and of those with stock to order; ends the run where there would be no order. */
export function prepareProduction(shape) {
  const iterations = planned(shape);
  if (iterations !== undefined && iterations < settings.orderEvery) {
    exec.test.abort(`${iterations} iterations hold no order: raise RATE or DURATION, or lower ORDER_EVERY`);
  }
  const products = productsForSale();
  // Of the sample data one is sold out: it is looked at like the others, and never ordered.
  const stocked = products.filter((id) => inStock(viewProduct(id)).length > 0);
  if (stocked.length === 0) {
    exec.test.abort('no product is for sale: run `consumers seed`');
  }
  return { products, stocked };
}

/** Reads the bodies of those who order, and of one iteration in BODY_EVERY. */
export function liveThrough({ products, stocked }) {
  const iteration = exec.scenario.iterationInTest;
  // Not the first one: a short run has warmed up by then.
  const orders = iteration % settings.orderEvery === settings.orderEvery - 1;
  const read = orders || iteration % settings.bodyEvery === 0;
  const { userId } = signup();
  if (userId === undefined) {
    return;
  }
  const won = claim(settings.couponId, userId, { read });
  const offered = orders ? stocked : products;
  const product = viewProduct(offered[iteration % offered.length], { read });
  if (!orders) {
    viewOrder(sampleOrder(iteration), 'PAID', { read });
    return;
  }
  const options = inStock(product);
  if (options.length === 0) {
    throw new Error(`product ${product.productId} is out of stock: seed again, or less load`);
  }
  const order = placeOrder(userId, options[iteration % options.length].productOptionId);
  if (order !== undefined) {
    // Paid means paid, on whichever process the next request lands.
    viewOrder(order.orderId, payOrder(order, won) ? 'PAID' : 'PENDING');
  }
}

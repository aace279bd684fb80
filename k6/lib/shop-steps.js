// The shop's part of the smoke test: catalogue, balance, cart, orders, payments. `guest(step)` signs somebody up.

import {
  checkBalance, checkOrder, checkOrderDetail, checkPayment, checkProduct, checkTop, object,
} from './answers.js';
import { settings } from './settings.js';
import { inStock } from './shopping.js';
import { adminPost, answered, claimBy, expect, refused, send } from './steps.js';
import { JSON_HEADERS, target } from './target.js';

/** Names under which these steps are counted. */
export const SHOP_ENDPOINTS = [
  'products', 'product', 'top', 'stock', 'balance', 'balance_logs', 'cart', 'order', 'order_detail', 'user_orders',
  'payment', 'product_create',
];
/** Beyond everything that exists, and a number all the same. */
const UNKNOWN = 2 ** 40;

const get = (name, path, jar, status = 200) => ({ name, method: 'GET', url: target(path), status, jar });

function withBody(name, path, body, jar, status, method = 'POST') {
  return { name, method, url: target(path), body: JSON.stringify(body), status, jar };
}

/** A product for sale, as its page shows it. */
function catalogue() {
  const list = answered('products', get('products', '/api/products?page=1&size=100'));
  expect('products: there are some', list, (r) => object(r).data.length > 0);
  const [first] = object(list).data.filter((product) => product.isAvailable && product.productId <= 10);
  const path = `/api/products?category=${first.category}&sortBy=price_asc&page=1&size=2`;
  const some = answered('products of a category', get('products', path));
  expect('products of a category: at most the page', some, (r) => object(r).data.length <= 2);
  expect('products of a category: only those', some, (r) => object(r).data.every((p) => p.category === first.category));
  refused('products, sorted by nonsense', get('products', '/api/products?sortBy=luck', undefined, 400));
  checkTop(answered('top', get('top', '/api/products/top?count=5&dateRangeDays=3')), 5);
  refused('an unknown product', get('product', `/api/products/${UNKNOWN}`, undefined, 404), 'P001');
  return checkProduct(answered('product', get('product', `/api/products/${first.productId}`)), first.productId);
}

function balances(user) {
  const path = `/api/users/${user.userId}/balance`;
  const before = checkBalance(answered('balance', get('balance', path, user.jar)), user.userId).balance;
  const charge = answered('charge', withBody('balance', path, { amount: 1000 }, user.jar, 200, 'PATCH'));
  expect('charge: the new balance', charge, (r) => object(r).balance === before + 1000);
  const after = answered('balance after a charge', get('balance', path, user.jar));
  expect('balance after a charge: no less', after, (r) => object(r).balance >= before + 1000);
  refused('charge of nothing', withBody('balance', path, { amount: 0 }, user.jar, 400, 'PATCH'));
  const logs = answered('balance logs', get('balance_logs', `${path}/logs?page=1&size=10`, user.jar));
  expect('balance logs: a page', logs, (r) => Array.isArray(object(r).logs) && object(r).page === 1);
}

function cart(user, option) {
  const path = `/api/users/${user.userId}/cart`;
  const item = { productOptionId: option.productOptionId, quantity: 2 };
  answered('into the cart', withBody('cart', path, item, user.jar, 201));
  const held = answered('cart', get('cart', path, user.jar));
  expect('cart: what was put into it', held, (r) => (
    object(r).data.some((line) => line.productOptionId === item.productOptionId && line.quantity === 2)));
  const unknown = { ...item, productOptionId: UNKNOWN };
  refused('an unknown option into the cart', withBody('cart', path, unknown, user.jar, 404), 'P004');
  const line = `${path}/${item.productOptionId}`;
  const one = answered('one item of the cart', get('cart', line, user.jar));
  expect('one item of the cart: what was put into it', one, (r) => {
    const { data } = object(r);
    return data.productOptionId === item.productOptionId && data.quantity === 2 && data.subtotal === 2 * data.price;
  });
  const remove = (url) => ({ name: 'cart', method: 'DELETE', url: target(url), status: 204, jar: user.jar });
  send('out of the cart', remove(line));
  refused('an item that is in no cart', get('cart', line, user.jar, 404), 'CART001');

  answered('into the cart again', withBody('cart', path, item, user.jar, 201));
  send('the whole cart', remove(path));
  const emptied = answered('emptied cart', get('cart', path, user.jar));
  expect('emptied cart: nothing in it', emptied, (r) => object(r).data.length === 0);
}

/** Places, pays and reads an order; then everything that must be refused. */
function orders(user, other, option) {
  const items = [{ productOptionId: option.productOptionId, quantity: 2 }];
  const order = (body, status, by = user) => withBody('order', '/api/orders', body, by.jar, status);
  const placed = answered('order', order({ userId: user.userId, items }, 201));
  const body = checkOrder(placed, user.userId, option.productOptionId);
  const path = `/api/orders/${body.orderId}`;
  checkOrderDetail(answered('order detail', get('order_detail', path, user.jar)), body.orderId, 'PENDING');

  const won = object(send('claim before a payment', claimBy(user, settings.couponId, 201)));
  const payment = (of, more, status, by = user) => (
    withBody('payment', `${of}/payment`, { userId: by.userId, ...more }, by.jar, status));
  refused('payment of an unknown order', payment(`/api/orders/${UNKNOWN}`, {}, 404), 'O002');
  refused("payment of another's order", payment(path, {}, 403, other), 'U002');
  refused('payment with a coupon that was never won', payment(path, { couponId: UNKNOWN }, 400), 'C002');
  checkPayment(answered('payment', payment(path, { couponId: won.userCouponId }, 201)), body, won);
  refused('second payment', payment(path, {}, 400), 'O004');
  checkOrderDetail(answered('order detail, paid', get('order_detail', path, user.jar)), body.orderId, 'PAID');

  const again = object(answered('second order', order({ userId: user.userId, items }, 201)));
  refused('a coupon twice', payment(`/api/orders/${again.orderId}`, { couponId: won.userCouponId }, 400), 'C004');
  const all = answered('orders of a user', get('user_orders', `/api/users/${user.userId}/orders`, user.jar));
  expect('orders of a user: newest first', all, (r) => {
    const ids = object(r).orders.map((listed) => listed.orderId);
    return ids[0] === again.orderId && ids[1] === body.orderId;
  });
  const one = (change) => ({ userId: user.userId, items: [{ ...items[0], ...change }] });
  refused('an order of nothing', order({ userId: user.userId, items: [] }, 400));
  refused('an order of none', order(one({ quantity: 0 }), 400), 'O001');
  refused('an order of an unknown option', order(one({ productOptionId: UNKNOWN }), 404), 'P004');
  refused('an order of more than there is', order(one({ quantity: option.availableStock + 1 }), 400), 'P002');
  refused('an unknown order', get('order_detail', `/api/orders/${UNKNOWN}`, user.jar, 404), 'O002');
}

/** Everything that a person does in the shop. */
export function shop(guest) {
  const product = catalogue();
  const [option] = inStock(product);
  const [user, other] = [guest('signup before shopping'), guest('signup of somebody else')];
  balances(user);
  cart(user, option);
  orders(user, other, option);
}

/** What administrators do there. The new product is not for sale, so that no load ever orders it. */
export function shopAdministration(guest) {
  const options = [{ color: 'grey', size: 'M', stock: 10 }];
  const product = { name: 'SMOKE', category: 'SMOKE', description: '', price: 100, available: false, options };
  const listed = object(answered('list a product', adminPost('product_create', '/admin/products', product, 201)));
  const [optionId] = listed.productOptionIds;
  const stock = (operation, quantity, status, headers) => ({
    name: 'stock',
    method: 'PATCH',
    url: target(`/api/products/options/${optionId}/stock`),
    body: JSON.stringify({ operation, quantity }),
    status,
    headers,
  });
  const asAdmin = { ...JSON_HEADERS, Authorization: `Bearer ${settings.adminToken}` };
  const more = answered('more stock', stock('increase', 5, 200, asAdmin));
  expect('more stock: the sum', more, (r) => object(r).stock === 15);
  refused('less stock than there is', stock('decrease', 16, 400, asAdmin), 'P002');
  const user = guest('signup before an order of what is not for sale');
  const items = [{ productOptionId: optionId, quantity: 1 }];
  const order = { userId: user.userId, items };
  refused('what is not for sale', withBody('order', '/api/orders', order, user.jar, 400), 'P005');
}

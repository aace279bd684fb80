//! What must add up in the shop, whatever the log says of single rows: money, stock, redemptions, orders.

use super::{
    database::{ShopRows, Snapshot},
    expected::Expected,
    report::Report,
    sections::{Money, Orders, Stock},
};
use domain::coupons::MAX_RATE_BP;
use migrations::entity::{
    balance_logs::{CHARGE, SET},
    coupon_redemptions, order_items, orders,
};
use schemas::CouponId;
use std::collections::BTreeMap;

/// Adds everything up.
pub fn compare(snapshot: &Snapshot, expected: &Expected, report: &mut Report) {
    let rows = &snapshot.shop;
    report.orders = orders(rows);
    report.money = money(rows, expected);
    if !report.money.balanced {
        report.finding(format!("money does not add up: {:?}", report.money));
    }
    stock(rows, report);
    for redemption in rows.redemptions.values() {
        if let Some(wrong) = wrong_redemption(redemption, rows, expected) {
            report.finding(format!("coupon {} was redeemed {wrong}", redemption.user_coupon_id));
        }
    }
    let unredeemed = |order: &&orders::Model| {
        order.user_coupon_id.is_some_and(|coupon| {
            rows.redemptions.get(&coupon).is_none_or(|redemption| redemption.order_id != order.id)
        })
    };
    for order in rows.orders.values().filter(unredeemed) {
        report.finding(format!("order {} was paid with a coupon that is not redeemed with it", order.id));
    }
}

fn orders(rows: &ShopRows) -> Orders {
    let with = |status| rows.orders.values().filter(|order| order.status == status).count() as u64;
    Orders {
        placed: rows.orders.len() as u64,
        paid: with(orders::PAID),
        expired: with(orders::EXPIRED),
        open: with(orders::PENDING),
    }
}

/// What was charged and set is the log's word; what was captured and is held, MySQL's.
fn money(rows: &ShopRows, expected: &Expected) -> Money {
    let changed = |code| {
        let changes = expected.shop.logs.values().filter(|change| change.code == code);
        changes.map(|change| i128::from(change.amount)).sum::<i128>()
    };
    let opening = i128::from(expected.opening_balance);
    let (charged, set) = (changed(CHARGE), changed(SET));
    let captured = rows.orders.values().map(|order| i128::from(order.paid)).sum();
    let balances = rows.balances.values().map(|row| i128::from(row.balance) - opening).sum();
    Money { captured, charged, set, balances, balanced: balances + captured == charged + set }
}

/// Every option by itself: one that has too much must not hide one that has too little.
fn stock(rows: &ShopRows, report: &mut Report) {
    // (reserved, sold) by the lines of orders; wide, for whatever a wrong row says must not end the audit.
    let mut held: BTreeMap<u64, (u128, u128)> = BTreeMap::new();
    for item in rows.items.values() {
        let order_items::Model { product_option_id, quantity, order_id, .. } = item;
        let (reserved, sold) = held.entry(*product_option_id).or_default();
        match rows.orders.get(order_id).map(|order| order.status) {
            Some(orders::PENDING) => *reserved += u128::from(*quantity),
            Some(orders::PAID) => *sold += u128::from(*quantity),
            _ => {}
        }
    }
    let mut sums = Stock { balanced: true, ..Stock::default() };
    for option in rows.options.values() {
        let (reserved, sold) = held.get(&option.id).copied().unwrap_or_default();
        let adds_up = u128::from(option.stock) + u128::from(option.sold) == u128::from(option.listed);
        if !adds_up || u128::from(option.reserved) != reserved || u128::from(option.sold) != sold {
            sums.balanced = false;
            report.finding(format!(
                "stock of option {} does not add up: {} in stock, {} sold, {} listed, {} reserved; orders hold {reserved} \
                 reserved, {sold} sold",
                option.id, option.stock, option.sold, option.listed, option.reserved
            ));
        }
        sums.listed += u128::from(option.listed);
        sums.stock += u128::from(option.stock);
        sums.sold += u128::from(option.sold);
        sums.reserved += u128::from(option.reserved);
    }
    report.stock = sums;
}

/// What is wrong with a redemption: it must be its order's, its owner's, and the coupon's rate.
fn wrong_redemption(
    redemption: &coupon_redemptions::Model,
    rows: &ShopRows,
    expected: &Expected,
) -> Option<String> {
    let coupon_redemptions::Model { user_coupon_id, order_id, user_id, .. } = *redemption;
    let order = rows.orders.get(&order_id).filter(|order| order.status == orders::PAID);
    let Some(order) = order else {
        return Some(format!("with order {order_id}, which is not paid"));
    };
    if order.user_id != user_id || order.user_coupon_id != Some(user_coupon_id) {
        return Some(format!("with order {order_id}, which says otherwise: {order:?}"));
    }
    let Some(claim) = expected.claim(user_coupon_id) else {
        return Some(format!("by user {user_id}, and nobody won it"));
    };
    if claim.user_id != user_id {
        return Some(format!("by user {user_id}, and user {} won it", claim.user_id));
    }
    let coupon = CouponId::new(claim.coupon_id).and_then(|id| expected.coupons.get(&id));
    let Some(coupon) = coupon else {
        return None; // MySQL has not come to it yet.
    };
    let rate_bp = u128::from(coupon.terms.rate_bp);
    let discount = u128::from(order.total) * rate_bp / u128::from(MAX_RATE_BP);
    (u128::from(order.discount) != discount)
        .then(|| format!("for {} off order {order_id}, and its rate gives {discount}", order.discount))
}

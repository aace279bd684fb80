//! Orders and payments as the ingress would append them. Of the orders of one test every second user's is refused.

use crate::{records::fresh, world::World};
use schemas::{Record, Topic, records::*};

/// Price of the one option there is.
pub(crate) const PRICE: i64 = 1_000;

/// Lists a product with one option, and gives every user of odd id money.
pub(crate) async fn open_shop(world: &World, users: i64) -> anyhow::Result<()> {
    let (event_id, fingerprint) = fresh();
    let options = vec![ProductOption { color: "black".into(), size: "M".into(), stock: 1_000_000 }];
    let product = ProductListed {
        event_id,
        fingerprint,
        name: "shirt".into(),
        category: "CLOTHING".into(),
        description: String::new(),
        price: PRICE,
        available: true,
        options,
    };
    let mut records: Vec<Record> = vec![product.into()];
    for user_id in (1..=users).filter(|user| user % 2 == 1) {
        let (event_id, fingerprint) = fresh();
        records.push(BalanceSet { event_id, fingerprint, user_id, balance: 1_000_000 }.into());
    }
    world.append(&records).await
}

/// Orders with these ids, which must be the next ones, each placed and paid by the user of `user_of`.
pub(crate) async fn order_and_pay(
    world: &World,
    orders: std::ops::RangeInclusive<i64>,
    user_of: impl Fn(i64) -> i64,
) -> anyhow::Result<()> {
    let mut records: Vec<Record> = Vec::new();
    for order_id in orders {
        let user_id = user_of(order_id);
        let ((placed, _), (paid, fingerprint)) = (fresh(), fresh());
        let items = vec![OrderItem { product_option_id: 1, quantity: 2 }];
        records.push(OrderPlaced { event_id: placed, fingerprint, user_id, items }.into());
        let (coupon_id, proof) = (None, None);
        let paid = PaymentRequested { event_id: paid, fingerprint, order_id, user_id, coupon_id, proof };
        records.push(paid.into());
    }
    world.append(&records).await
}

/// Waits until MySQL has taken in every order and payment.
pub(crate) async fn until_projected(world: &World) -> anyhow::Result<()> {
    let end = world.ends().await?.last().copied().unwrap_or_default();
    world.until_applied(Topic::Order, 0, end).await
}

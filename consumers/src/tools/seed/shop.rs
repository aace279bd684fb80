//! What is missing of the sample shop, by what the log has come to.

use super::goods::{self, DEALS, Deal, GOODS};
use anyhow::{Context, bail, ensure};
use domain::{
    Fold, Slot,
    shop::{FoundOrder, Order, OrderStatus, Shop},
};
use schemas::{OptionId, OrderId, ProductId, Record};

/// Records that bring the shop to the sample data; none where it is there. Ids follow from the order of the records, so
/// this is right only as long as nobody else writes.
///
/// # Errors
/// Data that is somebody else's.
pub fn missing(fold: &Fold<Shop>) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for place in 0..GOODS.len() {
        if !is_listed(fold.state(), place)? {
            records.push(goods::listing(place));
        }
    }
    let placed = fold.header().next_seq;
    for (order_id, deal) in (1..).zip(&DEALS) {
        if order_id <= placed {
            if is_open(fold.state(), order_id, placed, deal)? {
                records.push(goods::payment(order_id as i64, deal));
            }
            continue;
        }
        let earlier = DEALS[..order_id as usize - 1].iter();
        if earlier.filter(|earlier| earlier.user_id == deal.user_id).count() == 0 {
            records.push(goods::funds(deal.user_id));
        }
        records.extend([goods::order(deal), goods::payment(order_id as i64, deal)]);
    }
    Ok(records)
}

fn is_listed(shop: &Shop, place: usize) -> anyhow::Result<bool> {
    let good = &GOODS[place];
    let id = ProductId::new(place as u64 + 1).context("a product id")?;
    let Slot::Loaded(product) = shop.product(id) else { return Ok(false) };
    let options = (goods::first_option(place)..).take(good.options.len());
    let own = options.map(OptionId::from_wire).all(|option| {
        let option = option.and_then(|id| shop.option(id).loaded());
        option.is_some_and(|option| option.product_id == id)
    });
    ensure!(
        *product.name == *good.name && own,
        "product {id} is somebody else's: sample data needs a log in which nobody has listed products yet"
    );
    Ok(true)
}

/// Whether a sample order that was placed is still to be paid.
fn is_open(shop: &Shop, order_id: u64, placed: u64, deal: &Deal) -> anyhow::Result<bool> {
    let id = OrderId::new(order_id).context("an order id")?;
    let is_whose = |owner: schemas::UserId| owner.get() == deal.user_id.unsigned_abs();
    match shop.order(id, placed) {
        Slot::Loaded(FoundOrder::Open(order)) if is_whose(order.user_id) && is_deal(order, deal) => Ok(true),
        Slot::Loaded(FoundOrder::Closed { owner, status: OrderStatus::Paid }) if is_whose(owner) => Ok(false),
        Slot::Loaded(FoundOrder::Closed { owner, .. }) if is_whose(owner) => {
            bail!("sample order {order_id} was not paid in time; sample data needs a new log")
        }
        _ => bail!(
            "order {order_id} is somebody else's: sample data needs a log in which nobody has ordered yet"
        ),
    }
}

fn is_deal(order: &Order, deal: &Deal) -> bool {
    let lines = order.lines.iter().map(|line| (line.option_id.get() as i64, line.quantity as i64));
    lines.eq(deal.lines.iter().copied())
}

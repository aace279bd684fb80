//! Placing and paying orders. Refusals come in the contract's order: P004, P005, O001, P002 and O002, U002, O004, O003,
//! C002, C003, C004, PAY001. O006 is kept for orders that somebody cancels; nobody can yet.

use super::{
    Decline, MAX_AMOUNT, MAX_ITEMS, Order, OrderLine, OrderStatus, Payment, Product, Refusal, Shop, ShopKey,
    ShopOption, ShopResult, judge_catalogue::Found, orders::FoundOrder, sweep::Sweep,
};
use crate::{fold::Context, slot::Slot};
use schemas::{
    OptionId, OrderId, UserId,
    ids::COUPON_TOTAL_LIMIT,
    records::{CouponProof, OrderItem, OrderPlaced, PaymentRequested},
};
use std::sync::Arc;

/// Basis points of the whole.
const WHOLE_BP: u128 = 10_000;

/// A coupon that the log vouches for.
#[derive(Clone, Copy)]
struct Coupon {
    user_coupon_id: u64,
    rate_bp: u64,
    expires_at_ms: i64,
}

/// One line before it is priced.
struct Wanted<'a> {
    option_id: OptionId,
    option: &'a ShopOption,
    product: &'a Arc<Product>,
    /// `None` where it is none: below 1, or beyond every bound.
    quantity: Option<u64>,
}

impl Shop {
    pub(super) fn judge_order(&self, context: Context<'_>, sweep: &Sweep, record: &OrderPlaced) -> Found {
        let sensible = (1..=MAX_ITEMS).contains(&record.items.len());
        let (true, Some(user_id)) = (sensible, UserId::from_wire(record.user_id)) else { return Ok(None) };
        let Some(order_id) = OrderId::new(context.header.next_seq + 1) else { return Ok(None) };
        let refused = |refusal| Ok(Some(ShopResult::OrderRefused(refusal)));
        let Some(wanted) = self.wanted(&record.items)? else { return refused(Refusal::OptionNotFound) };
        if wanted.iter().any(|line| !line.product.available) {
            return refused(Refusal::NotForSale);
        }
        let mut lines = Vec::with_capacity(wanted.len());
        let mut total = 0_u64;
        for Wanted { option_id, option, product, quantity } in &wanted {
            let subtotal = quantity.and_then(|quantity| quantity.checked_mul(product.price));
            let sum =
                subtotal.and_then(|subtotal| total.checked_add(subtotal)).filter(|sum| *sum <= MAX_AMOUNT);
            let (Some(quantity), Some(sum)) = (*quantity, sum) else {
                return refused(Refusal::WrongQuantity);
            };
            total = sum;
            lines.push(OrderLine {
                option_id: *option_id,
                product_id: option.product_id,
                product_name: product.name.clone(),
                price: product.price,
                quantity,
            });
        }
        let short = |(wanted, line): (&Wanted<'_>, &OrderLine)| {
            line.quantity > wanted.option.available() + sweep.returned(wanted.option_id)
        };
        if wanted.iter().zip(&lines).any(short) {
            return refused(Refusal::OutOfStock);
        }
        let expires_at_ms = context.now_ms.saturating_add(context.rules.order_ttl_ms);
        let order = Order { order_id, user_id, lines, total, placed_at_ms: context.now_ms, expires_at_ms };
        Ok(Some(ShopResult::Placed(Arc::new(order))))
    }

    /// The wanted options with their summed quantities; `None` where one of them is not there.
    fn wanted(&self, items: &[OrderItem]) -> Result<Option<Vec<Wanted<'_>>>, Vec<ShopKey>> {
        let mut wanted: Vec<Wanted<'_>> = Vec::with_capacity(items.len());
        let (mut missing, mut absent) = (Vec::new(), false);
        for item in items {
            let quantity = u64::try_from(item.quantity).ok().filter(|n| (1..=MAX_AMOUNT).contains(n));
            let Some(option_id) = OptionId::from_wire(item.product_option_id) else {
                absent = true;
                continue;
            };
            if let Some(same) = wanted.iter_mut().find(|line| line.option_id == option_id) {
                // A hundred lines of at most 2^53 stay below 2^64.
                same.quantity = same.quantity.zip(quantity).map(|(a, b)| a + b);
                continue;
            }
            let option = self.option(option_id);
            let product = option.loaded().map(|option| self.product(option.product_id));
            match (option, product) {
                (Slot::Loaded(option), Some(Slot::Loaded(product))) => {
                    wanted.push(Wanted { option_id, option, product, quantity });
                }
                (Slot::Absent, _) => absent = true,
                _ => missing.push(ShopKey::Option(option_id)),
            }
        }
        if missing.is_empty() { Ok((!absent).then_some(wanted)) } else { Err(missing) }
    }

    pub(super) fn judge_payment(&self, context: Context<'_>, record: &PaymentRequested) -> Found {
        let Some(user_id) = UserId::from_wire(record.user_id) else { return Ok(None) };
        let Ok(coupon) = coupon_of(record) else { return Ok(None) };
        let order_id = OrderId::from_wire(record.order_id);
        let decline = |refusal, total| {
            let user_coupon_id = coupon.map(|coupon| coupon.user_coupon_id);
            let decline = Decline { refusal, order_id, user_id, total, user_coupon_id };
            Ok(Some(ShopResult::PaymentRefused(Arc::new(decline))))
        };
        let found = match order_id.map(|id| (id, self.order(id, context.header.next_seq))) {
            Some((id, Slot::NotLoaded)) => return Err(vec![ShopKey::Order(id)]),
            Some((_, Slot::Loaded(found))) => found,
            Some((_, Slot::Absent)) | None => return decline(Refusal::OrderNotFound, 0),
        };
        let order = match found {
            FoundOrder::Open(order) if order.user_id != user_id => return decline(Refusal::NotYours, 0),
            FoundOrder::Closed { owner, .. } if owner != user_id => return decline(Refusal::NotYours, 0),
            FoundOrder::Closed { status: OrderStatus::Paid, .. } => return decline(Refusal::AlreadyPaid, 0),
            FoundOrder::Closed { .. } => return decline(Refusal::OrderExpired, 0),
            // Due orders wait to be worked off; nobody pays them any more.
            FoundOrder::Open(order) if order.expires_at_ms <= context.now_ms => {
                return decline(Refusal::OrderExpired, order.total);
            }
            FoundOrder::Open(order) => order,
        };
        if record.coupon_id.is_some() && coupon.is_none() {
            return decline(Refusal::CouponInvalid, order.total);
        }
        if let Some(coupon) = coupon {
            match self.redemption(coupon.user_coupon_id) {
                _ if coupon.expires_at_ms <= context.now_ms => {
                    return decline(Refusal::CouponExpired, order.total);
                }
                Slot::NotLoaded => return Err(vec![ShopKey::Redemption(coupon.user_coupon_id)]),
                Slot::Loaded(()) => return decline(Refusal::CouponUsed, order.total),
                Slot::Absent => {}
            }
        }
        let missing = self.missing_options(order);
        if !missing.is_empty() {
            return Err(missing);
        }
        let discount = coupon.map_or(0, |coupon| discount(order.total, coupon.rate_bp));
        let paid = order.total - discount;
        let Some(balance) = self.balance_of(context, user_id)?.checked_sub(paid) else {
            return decline(Refusal::InsufficientBalance, order.total);
        };
        let user_coupon_id = coupon.map(|coupon| coupon.user_coupon_id);
        let paid_at_ms = context.now_ms;
        let payment = Payment { order: order.clone(), discount, paid, user_coupon_id, balance, paid_at_ms };
        Ok(Some(ShopResult::Paid(Arc::new(payment))))
    }

    fn missing_options(&self, order: &Order) -> Vec<ShopKey> {
        let lines = order.lines.iter().filter(|line| self.option(line.option_id) == Slot::NotLoaded);
        lines.map(|line| ShopKey::Option(line.option_id)).collect()
    }
}

/// `floor(total * rate)`, at most the total.
fn discount(total: u64, rate_bp: u64) -> u64 {
    // At most 2^53 * 10^4 / 10^4, so it fits.
    (u128::from(total) * u128::from(rate_bp) / WHOLE_BP) as u64
}

/// A proof that contradicts the request, or that no coupon can have.
struct Impossible;

/// The coupon of a payment; without a proof there is none.
fn coupon_of(record: &PaymentRequested) -> Result<Option<Coupon>, Impossible> {
    let Some(CouponProof { user_coupon_id, rate_bp, expires_at_ms }) = record.proof else { return Ok(None) };
    let named = record.coupon_id.and_then(|id| u64::try_from(id).ok()).ok_or(Impossible)?;
    let user_coupon_id = super::judge_catalogue::amount(user_coupon_id).ok_or(Impossible)?;
    let rate_bp =
        u64::try_from(rate_bp).ok().filter(|rate| u128::from(*rate) <= WHOLE_BP).ok_or(Impossible)?;
    let (coupon_id, number) = (user_coupon_id / COUPON_TOTAL_LIMIT, user_coupon_id % COUPON_TOTAL_LIMIT);
    let same = if named < COUPON_TOTAL_LIMIT { named == coupon_id } else { named == user_coupon_id };
    if !same || coupon_id == 0 || number == 0 || expires_at_ms < 0 {
        return Err(Impossible);
    }
    Ok(Some(Coupon { user_coupon_id, rate_bp, expires_at_ms }))
}

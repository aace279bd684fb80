//! The bytes under the digest of every outcome of the shop. Tags 96 to 119 are the shop's; none is ever used twice.

use super::{
    BalanceCause, BalanceChange, Decline, Listing, Order, Payment, Refusal, ShopOutcome, ShopResult,
    StockLevel,
};
use crate::digest::DigestInput;

pub(super) fn digest(outcome: &ShopOutcome, begin: impl FnOnce(u8) -> DigestInput) -> u64 {
    let mut input = match &outcome.result {
        ShopResult::Listed(listing) => listed(begin(96), listing),
        ShopResult::StockAdjusted(level) => adjusted(begin(97), level),
        ShopResult::StockRefused(refusal) => refused(begin(98), *refusal),
        ShopResult::BalanceChanged(change) => changed(begin(99), change),
        ShopResult::BalanceRefused => begin(100),
        ShopResult::Placed(order) => placed(begin(101), order),
        ShopResult::OrderRefused(refusal) => refused(begin(102), *refusal),
        ShopResult::Paid(payment) => paid(begin(103), payment),
        ShopResult::PaymentRefused(decline) => declined(begin(104), decline),
        ShopResult::Ticked => begin(105),
    };
    input.u64(outcome.expired.len() as u64);
    for order in &outcome.expired {
        input.u64(order.order_id.get());
    }
    input.finish()
}

fn listed(mut input: DigestInput, listing: &Listing) -> DigestInput {
    let product = &listing.product;
    input
        .u64(listing.product_id.get())
        .text(&product.name)
        .text(&product.category)
        .text(&product.description);
    input.u64(product.price).u64(product.available.into()).u64(listing.options.len() as u64);
    for (id, option) in &listing.options {
        input.u64(id.get()).text(&option.color).text(&option.size).u64(option.stock);
    }
    input
}

fn adjusted(mut input: DigestInput, level: &StockLevel) -> DigestInput {
    input.u64(level.option_id.get()).i64(level.delta).u64(level.stock).u64(level.reserved);
    input
}

fn refused(mut input: DigestInput, refusal: Refusal) -> DigestInput {
    input.u64(number_of(refusal));
    input
}

fn changed(mut input: DigestInput, change: &BalanceChange) -> DigestInput {
    let cause = match change.cause {
        BalanceCause::Set => 1,
        BalanceCause::Charge => 2,
        BalanceCause::Payment(_) => 3,
    };
    input.u64(change.user_id.get()).u64(cause).i64(change.amount).u64(change.balance);
    input
}

fn placed(mut input: DigestInput, order: &Order) -> DigestInput {
    input.u64(order.order_id.get()).u64(order.user_id.get()).u64(order.total).i64(order.expires_at_ms);
    input.u64(order.lines.len() as u64);
    for line in &order.lines {
        input.u64(line.option_id.get()).u64(line.product_id.get()).u64(line.price).u64(line.quantity);
    }
    input
}

fn paid(mut input: DigestInput, payment: &Payment) -> DigestInput {
    input.u64(payment.order.order_id.get()).u64(payment.discount).u64(payment.paid).u64(payment.balance);
    input.u64(payment.user_coupon_id.unwrap_or(0));
    input
}

fn declined(mut input: DigestInput, decline: &Decline) -> DigestInput {
    input.u64(number_of(decline.refusal)).u64(decline.order_id.map_or(0, |id| id.get()));
    input.u64(decline.user_id.get()).u64(decline.total).u64(decline.user_coupon_id.unwrap_or(0));
    input
}

/// For ever: a number is never used for another refusal. 9 is kept for O006.
const fn number_of(refusal: Refusal) -> u64 {
    match refusal {
        Refusal::OptionNotFound => 1,
        Refusal::NotForSale => 2,
        Refusal::WrongQuantity => 3,
        Refusal::OutOfStock => 4,
        Refusal::OrderNotFound => 5,
        Refusal::NotYours => 6,
        Refusal::AlreadyPaid => 7,
        Refusal::OrderExpired => 8,
        Refusal::CouponInvalid => 10,
        Refusal::CouponExpired => 11,
        Refusal::CouponUsed => 12,
        Refusal::InsufficientBalance => 13,
    }
}

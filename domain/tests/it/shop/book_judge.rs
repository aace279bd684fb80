//! What the contract says of a record, in plain arithmetic: the code of its refusal, `limit` for a balance beyond its
//! bounds, `impossible`, or nothing.

use super::book::Book;
use domain::shop::{MAX_AMOUNT, OrderStatus};
use schemas::{OrderId, Record, UserId, records::*};
use std::collections::BTreeMap;

const MAX: i128 = MAX_AMOUNT as i128;
const IMPOSSIBLE: &str = "impossible";

impl Book {
    pub(super) fn expected(&self, record: &Record, now_ms: i64) -> &'static str {
        match record {
            Record::ProductListed(record) => listing(record),
            Record::StockAdjusted(record) => self.stock(record),
            Record::BalanceSet(record) => match UserId::from_wire(record.user_id) {
                Some(_) if is_amount(record.balance) => "",
                _ => IMPOSSIBLE,
            },
            Record::BalanceCharged(record) => match UserId::from_wire(record.user_id) {
                Some(user) if is_amount(record.amount) && record.amount > 0 => {
                    if self.balance(user) + i128::from(record.amount) > MAX { "limit" } else { "" }
                }
                _ => IMPOSSIBLE,
            },
            Record::OrderPlaced(record) => self.order(record),
            Record::PaymentRequested(record) => self.payment(record, now_ms),
            Record::Ticked(_) => "",
            _ => IMPOSSIBLE,
        }
    }

    fn stock(&self, record: &StockAdjusted) -> &'static str {
        let delta = i128::from(record.delta);
        if delta == 0 || delta.abs() > MAX {
            return IMPOSSIBLE;
        }
        let Some(option) = self.option(record.product_option_id) else { return "P004" };
        if delta < 0 && option.listed - option.sold + delta < self.reserved(record.product_option_id) {
            return "P002";
        }
        if option.listed + delta > MAX { "O001" } else { "" }
    }

    fn order(&self, record: &OrderPlaced) -> &'static str {
        let items = &record.items;
        if UserId::from_wire(record.user_id).is_none() || items.is_empty() || items.len() > 100 {
            return IMPOSSIBLE;
        }
        let options: Option<Vec<_>> = items.iter().map(|item| self.option(item.product_option_id)).collect();
        let Some(options) = options else { return "P004" };
        if options.iter().any(|option| !self.products[option.product].1) {
            return "P005";
        }
        let mut total = 0;
        let mut sums: BTreeMap<i64, i128> = BTreeMap::new();
        for (item, option) in items.iter().zip(&options) {
            let quantity = i128::from(item.quantity);
            if !(1..=MAX).contains(&quantity) {
                return "O001";
            }
            total += quantity * self.products[option.product].0;
            *sums.entry(item.product_option_id).or_default() += quantity;
        }
        if total > MAX {
            return "O001";
        }
        let short = |(id, wanted): (&i64, &i128)| {
            let option = self.option(*id).expect("found before");
            *wanted > option.listed - option.sold - self.reserved(*id)
        };
        if sums.iter().any(short) { "P002" } else { "" }
    }

    fn payment(&self, record: &PaymentRequested, now_ms: i64) -> &'static str {
        let Some(user) = UserId::from_wire(record.user_id) else { return IMPOSSIBLE };
        if record.proof.as_ref().is_some_and(|proof| !is_sound(proof, record.coupon_id)) {
            return IMPOSSIBLE;
        }
        let Some(id) = OrderId::from_wire(record.order_id) else { return "O002" };
        let open = self.open.get(&id);
        let (owner, status) = match (open, self.closed.get(&id)) {
            (Some(order), None) => (order.user_id, OrderStatus::Pending),
            (None, Some(closed)) => *closed,
            (None, None) => return "O002",
            (Some(_), Some(_)) => panic!("order {id} is open and closed"),
        };
        let order = match (open, status) {
            _ if owner != user => return "U002",
            (_, OrderStatus::Paid) => return "O004",
            (Some(order), _) if now_ms < order.expires_at_ms => order,
            _ => return "O003",
        };
        let rate = match (&record.proof, record.coupon_id) {
            (None, None) => 0,
            (None, Some(_)) => return "C002",
            (Some(proof), _) if proof.expires_at_ms <= now_ms => return "C003",
            (Some(proof), _) if self.redeemed.contains(&(proof.user_coupon_id as u64)) => return "C004",
            (Some(proof), _) => i128::from(proof.rate_bp),
        };
        let total = i128::from(order.total);
        if self.balance(user) < total - total * rate / 10_000 { "PAY001" } else { "" }
    }
}

fn is_amount(value: i64) -> bool {
    (0..=MAX).contains(&i128::from(value))
}

fn listing(record: &ProductListed) -> &'static str {
    let fits = |text: &str, max| (1..=max).contains(&text.chars().count());
    let option =
        |option: &ProductOption| fits(&option.color, 64) && fits(&option.size, 64) && is_amount(option.stock);
    let sound = fits(&record.name, 255)
        && fits(&record.category, 64)
        && record.description.chars().count() <= 2_000
        && is_amount(record.price)
        && (1..=100).contains(&record.options.len())
        && record.options.iter().all(option);
    if sound { "" } else { IMPOSSIBLE }
}

/// Whether a coupon can say this, and whether it is the one that was named.
fn is_sound(proof: &CouponProof, named: Option<i64>) -> bool {
    let piece = proof.user_coupon_id;
    let (coupon_id, number) = (piece >> 32, piece & 0xffff_ffff);
    let right = named == Some(piece) || named == Some(coupon_id);
    let piece_like = piece < 1 << 53 && coupon_id >= 1 && number >= 1;
    right && piece_like && (0..=10_000).contains(&proof.rate_bp) && proof.expires_at_ms >= 0
}

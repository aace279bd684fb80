//! Records of the shop in short, and a till that appends them at chosen moments.

use crate::logs::{Entry, START_MS, input, position, rules};
use domain::{
    Decision, Fold, Scope, Verdict,
    shop::{Refusal, Shop, ShopOutcome, ShopResult},
};
use schemas::{Record, Uuid, records::*};
use std::cell::Cell;

thread_local! {
    static IDS: Cell<u128> = const { Cell::new(0) };
}

/// Never the same twice in one thread; no digest knows it.
pub(super) fn id() -> Uuid {
    Uuid::from_u128(IDS.with(|ids| {
        ids.set(ids.get() + 1);
        (1 << 64) + ids.get()
    }))
}

/// A product of as many options as stocks are given.
pub(crate) fn listing(price: i64, available: bool, stocks: &[i64]) -> ProductListed {
    let option = |stock: &i64| ProductOption { color: "red".into(), size: "M".into(), stock: *stock };
    ProductListed {
        event_id: id(),
        fingerprint: None,
        name: "셔츠".into(),
        category: "CLOTHING".into(),
        description: String::new(),
        price,
        available,
        options: stocks.iter().map(option).collect(),
    }
}

pub(crate) fn stock(product_option_id: i64, delta: i64) -> Record {
    StockAdjusted { event_id: id(), fingerprint: None, product_option_id, delta }.into()
}

pub(crate) fn set(user_id: i64, balance: i64) -> Record {
    BalanceSet { event_id: id(), fingerprint: None, user_id, balance }.into()
}

pub(crate) fn charge(user_id: i64, amount: i64) -> Record {
    BalanceCharged { event_id: id(), fingerprint: None, user_id, amount }.into()
}

pub(crate) fn order(user_id: i64, items: &[(i64, i64)]) -> Record {
    let items = items.iter().map(|&(product_option_id, quantity)| OrderItem { product_option_id, quantity });
    OrderPlaced { event_id: id(), fingerprint: None, user_id, items: items.collect() }.into()
}

pub(crate) fn pay(order_id: i64, user_id: i64) -> Record {
    pay_with(order_id, user_id, None, None)
}

pub(crate) fn pay_with(
    order_id: i64,
    user_id: i64,
    coupon_id: Option<i64>,
    proof: Option<CouponProof>,
) -> Record {
    PaymentRequested { event_id: id(), fingerprint: None, order_id, user_id, coupon_id, proof }.into()
}

/// Piece `number` of a coupon.
pub(crate) fn proof(coupon_id: i64, number: i64, rate_bp: i32, expires_at_ms: i64) -> CouponProof {
    CouponProof { user_coupon_id: (coupon_id << 32) + number, rate_bp, expires_at_ms }
}

pub(crate) fn tick() -> Record {
    Ticked { event_id: id(), fingerprint: None }.into()
}

pub(crate) fn shop(scope: Scope) -> Fold<Shop> {
    Fold::new(0, Shop::new(scope))
}

/// A full fold to which records are appended one by one; times are in ms since its rules.
pub(super) struct Till {
    pub(super) fold: Fold<Shop>,
}

impl Till {
    pub(super) fn open() -> Self {
        Self::open_under(rules(1))
    }

    pub(super) fn open_under(rules: RulesActivated) -> Self {
        let mut till = Self { fold: shop(Scope::Full) };
        till.append(START_MS, rules.into());
        till
    }

    pub(super) fn append(&mut self, timestamp_ms: i64, record: Record) -> Decision<ShopOutcome> {
        let entry = Entry { record: Some(record), timestamp_ms };
        let at = position(self.fold.header().next_offset, &entry);
        let decision = self.fold.decide(at, input(&entry)).expect("a full state misses nothing");
        self.fold.evolve(&decision);
        decision
    }

    /// Appends something that must be decided.
    pub(super) fn outcome(&mut self, ms: i64, record: Record) -> ShopOutcome {
        match self.append(START_MS + ms, record.clone()).verdict {
            Verdict::Decided(outcome) => outcome,
            other => panic!("{record:?} was {other:?}"),
        }
    }

    pub(super) fn at(&mut self, ms: i64, record: Record) -> ShopResult {
        self.outcome(ms, record).result
    }

    /// The code of the refusal, or `""` where there is none.
    pub(super) fn code(&mut self, ms: i64, record: Record) -> &'static str {
        refusal_of(&self.at(ms, record)).map_or("", Refusal::code)
    }
}

pub(super) fn refusal_of(result: &ShopResult) -> Option<Refusal> {
    match result {
        ShopResult::OrderRefused(refusal) | ShopResult::StockRefused(refusal) => Some(*refusal),
        ShopResult::PaymentRefused(decline) => Some(decline.refusal),
        _ => None,
    }
}

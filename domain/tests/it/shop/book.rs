//! A ledger beside the fold: it believes no outcome, and knows nothing of slots, sweeps or projections.

use super::records::refusal_of;
use domain::{
    Decision, Fold, Slot, Verdict,
    shop::{
        BalanceCause, Due, FoundOrder, Listing, MAX_AMOUNT, MAX_EXPIRIES, Order, OrderStatus, Payment, Shop,
        ShopOutcome, ShopResult,
    },
};
use schemas::{OptionId, OrderId, Record, UserId, records::PaymentRequested};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) struct BookOption {
    /// Index of its product.
    pub(super) product: usize,
    pub(super) listed: i128,
    pub(super) sold: i128,
}

/// See the module.
#[derive(Default)]
pub(super) struct Book {
    pub(super) opening: i128,
    pub(super) ttl_ms: i64,
    /// Price, and whether it is for sale.
    pub(super) products: Vec<(i128, bool)>,
    pub(super) options: Vec<BookOption>,
    pub(super) open: BTreeMap<OrderId, Arc<Order>>,
    pub(super) closed: BTreeMap<OrderId, (UserId, OrderStatus)>,
    pub(super) balances: BTreeMap<UserId, i128>,
    pub(super) redeemed: BTreeSet<u64>,
    charged: i128,
    captured: i128,
    set: i128,
}

impl Book {
    pub(super) fn new(opening: i64, ttl_ms: i64) -> Self {
        Self { opening: opening.into(), ttl_ms, ..Self::default() }
    }

    pub(super) fn option(&self, id: i64) -> Option<&BookOption> {
        self.options.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    /// Units of an option that open orders hold.
    pub(super) fn reserved(&self, id: i64) -> i128 {
        let lines = self.open.values().flat_map(|order| &order.lines);
        lines.filter(|line| line.option_id.to_wire() == id).map(|line| i128::from(line.quantity)).sum()
    }

    pub(super) fn balance(&self, user: UserId) -> i128 {
        self.balances.get(&user).copied().unwrap_or(self.opening)
    }

    /// Enters what the fold made of a record, and refuses what it must not have made of it.
    pub(super) fn see(&mut self, record: Option<&Record>, decision: &Decision<ShopOutcome>) {
        let now_ms = decision.now_ms;
        match (&decision.verdict, record) {
            (Verdict::Impossible, Some(Record::RulesActivated(_))) => {}
            (Verdict::Impossible, Some(record)) => assert_eq!(self.expected(record, now_ms), "impossible"),
            (Verdict::Decided(outcome), Some(record)) => {
                self.expire(&outcome.expired, now_ms);
                let code = match &outcome.result {
                    ShopResult::BalanceRefused => "limit",
                    result => refusal_of(result).map_or("", domain::shop::Refusal::code),
                };
                assert_eq!(self.expected(record, now_ms), code, "{record:?} at {now_ms}");
                self.enter(record, &outcome.result, now_ms);
            }
            _ => {}
        }
    }

    fn expire(&mut self, expired: &[Arc<Order>], now_ms: i64) {
        assert!(expired.len() <= MAX_EXPIRIES, "a bounded step");
        assert!(expired.is_sorted_by(|a, b| a.order_id < b.order_id), "by id");
        for order in expired {
            assert!(order.expires_at_ms <= now_ms, "not due yet");
            let open = self.open.remove(&order.order_id);
            assert_eq!(open.as_ref(), Some(order), "only an open order expires, and once");
            self.closed.insert(order.order_id, (order.user_id, OrderStatus::Expired));
        }
        let last = expired.iter().map(|order| Due::of(order)).max();
        let waiting: Vec<Due> =
            self.open.values().filter(|order| order.expires_at_ms <= now_ms).map(|o| Due::of(o)).collect();
        assert!(waiting.is_empty() || expired.len() == MAX_EXPIRIES, "all that was due, up to the limit");
        assert!(waiting.iter().all(|due| Some(*due) > last), "those first that fell due first");
    }

    fn enter(&mut self, record: &Record, result: &ShopResult, now_ms: i64) {
        match (record, result) {
            (_, ShopResult::Listed(listing)) => self.list(listing),
            (Record::StockAdjusted(record), ShopResult::StockAdjusted(level)) => {
                let at = record.product_option_id as usize - 1;
                self.options[at].listed += i128::from(record.delta);
                assert_eq!(i128::from(level.stock), self.options[at].listed - self.options[at].sold);
                assert_eq!(i128::from(level.reserved), self.reserved(record.product_option_id));
            }
            (_, ShopResult::BalanceChanged(change)) => {
                let before = self.balance(change.user_id);
                assert_eq!(i128::from(change.balance), before + i128::from(change.amount));
                match change.cause {
                    BalanceCause::Set => self.set += i128::from(change.amount),
                    BalanceCause::Charge => self.charged += i128::from(change.amount),
                    BalanceCause::Payment(_) => panic!("a payment is an outcome of its own"),
                }
                self.balances.insert(change.user_id, change.balance.into());
            }
            (_, ShopResult::Placed(order)) => {
                let placed = self.open.len() + self.closed.len();
                assert_eq!(order.order_id.get(), placed as u64 + 1, "order ids have no gap");
                let times = (order.placed_at_ms, order.expires_at_ms);
                assert_eq!(times, (now_ms, now_ms.saturating_add(self.ttl_ms)));
                self.open.insert(order.order_id, order.clone());
            }
            (Record::PaymentRequested(record), ShopResult::Paid(payment)) => {
                self.pay(record, payment, now_ms)
            }
            _ => {}
        }
    }

    fn list(&mut self, listing: &Listing) {
        self.products.push((listing.product.price.into(), listing.product.available));
        assert_eq!(listing.product_id.get(), self.products.len() as u64, "product ids have no gap");
        for (id, option) in &listing.options {
            let (product, listed) = (self.products.len() - 1, option.listed.into());
            self.options.push(BookOption { product, listed, sold: 0 });
            assert_eq!(id.get(), self.options.len() as u64, "option ids have no gap");
        }
    }

    fn pay(&mut self, record: &PaymentRequested, payment: &Payment, now_ms: i64) {
        let order = self.open.remove(&payment.order.order_id).expect("only an open order is paid, and once");
        assert_eq!((&order, order.order_id.to_wire()), (&payment.order, record.order_id));
        assert!(now_ms < order.expires_at_ms, "paid after its time");
        let rate = record.proof.as_ref().map_or(0, |proof| i128::from(proof.rate_bp));
        let discount = i128::from(order.total) * rate / 10_000;
        assert_eq!(i128::from(payment.discount), discount);
        assert_eq!(i128::from(payment.paid), i128::from(order.total) - discount);
        let balance = self.balance(order.user_id) - i128::from(payment.paid);
        assert_eq!(i128::from(payment.balance), balance);
        self.balances.insert(order.user_id, balance);
        self.captured += i128::from(payment.paid);
        let coupon = record.proof.as_ref().map(|proof| proof.user_coupon_id as u64);
        assert_eq!(payment.user_coupon_id, coupon);
        assert!(coupon.is_none_or(|id| self.redeemed.insert(id)), "a coupon is redeemed once");
        for line in &order.lines {
            self.options[line.option_id.get() as usize - 1].sold += i128::from(line.quantity);
        }
        self.closed.insert(order.order_id, (order.user_id, OrderStatus::Paid));
    }

    /// Compares all that the fold holds.
    pub(super) fn check(&self, fold: &Fold<Shop>) {
        let (state, header) = (fold.state(), fold.header());
        let bounds = 0..=i128::from(MAX_AMOUNT);
        for (id, entry) in (1..).zip(&self.options) {
            let option_id = OptionId::from_wire(id).expect("in bounds");
            let option = state.option(option_id).loaded().expect("a listed option is there");
            let [listed, stock, reserved, sold] =
                [option.listed, option.stock, option.reserved, option.sold].map(i128::from);
            assert_eq!((listed, sold, reserved), (entry.listed, entry.sold, self.reserved(id)));
            assert_eq!(stock + sold, listed);
            assert_eq!(i128::from(option.available()) + reserved + sold, listed);
            assert!([listed, stock, reserved, sold, stock - reserved].iter().all(|n| bounds.contains(n)));
        }
        let ends = (self.products.len() as u64, self.options.len() as u64);
        assert_eq!(state.catalogue().end(), Some(ends));
        let balances: BTreeMap<UserId, i128> = state.balances().map(|(u, b)| (u, b.into())).collect();
        assert_eq!(balances, self.balances);
        assert!(balances.values().all(|balance| bounds.contains(balance)));
        let more: i128 = balances.values().map(|balance| balance - self.opening).sum();
        assert_eq!(more + self.captured, self.charged + self.set, "money is conserved");
        self.check_orders(fold);
        assert!(self.redeemed.iter().all(|id| state.redemption(*id) == Slot::Loaded(())));
        let next_due = self.open.values().map(|order| order.expires_at_ms).min();
        let due = header.earliest_due_ms;
        assert!(next_due.is_none_or(|next| due.is_some_and(|due| due <= next)), "nobody falls due unseen");
    }

    fn check_orders(&self, fold: &Fold<Shop>) {
        let (state, count) = (fold.state(), fold.header().next_seq);
        assert_eq!(count, (self.open.len() + self.closed.len()) as u64);
        let open: BTreeMap<OrderId, Arc<Order>> =
            state.open_orders().map(|order| (order.order_id, order.clone())).collect();
        assert_eq!(open, self.open);
        for (id, (owner, status)) in &self.closed {
            let closed = FoundOrder::Closed { owner: *owner, status: *status };
            assert_eq!(state.order(*id, count), Slot::Loaded(closed));
        }
        let next = OrderId::new(count + 1).expect("in bounds");
        assert_eq!(state.order(next, count), Slot::Absent);
    }
}

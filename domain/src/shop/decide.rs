//! How records of `order` are judged, and what their outcomes change.

use super::{
    BalanceCause, BalanceChange, Order, OrderStatus, Shop, ShopChange, ShopKey, ShopOutcome, ShopResult,
    outcome_digest,
};
use crate::{
    digest::DigestInput,
    fold::{Applied, Context, State, Verdict},
    header::Header,
    slot::Slot,
};
use schemas::{OptionId, Record, Topic};
use std::collections::{BTreeMap, BTreeSet};

impl State for Shop {
    const TOPIC: Topic = Topic::Order;
    type Outcome = ShopOutcome;
    type Key = ShopKey;
    type Change = ShopChange;

    fn decide(&self, context: Context<'_>, record: &Record) -> Result<Verdict<ShopOutcome>, Vec<ShopKey>> {
        let sweep = self.sweep(context)?;
        let result = match record {
            Record::ProductListed(record) => self.judge_listing(context, record)?,
            Record::StockAdjusted(record) => self.judge_stock(&sweep, record)?,
            Record::BalanceSet(record) => self.judge_balance_set(context, record)?,
            Record::BalanceCharged(record) => self.judge_charge(context, record)?,
            Record::OrderPlaced(record) => self.judge_order(context, &sweep, record)?,
            Record::PaymentRequested(record) => self.judge_payment(context, record)?,
            Record::Ticked(_) => Some(ShopResult::Ticked),
            _ => None,
        };
        Ok(result.map_or(Verdict::Impossible, |result| {
            Verdict::Decided(ShopOutcome { expired: sweep.expired, next_due_ms: sweep.next_due_ms, result })
        }))
    }

    fn contradiction(&self, outcome: &ShopOutcome) -> Option<String> {
        let paid = match &outcome.result {
            ShopResult::Paid(payment) => payment.order.lines.as_slice(),
            _ => &[],
        };
        let mut released: BTreeMap<OptionId, u64> = BTreeMap::new();
        for line in outcome.expired.iter().flat_map(|order| &order.lines).chain(paid) {
            *released.entry(line.option_id).or_default() += line.quantity;
        }
        released.into_iter().find_map(|(id, quantity)| {
            let option = self.option(id).loaded()?;
            // What is reserved is in stock.
            let held = option.reserved.min(option.stock);
            (held < quantity).then(|| {
                format!(
                    "option {} has {} pieces reserved and {} in stock, and orders that reserved {quantity} end",
                    id.get(),
                    option.reserved,
                    option.stock
                )
            })
        })
    }

    fn evolve(&mut self, header: &mut Header, now_ms: i64, outcome: &ShopOutcome) {
        for order in &outcome.expired {
            for line in &order.lines {
                self.catalogue.change(line.option_id, |option| option.reserved -= line.quantity);
            }
            self.orders.close(order, OrderStatus::Expired);
        }
        header.earliest_due_ms = outcome.next_due_ms;
        match &outcome.result {
            ShopResult::Listed(listing) => {
                self.catalogue.list(listing.product_id, listing.product.clone(), &listing.options);
            }
            ShopResult::StockAdjusted(level) => self.catalogue.change(level.option_id, |option| {
                option.stock = level.stock;
                option.listed = option.listed.saturating_add_signed(level.delta);
            }),
            ShopResult::BalanceChanged(change) => {
                self.balances.insert(change.user_id, Slot::Loaded(change.balance));
            }
            ShopResult::Placed(order) => self.reserve(header, order),
            ShopResult::Paid(payment) => {
                let order = &payment.order;
                for line in &order.lines {
                    self.catalogue.change(line.option_id, |option| {
                        option.stock -= line.quantity;
                        option.reserved -= line.quantity;
                        option.sold += line.quantity;
                    });
                    self.sales.sell(now_ms, line.product_id, line.quantity);
                }
                self.orders.close(order, OrderStatus::Paid);
                self.balances.insert(order.user_id, Slot::Loaded(payment.balance));
                self.redeemed.extend(payment.user_coupon_id);
            }
            _ => {}
        }
    }

    fn changes(&self, at: Applied, outcome: &ShopOutcome, out: &mut Vec<ShopChange>) {
        let Applied { offset, now_ms: at_ms } = at;
        let mut touched: BTreeSet<OptionId> = BTreeSet::new();
        for order in &outcome.expired {
            touched.extend(order.lines.iter().map(|line| line.option_id));
            out.push(ShopChange::Expired { order_id: order.order_id, at_ms });
        }
        match &outcome.result {
            ShopResult::Listed(listing) => out.push(ShopChange::Listed { listing: listing.clone(), at_ms }),
            ShopResult::StockAdjusted(level) => touched.extend([level.option_id]),
            ShopResult::BalanceChanged(change) => {
                out.push(ShopChange::Balance { change: *change, offset, at_ms });
            }
            ShopResult::Placed(order) => {
                touched.extend(order.lines.iter().map(|line| line.option_id));
                out.push(ShopChange::Placed(order.clone()));
            }
            ShopResult::Paid(payment) => {
                touched.extend(payment.order.lines.iter().map(|line| line.option_id));
                let change = BalanceChange {
                    user_id: payment.order.user_id,
                    cause: BalanceCause::Payment(payment.order.order_id),
                    amount: -(payment.paid as i64),
                    balance: payment.balance,
                };
                out.push(ShopChange::Balance { change, offset, at_ms });
                out.push(ShopChange::Paid { payment: payment.clone(), offset, at_ms });
            }
            ShopResult::PaymentRefused(decline) if decline.is_fact() => {
                out.push(ShopChange::Declined { decline: decline.clone(), offset, at_ms });
            }
            _ => {}
        }
        let rows = touched.into_iter().filter_map(|id| Some((id, self.option(id).loaded()?)));
        out.extend(rows.map(|(id, option)| ShopChange::Option(id, option.clone())));
    }

    /// The one who repeats a payment need not be told which orders expired with the first one.
    fn retold(outcome: &ShopOutcome) -> ShopOutcome {
        ShopOutcome { expired: Vec::new(), next_due_ms: None, result: outcome.result.clone() }
    }

    fn digest(outcome: &ShopOutcome, begin: impl FnOnce(u8) -> DigestInput) -> u64 {
        outcome_digest::digest(outcome, begin)
    }
}

impl Shop {
    fn reserve(&mut self, header: &mut Header, order: &std::sync::Arc<Order>) {
        for line in &order.lines {
            self.catalogue.change(line.option_id, |option| option.reserved += line.quantity);
        }
        self.orders.place(order);
        header.next_seq = order.order_id.get();
        let due = header.earliest_due_ms.unwrap_or(i64::MAX);
        header.earliest_due_ms = Some(due.min(order.expires_at_ms));
    }
}

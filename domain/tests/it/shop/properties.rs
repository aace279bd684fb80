//! What must hold for any log of the shop, however strange.

use super::{
    book::Book,
    logs::shop_log,
    records::{refusal_of, shop},
    table::ShopTable,
};
use crate::{
    logs::{Entry, START_MS, input, position, rules},
    properties::{cuts, full, prefix_is_deterministic, replays_change_nothing},
    store::{Rows, project, project_into},
};
use domain::{
    Decision, Fold, Scope, Verdict,
    replays::Seen,
    shop::{FoundOrder, MAX_EXPIRIES, MAX_OPEN_KEPT, Shop, ShopOutcome, ShopResult},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use schemas::{OrderId, Record, partition};
use std::collections::BTreeMap;

/// Folds a log and hands every decision over, with the fold before it.
fn follow(log: &[Entry], mut see: impl FnMut(&Fold<Shop>, &Entry, &Decision<ShopOutcome>)) -> Fold<Shop> {
    let mut fold = shop(Scope::Full);
    for (offset, entry) in (0..).zip(log) {
        let decision =
            fold.decide(position(offset, entry), input(entry)).expect("a full state misses nothing");
        see(&fold, entry, &decision);
        fold.evolve(&decision);
    }
    fold
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn partial_equals_full_under_any_cutting(log in shop_log(), cuts in cuts(20)) {
        let whole = full(shop(Scope::Full), &log);
        prop_assert_eq!(project::<Shop>(0, &log, &cuts), whole);
    }

    /// The same where open orders are read a few at a time, and few or none of them stay between batches.
    #[test]
    fn partial_equals_full_where_little_is_kept(
        log in shop_log(),
        cuts in cuts(20),
        page in 1_usize..5,
        kept in 0_usize..5,
    ) {
        let (header, mut table) = full(shop(Scope::Full), &log);
        table.page = page;
        let fresh = || Shop::partial().keeping(kept);
        let projected = project_into(0, &log, &cuts, ShopTable::paged(page), fresh);
        prop_assert_eq!(projected, (header, table));
    }

    #[test]
    fn a_prefix_of_sales_decides_alike(log in shop_log(), cut in 0_usize..120) {
        prefix_is_deterministic(|| shop(Scope::Full), &log, cut);
    }

    #[test]
    fn a_replayed_request_of_the_shop_changes_nothing(log in shop_log()) {
        replays_change_nothing(|| shop(Scope::Full), &log);
    }

    /// Refusals are the contract's, in its order. Stock, reserved units and balances add up after every record and are
    /// never negative. Orders are numbered without a gap, end once, and give back once. A coupon is redeemed once.
    #[test]
    fn the_books_agree_after_every_record(log in shop_log()) {
        let rules = rules(1);
        let mut book = Book::new(rules.opening_balance, rules.order_ttl_ms);
        let fold = follow(&log, |before, entry, decision| {
            book.check(before);
            book.see(entry.record.as_ref(), decision);
        });
        book.check(&fold);
    }

    /// The rows say what the fold holds.
    #[test]
    fn the_tables_agree_with_the_state(log in shop_log()) {
        let fold = follow(&log, |_, _, _| {});
        let (header, table) = full(shop(Scope::Full), &log);
        table.assert_logs_lead_to_balances();
        let balances: BTreeMap<_, _> = fold.state().balances().collect();
        prop_assert_eq!(&balances, &table.balances);
        for (id, option) in &table.options {
            prop_assert_eq!(fold.state().option(*id).loaded(), Some(option));
            let product = fold.state().product(option.product_id).loaded().map(|product| product.as_ref());
            prop_assert_eq!(product, table.products.get(&option.product_id));
        }
        for (id, product) in &table.products {
            let listed: BTreeMap<_, _> = fold.state().options_of(*id).collect();
            let stored: BTreeMap<_, _> =
                table.options.iter().filter(|(_, o)| o.product_id == *id).map(|(id, o)| (*id, o)).collect();
            prop_assert_eq!(listed, stored);
            prop_assert!(product.listed_at_ms >= START_MS);
        }
        prop_assert_eq!(header.next_seq, table.orders.len() as u64);
        for (id, row) in &table.orders {
            let found = fold.state().order(*id, header.next_seq).loaded().expect("there");
            match found {
                FoundOrder::Open(order) => prop_assert_eq!(order.as_ref(), &row.order),
                FoundOrder::Closed { owner, status } => {
                    prop_assert_eq!((owner, status), (row.order.user_id, row.status));
                }
            }
            prop_assert_eq!(row.closed_at_ms.is_some(), matches!(found, FoundOrder::Closed { .. }));
        }
    }

    /// What the fold foresees is what it decides when the record comes at once, and looking changes nothing.
    #[test]
    fn what_is_foreseen_comes_true(log in shop_log()) {
        follow(&log, |before, entry, decision| {
            let foreseen = entry.record.as_ref().and_then(|record| before.foresee(record));
            if before.rules().is_none() {
                assert_eq!(foreseen, None);
            } else if comes_at_once(before, entry) {
                assert_eq!(foreseen.as_ref(), Some(&decision.verdict));
            }
        });
    }
}

/// A record at its place that is no replay, at a moment that the log's clock has reached.
fn comes_at_once(before: &Fold<Shop>, entry: &Entry) -> bool {
    entry.timestamp_ms <= before.header().clock_ms
        && entry.record.as_ref().is_some_and(|record| {
            partition::home(record) == Some(0) && before.look(record.envelope()) == Seen::Fresh
        })
}

/// A property is worth what its logs reach.
#[test]
fn the_logs_of_the_properties_reach_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: &str| *seen.entry(what.to_owned()).or_default() += 1;
    for _ in 0..300 {
        let log = shop_log().new_tree(&mut runner).expect("a log").current();
        follow(&log, |before, entry, decision| {
            if comes_at_once(before, entry) {
                count("foreseen");
            }
            let Verdict::Decided(outcome) = &decision.verdict else {
                return count(&format!("{:?}", decision.verdict).replace("(1)", ""));
            };
            count(&name_of(&outcome.result));
            if let (Some(Record::PaymentRequested(record)), true) =
                (&entry.record, outcome.expired.is_empty())
            {
                let id = OrderId::from_wire(record.order_id);
                let order = before.state().open_orders().find(|order| Some(order.order_id) == id);
                let left = order.map(|order| order.expires_at_ms - decision.now_ms);
                if left == Some(1) {
                    count("a payment 1 ms before the end");
                }
            }
            for order in &outcome.expired {
                let at_its_end = order.expires_at_ms == decision.now_ms;
                count(if at_its_end { "expired at its end" } else { "expired later" });
                if let ShopResult::PaymentRefused(decline) = &outcome.result
                    && decline.order_id == Some(order.order_id)
                {
                    count(if at_its_end { "a payment at the end" } else { "a payment after the end" });
                }
            }
        });
    }
    let codes = ["P004", "P005", "O001", "P002"].map(|code| format!("order {code}"));
    let stock = ["P004", "O001", "P002"].map(|code| format!("stock {code}"));
    let payment = ["O002", "U002", "O004", "O003", "C002", "C003", "C004", "PAY001"];
    let payment = payment.map(|code| format!("payment {code}"));
    let others = [
        "listed",
        "adjusted",
        "balance",
        "limit",
        "placed",
        "paid",
        "paid with a coupon",
        "ticked",
        "Malformed",
        "NoRules",
        "Replayed",
        "KeyReused",
        "Misplaced",
        "Impossible",
        "RulesUnchanged",
        "RulesRefused",
        "expired at its end",
        "expired later",
        "a payment at the end",
        "a payment after the end",
        "a payment 1 ms before the end",
        "foreseen",
    ];
    for what in codes.iter().chain(&stock).chain(&payment).map(String::as_str).chain(others) {
        assert!(seen.get(what).copied().unwrap_or(0) >= 10, "{what} is too rare: {seen:#?}");
    }
}

fn name_of(result: &ShopResult) -> String {
    let code = refusal_of(result).map_or("", domain::shop::Refusal::code);
    match result {
        ShopResult::Listed(_) => "listed".into(),
        ShopResult::StockAdjusted(_) => "adjusted".into(),
        ShopResult::StockRefused(_) => format!("stock {code}"),
        ShopResult::BalanceChanged(_) => "balance".into(),
        ShopResult::BalanceRefused => "limit".into(),
        ShopResult::Placed(_) => "placed".into(),
        ShopResult::OrderRefused(_) => format!("order {code}"),
        ShopResult::Paid(payment) if payment.user_coupon_id.is_some() => "paid with a coupon".into(),
        ShopResult::Paid(_) => "paid".into(),
        ShopResult::PaymentRefused(_) => format!("payment {code}"),
        ShopResult::Ticked => "ticked".into(),
    }
}

/// More orders fall due at once than one record works off: the limit bites in the middle of batches.
#[test]
fn partial_equals_full_where_thousands_fall_due() {
    let config = Config { cases: 8, failure_persistence: None, ..Config::default() };
    let sizes = (1_400_usize..2_600, 0_i64..3, 1_i64..900);
    let kept = prop_oneof![Just(0_usize), Just(300), Just(1_500), Just(MAX_OPEN_KEPT)];
    TestRunner::new(config)
        .run(&(sizes, cuts(500), kept), |((orders, spread, late), cuts, kept)| {
            let log = super::expiry::rush(orders, spread, late);
            let (mut book, mut bites) = (Book::new(1_000, 600_000), 0);
            let fold = follow(&log, |_, entry, decision| {
                book.see(entry.record.as_ref(), decision);
                if let Verdict::Decided(outcome) = &decision.verdict {
                    bites += usize::from(outcome.expired.len() == MAX_EXPIRIES);
                }
            });
            book.check(&fold);
            prop_assert!(bites >= 1 || spread > 0, "all at one moment: the limit must bite");
            let whole = full(shop(Scope::Full), &log);
            let fresh = || Shop::partial().keeping(kept);
            prop_assert_eq!(project_into(0, &log, &cuts, ShopTable::default(), fresh), whole);
            Ok(())
        })
        .expect("partial equals full");
}

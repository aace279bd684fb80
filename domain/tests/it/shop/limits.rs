//! The edges of numbers, texts and clocks: what just fits, what just does not, and that nothing ever panics.

use super::{
    book::Book,
    logs::shop_log,
    records::{Till, charge, listing, order, pay, set, shop, stock, tick},
    table::ShopTable,
};
use crate::{
    logs::{Entry, input, position, rules},
    properties::{cuts, full},
    store::{Rows, project_into},
};
use domain::{
    Scope, Slot, Verdict,
    shop::{MAX_AMOUNT, Shop, ShopResult},
};
use proptest::prelude::*;
use schemas::{UserId, records::*};

const MAX: i64 = MAX_AMOUNT as i64;

#[test]
fn what_just_fits_is_accepted() {
    let mut till = Till::open();
    let mut largest = listing(MAX, true, &[MAX; 100]);
    (largest.name, largest.category) = ("폰".repeat(255), "폰".repeat(64));
    largest.description = "폰".repeat(2_000);
    (largest.options[0].color, largest.options[0].size) = ("폰".repeat(64), "폰".repeat(64));
    assert!(matches!(till.at(0, largest.into()), ShopResult::Listed(l) if l.options.len() == 100));
    let all: Vec<(i64, i64)> = (101..=200).map(|id| (id, MAX)).collect();
    till.at(0, listing(0, true, &[MAX; 100]).into());
    assert!(matches!(till.at(0, order(MAX, &all)), ShopResult::Placed(order) if order.lines.len() == 100));
    assert!(matches!(till.at(0, pay(1, MAX)), ShopResult::Paid(payment) if payment.paid == 0));
    assert_eq!(till.code(0, order(1, &[(1, 1)])), "");
    till.at(0, set(1, MAX));
    assert!(matches!(till.at(0, pay(2, 1)), ShopResult::Paid(payment) if payment.balance == 0));
    let product = schemas::ProductId::new(2).expect("in bounds");
    assert_eq!(till.fold.state().sales().sold(product), 100 * MAX_AMOUNT);
}

#[test]
fn a_balance_and_a_stock_stay_below_2_to_the_53() {
    let user = UserId::new(1).expect("in bounds");
    let mut till = Till::open();
    assert_eq!(till.at(0, charge(1, MAX)), ShopResult::BalanceRefused);
    assert_eq!(till.fold.state().balance(user), Slot::Absent, "not touched");
    assert!(
        matches!(till.at(0, charge(1, MAX - 1_000)), ShopResult::BalanceChanged(c) if c.balance == MAX_AMOUNT)
    );
    assert_eq!(till.at(0, charge(1, 1)), ShopResult::BalanceRefused);
    assert_eq!(till.fold.state().balance(user), Slot::Loaded(MAX_AMOUNT));
    till.at(0, listing(1, true, &[MAX - 1]).into());
    till.at(0, order(2, &[(1, 10)]));
    till.at(0, pay(1, 2));
    assert_eq!(till.code(0, stock(1, 2)), "O001", "what was sold counts as listed");
    assert_eq!(till.code(0, stock(1, MAX)), "O001");
    assert_eq!(till.code(0, stock(1, 1)), "");
    assert_eq!(till.code(0, stock(1, -MAX)), "P002");
}

#[test]
fn an_opening_balance_beyond_every_bound_is_the_largest_that_fits() {
    let mut till = Till::open_under(RulesActivated { opening_balance: i64::MAX, ..rules(1) });
    assert_eq!(till.at(0, charge(1, 1)), ShopResult::BalanceRefused);
    assert!(matches!(till.at(0, set(2, 5)), ShopResult::BalanceChanged(c) if c.amount == 5 - MAX));
}

#[test]
fn a_clock_or_a_ttl_at_the_end_of_time_stops_nobody() {
    for order_ttl_ms in [1, i64::MAX] {
        let mut till = Till::open_under(RulesActivated { order_ttl_ms, ..rules(1) });
        till.append(i64::MIN, listing(1, true, &[5]).into());
        till.append(i64::MIN, order(1, &[(1, 1)]));
        till.append(i64::MAX, order(1, &[(1, 1)]));
        for _ in 0..3 {
            till.append(i64::MAX, pay(2, 1));
            till.append(i64::MIN, tick());
        }
        let option = till.fold.state().option(schemas::OptionId::new(1).expect("in bounds"));
        assert_eq!(option.loaded().map(|option| (option.reserved, option.stock)), Some((0, 5)));
    }
}

/// Any log of the shop under any rules and by any clock.
fn wild_log() -> impl Strategy<Value = (RulesActivated, Vec<Entry>)> {
    let odd = || prop_oneof![2 => 1_i64..2_000_000, 1 => 1_i64..=i64::MAX, 1 => Just(i64::MAX)];
    let clock = prop_oneof![any::<i64>(), Just(i64::MAX), Just(i64::MIN), Just(0)];
    let clocks = proptest::collection::vec(proptest::option::weighted(0.1, clock), 130);
    (shop_log(), odd(), odd(), clocks).prop_map(|(mut log, opening_balance, order_ttl_ms, clocks)| {
        let rules = RulesActivated { opening_balance, order_ttl_ms, ..rules(1) };
        let founding = Entry { record: Some(rules.clone().into()), timestamp_ms: 0 };
        log.insert(0, founding);
        for (entry, clock) in log.iter_mut().zip(clocks) {
            entry.timestamp_ms = clock.unwrap_or(entry.timestamp_ms);
        }
        (rules, log)
    })
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn the_books_agree_under_any_rules_and_by_any_clock((rules, log) in wild_log(), cuts in cuts(20)) {
        let mut book = Book::new(rules.opening_balance.min(MAX), rules.order_ttl_ms);
        let mut fold = shop(Scope::Full);
        for (offset, entry) in (0..).zip(&log) {
            let decision = fold.decide(position(offset, entry), input(entry)).expect("a full state");
            // Later rules of these logs differ in what the first fixed for ever, or in nothing that is judged.
            prop_assert!(offset == 0 || !matches!(decision.verdict, Verdict::RulesActivated(_)));
            book.see(entry.record.as_ref(), &decision);
            fold.evolve(&decision);
            book.check(&fold);
        }
        let (header, mut table) = full(shop(Scope::Full), &log);
        table.page = 2;
        let fresh = || Shop::partial().keeping(1);
        prop_assert_eq!(project_into(0, &log, &cuts, ShopTable::paged(2), fresh), (header, table));
    }
}

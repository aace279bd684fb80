//! Orders that are not paid in time: when they end, what they give back, and how many at once.

use super::records::{Till, charge, listing, order, pay, set, stock, tick};
use crate::logs::{Entry, START_MS, rules};
use domain::{
    Verdict,
    shop::{Decline, FoundOrder, MAX_EXPIRIES, OrderStatus, Refusal, ShopResult},
};
use schemas::{OptionId, OrderId, Record, UserId};

/// 10 minutes.
const TTL_MS: i64 = 600_000;

fn reserved_and_stock(till: &Till, option: i64) -> (u64, u64) {
    let id = OptionId::from_wire(option).expect("in bounds");
    let option = till.fold.state().option(id).loaded().expect("listed");
    (option.reserved, option.stock)
}

fn status(till: &Till, order: u64) -> OrderStatus {
    let id = OrderId::new(order).expect("in bounds");
    match till.fold.state().order(id, till.fold.header().next_seq).loaded().expect("placed") {
        FoundOrder::Open(_) => OrderStatus::Pending,
        FoundOrder::Closed { status, .. } => status,
    }
}

/// A shop of one option with 5 units, of which order 1 of user 1 holds 2 since the moment 0.
fn ordered() -> Till {
    let mut till = Till::open();
    till.at(0, listing(10, true, &[5]).into());
    assert!(matches!(till.at(0, order(1, &[(1, 2)])), ShopResult::Placed(_)));
    assert_eq!(reserved_and_stock(&till, 1), (2, 5));
    till
}

#[test]
fn an_order_is_paid_until_9_min_59_s_999_ms_and_its_units_are_sold() {
    for ms in [0, 599_000, TTL_MS - 1] {
        let mut till = ordered();
        let outcome = till.outcome(ms, pay(1, 1));
        assert!(matches!(outcome.result, ShopResult::Paid(_)), "at {ms}");
        assert!(outcome.expired.is_empty());
        assert_eq!((reserved_and_stock(&till, 1), status(&till, 1)), ((0, 3), OrderStatus::Paid));
        // Its end comes and goes: nothing is given back.
        assert!(till.outcome(TTL_MS, tick()).expired.is_empty());
        assert!(till.outcome(2 * TTL_MS, tick()).expired.is_empty());
        assert_eq!((reserved_and_stock(&till, 1), status(&till, 1)), ((0, 3), OrderStatus::Paid));
    }
}

#[test]
fn a_payment_at_10_min_0_s_finds_the_order_expired_and_its_units_free_once() {
    for ms in [TTL_MS, TTL_MS + 1, 10 * TTL_MS] {
        let mut till = ordered();
        let outcome = till.outcome(ms, pay(1, 1));
        let ShopResult::PaymentRefused(decline) = outcome.result else { panic!("paid at {ms}") };
        assert_eq!((decline.refusal, decline.total), (Refusal::OrderExpired, 20));
        let expired: Vec<u64> = outcome.expired.iter().map(|order| order.order_id.get()).collect();
        assert_eq!(expired, [1]);
        assert_eq!((reserved_and_stock(&till, 1), status(&till, 1)), ((0, 5), OrderStatus::Expired));
        // Again, and later: expired is expired, and nothing is given back twice.
        for later in [ms, ms + TTL_MS] {
            let outcome = till.outcome(later, pay(1, 1));
            assert!(outcome.expired.is_empty());
            assert!(
                matches!(&outcome.result, ShopResult::PaymentRefused(d) if d.refusal == Refusal::OrderExpired)
            );
        }
        assert_eq!((reserved_and_stock(&till, 1), status(&till, 1)), ((0, 5), OrderStatus::Expired));
    }
}

#[test]
fn whatever_comes_at_the_end_of_an_order_finds_its_units_free() {
    let mut till = ordered();
    assert_eq!(till.code(TTL_MS - 1, order(2, &[(1, 4)])), "P002");
    assert_eq!(till.code(TTL_MS - 1, stock(1, -4)), "P002");
    assert_eq!(till.code(TTL_MS, order(2, &[(1, 4)])), "");
    assert_eq!(reserved_and_stock(&till, 1), (4, 5), "2 given back, 4 taken, in one step");
    let mut till = ordered();
    assert_eq!(till.code(TTL_MS, stock(1, -4)), "");
    assert_eq!(reserved_and_stock(&till, 1), (0, 1));
    for other in
        [charge(9, 1), set(9, 1), listing(1, true, &[1]).into(), tick(), pay(7, 1), order(1, &[(99, 1)])]
    {
        let mut till = ordered();
        assert_eq!(till.outcome(TTL_MS, other).expired.len(), 1);
        assert_eq!(reserved_and_stock(&till, 1), (0, 5));
    }
}

#[test]
fn what_is_not_judged_only_moves_the_clock() {
    let mut till = ordered();
    for timestamp_ms in [START_MS + TTL_MS, START_MS] {
        assert_eq!(till.append(timestamp_ms, charge(1, 0)).verdict, Verdict::Impossible);
    }
    assert_eq!(reserved_and_stock(&till, 1), (2, 5), "nothing was worked off");
    // The broker's clock stepped back, the log's does not.
    let late = till.outcome(0, pay(1, 1));
    assert!(
        matches!(&late.result, ShopResult::PaymentRefused(decline) if decline.refusal == Refusal::OrderExpired)
    );
    assert_eq!((late.expired.len(), reserved_and_stock(&till, 1)), (1, (0, 5)));
}

#[test]
fn an_order_keeps_its_own_end_where_newer_rules_set_another_ttl() {
    let mut till = ordered();
    let shorter = schemas::records::RulesActivated { order_ttl_ms: 1_000, ..rules(2) };
    till.fold = till.fold.supporting(2);
    assert_eq!(till.append(START_MS + 1, shorter.into()).verdict, Verdict::RulesActivated(2));
    let ShopResult::Placed(second) = till.at(2, order(1, &[(1, 1)])) else { panic!("refused") };
    assert_eq!(second.expires_at_ms, START_MS + 1_002);
    let expired = |outcome: domain::shop::ShopOutcome| -> Vec<u64> {
        outcome.expired.iter().map(|order| order.order_id.get()).collect()
    };
    assert_eq!(expired(till.outcome(1_002, tick())), [2], "the later order ends first");
    assert!(expired(till.outcome(TTL_MS - 1, tick())).is_empty());
    assert_eq!(expired(till.outcome(TTL_MS, tick())), [1]);
}

#[test]
fn the_next_end_is_known_until_there_is_none() {
    let mut till = ordered();
    let due = |till: &Till| till.fold.header().earliest_due_ms.map(|due| due - START_MS);
    till.at(5, order(1, &[(1, 1)]));
    assert_eq!(due(&till), Some(TTL_MS));
    till.at(6, pay(1, 1));
    assert_eq!(due(&till), Some(TTL_MS), "a payment does not look for the next one");
    till.at(TTL_MS, tick());
    assert_eq!(due(&till), Some(TTL_MS + 5));
    till.at(TTL_MS + 5, tick());
    assert_eq!(due(&till), None);
    till.at(TTL_MS + 6, order(1, &[(1, 1)]));
    assert_eq!(due(&till), Some(2 * TTL_MS + 6));
}

/// So many orders of one unit, every second one `spread` ms later, some of them paid; then, around their end and within
/// about `late` ms, all kinds of requests; at last ticks behind every end.
pub(super) fn rush(orders: usize, spread: i64, late: i64) -> Vec<Entry> {
    let mut now_ms = START_MS;
    let mut log: Vec<Entry> = Vec::new();
    let mut add = |timestamp_ms, record: Record| log.push(Entry { record: Some(record), timestamp_ms });
    add(now_ms, rules(1).into());
    add(now_ms, listing(1, true, &[1_000_000, 700]).into());
    for n in 1..=orders as i64 {
        add(now_ms, order(n % 7 + 1, &[(n % 3 / 2 + 1, 1)]));
        if n % 11 == 0 {
            add(now_ms, pay(n - 5, (n - 5) % 7 + 1));
        }
        now_ms += n % 2 * spread;
    }
    now_ms += TTL_MS - 450;
    for n in 1..=40_i64 {
        now_ms += late / 40 + 1;
        let guess = n * (orders as i64) / 41 + 1;
        match n % 5 {
            0 => add(now_ms, tick()),
            1 => add(now_ms, pay(guess, guess % 7 + 1)),
            2 => add(now_ms, order(3, &[(2, 30), (1, 1)])),
            3 => add(now_ms, stock(2, -300)),
            _ => add(now_ms, charge(guess % 7 + 1, 3)),
        }
    }
    (0..3).for_each(|_| add(now_ms + TTL_MS, tick()));
    log
}

#[test]
fn a_million_due_orders_are_worked_off_in_bounded_steps() {
    const ORDERS: u64 = 1_000_000;
    let mut till = Till::open();
    till.at(0, listing(1, true, &[ORDERS as i64 + 5]).into());
    for _ in 0..ORDERS {
        till.append(START_MS, order(1, &[(1, 1)]));
    }
    assert_eq!(reserved_and_stock(&till, 1), (ORDERS, ORDERS + 5));
    let owner = UserId::new(1).expect("in bounds");
    let steps = ORDERS / MAX_EXPIRIES as u64;
    for step in 1..=steps {
        // The last of them waits longest; it counts as expired from the first moment on.
        let outcome = till.outcome(TTL_MS, pay(ORDERS as i64, 1));
        let order_id = OrderId::new(ORDERS);
        let total = u64::from(step < steps || !outcome.expired.is_empty());
        let decline =
            Decline { refusal: Refusal::OrderExpired, order_id, user_id: owner, total, user_coupon_id: None };
        let ShopResult::PaymentRefused(refused) = outcome.result else { panic!("paid in step {step}") };
        assert_eq!(*refused, decline);
        let ids: Vec<u64> = outcome.expired.iter().map(|order| order.order_id.get()).collect();
        let first = (step - 1) * MAX_EXPIRIES as u64 + 1;
        assert!(ids.into_iter().eq(first..first + MAX_EXPIRIES as u64), "step {step}");
        assert_eq!(till.fold.header().earliest_due_ms.is_some(), step < steps);
    }
    assert!(till.outcome(TTL_MS, tick()).expired.is_empty());
    assert_eq!(reserved_and_stock(&till, 1), (0, ORDERS + 5));
    assert_eq!(till.fold.state().open_orders().count(), 0);
}

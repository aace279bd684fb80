//! What sells best, by days of the log's clock.

use super::records::{Till, listing, order, pay, set};
use crate::logs::START_MS;
use domain::shop::{DAY_MS, MAX_SALES_DAYS, ShopResult};

/// From `START_MS` to the next midnight UTC.
const TO_MIDNIGHT_MS: i64 = DAY_MS - START_MS % DAY_MS;

/// Six products; user 1 has enough money.
fn till() -> Till {
    let mut till = Till::open();
    (0..6).for_each(|_| drop(till.at(0, listing(1, true, &[1_000, 1_000]).into())));
    till.at(0, set(1, 1_000_000));
    till
}

/// Sells units of a product, of both of its options.
fn sell(till: &mut Till, ms: i64, product: i64, quantity: i64) {
    let ShopResult::Placed(order) =
        till.at(ms, order(1, &[(product * 2, quantity - 1), (product * 2 - 1, 1)]))
    else {
        panic!("refused")
    };
    assert!(matches!(till.at(ms, pay(order.order_id.to_wire(), 1)), ShopResult::Paid(_)));
}

fn top(till: &Till, ms: i64, days: i64, count: usize) -> Vec<(u64, u64)> {
    let top = till.fold.state().sales().top(START_MS + ms, days, count);
    top.into_iter().map(|(product, units)| (product.get(), units)).collect()
}

#[test]
fn most_units_come_first_then_the_lower_id() {
    let mut till = till();
    for (product, quantity) in [(5, 3), (2, 9), (3, 4), (1, 3), (3, 5)] {
        sell(&mut till, 0, product, quantity);
    }
    assert_eq!(top(&till, 0, 3, 9), [(2, 9), (3, 9), (1, 3), (5, 3)]);
    assert_eq!(top(&till, 0, 3, 2), [(2, 9), (3, 9)]);
    assert_eq!(top(&till, 0, 3, 0), []);
}

#[test]
fn only_what_was_paid_counts() {
    let mut till = till();
    till.at(0, order(1, &[(1, 5)]));
    assert_eq!(top(&till, 0, 3, 9), []);
    till.at(600_000, order(1, &[(3, 1)]));
    assert_eq!(top(&till, 600_000, 3, 9), []);
}

#[test]
fn days_are_counted_with_the_present_one_and_an_empty_list_falls_back_to_all_time() {
    let mut till = till();
    sell(&mut till, TO_MIDNIGHT_MS - 1, 1, 9);
    sell(&mut till, TO_MIDNIGHT_MS, 2, 3);
    sell(&mut till, TO_MIDNIGHT_MS + DAY_MS, 3, 2);
    let now = TO_MIDNIGHT_MS + DAY_MS;
    assert_eq!(top(&till, now, 1, 9), [(3, 2)]);
    assert_eq!(top(&till, now, 2, 9), [(2, 3), (3, 2)]);
    assert_eq!(top(&till, now, 3, 9), [(1, 9), (2, 3), (3, 2)]);
    assert_eq!(top(&till, now + 3 * DAY_MS, 3, 9), [(1, 9), (2, 3), (3, 2)], "no sale within, so all time");
    assert_eq!(top(&till, now + 2 * DAY_MS, 3, 9), [(3, 2)]);
    let from = |ms: i64, days| till.fold.state().sales().counted_from_ms(START_MS + ms, days);
    let midnight = START_MS + TO_MIDNIGHT_MS;
    assert_eq!((from(now, 1), from(now, 2)), (Some(midnight + DAY_MS), Some(midnight)));
    assert_eq!((from(now + 3 * DAY_MS, 3), from(now, 0)), (None, Some(midnight + DAY_MS)));
    for senseless in [0, -1, i64::MIN] {
        assert_eq!(top(&till, now, senseless, 9), [(3, 2)], "at least the present day");
    }
    assert_eq!(top(&till, now, i64::MAX, 9), [(1, 9), (2, 3), (3, 2)]);
}

#[test]
fn days_beyond_the_kept_ones_count_for_all_time_only() {
    let mut till = till();
    sell(&mut till, 0, 1, 9);
    let last_kept = (MAX_SALES_DAYS - 1) * DAY_MS;
    sell(&mut till, last_kept, 2, 3);
    assert_eq!(top(&till, last_kept, MAX_SALES_DAYS, 9), [(1, 9), (2, 3)]);
    sell(&mut till, last_kept + DAY_MS, 2, 3);
    assert_eq!(top(&till, last_kept + DAY_MS, MAX_SALES_DAYS, 9), [(2, 6)]);
    assert_eq!(top(&till, 99 * DAY_MS, 3, 9), [(1, 9), (2, 6)]);
}

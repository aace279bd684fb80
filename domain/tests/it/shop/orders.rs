//! Orders, payments, stock and balances, rule by rule.

use super::records::{Till, charge, listing, order, pay, pay_with, proof, set, stock};
use crate::logs::START_MS;
use domain::{
    Slot,
    shop::{BalanceCause, BalanceChange, OrderLine, ShopResult, StockLevel},
};
use schemas::{OptionId, OrderId, ProductId, Record, UserId};

fn placed(till: &mut Till, ms: i64, record: Record) -> std::sync::Arc<domain::shop::Order> {
    match till.at(ms, record) {
        ShopResult::Placed(order) => order,
        other => panic!("{other:?}"),
    }
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("in bounds")
}

fn option(id: u64) -> OptionId {
    OptionId::new(id).expect("in bounds")
}

#[test]
fn equal_options_are_summed_where_they_were_first_named() {
    let mut till = Till::open();
    till.at(0, listing(10, true, &[9, 9]).into());
    till.at(0, listing(7, true, &[9]).into());
    let order = placed(&mut till, 5, order(3, &[(3, 2), (1, 1), (3, 1), (2, 4), (1, 1)]));
    let line = |option_id, product_id, price, quantity| OrderLine {
        option_id: option(option_id),
        product_id: ProductId::new(product_id).expect("in bounds"),
        product_name: "셔츠".into(),
        price,
        quantity,
    };
    assert_eq!(order.lines, [line(3, 2, 7, 3), line(1, 1, 10, 2), line(2, 1, 10, 4)]);
    assert_eq!((order.total, order.user_id), (81, user(3)));
    assert_eq!((order.placed_at_ms, order.expires_at_ms), (START_MS + 5, START_MS + 600_005));
}

#[test]
fn ids_have_no_gap_whatever_is_refused_between_them() {
    let mut till = Till::open();
    let listed = |till: &mut Till, stocks: &[i64]| match till.at(0, listing(1, true, stocks).into()) {
        ShopResult::Listed(l) => {
            (l.product_id.get(), l.options.iter().map(|o| o.0.get()).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(listed(&mut till, &[1, 2]), (1, vec![1, 2]));
    till.append(START_MS, listing(-1, true, &[1]).into());
    assert_eq!(listed(&mut till, &[5]), (2, vec![3]));
    assert_eq!(placed(&mut till, 0, order(1, &[(1, 1)])).order_id.get(), 1);
    assert_eq!(till.code(0, order(1, &[(1, 1)])), "P002");
    till.append(START_MS, order(1, &[]));
    assert_eq!(placed(&mut till, 0, order(1, &[(3, 1)])).order_id.get(), 2);
    assert_eq!(till.fold.header().next_seq, 2);
    assert_eq!(till.fold.state().catalogue().end(), Some((2, 3)));
}

#[test]
fn a_discount_is_rounded_down_and_never_more_than_the_total() {
    for (total, rate_bp, discount) in [
        (999, 1_500, 149),
        (1, 9_999, 0),
        (1, 10_000, 1),
        (0, 10_000, 0),
        (1_000, 0, 0),
        ((1 << 53) - 1, 9_999, 9_006_298_534_815_516),
        ((1 << 53) - 1, 10_000, (1 << 53) - 1),
    ] {
        let mut till = Till::open();
        till.at(0, set(1, total));
        till.at(0, listing(total, true, &[1]).into());
        till.at(0, order(1, &[(1, 1)]));
        let proof = proof(1, 1, rate_bp, i64::MAX);
        let ShopResult::Paid(payment) = till.at(7, pay_with(1, 1, Some(1), Some(proof))) else {
            panic!("refused")
        };
        assert_eq!(
            (payment.discount, payment.paid),
            (discount, total as u64 - discount),
            "{total} {rate_bp}"
        );
        assert_eq!((payment.balance, payment.paid_at_ms), (discount, START_MS + 7));
    }
}

#[test]
fn a_coupon_is_redeemed_by_a_payment_only_and_once_under_either_name() {
    let mut till = Till::open();
    till.at(0, listing(600, true, &[9]).into());
    (0..3).for_each(|_| drop(till.at(0, order(1, &[(1, 1)]))));
    let piece = |rate| Some(proof(1, 1, rate, i64::MAX));
    till.at(0, set(1, 10));
    assert_eq!(till.code(0, pay_with(1, 1, Some(1), piece(5_000))), "PAY001");
    till.at(0, set(1, 5_000));
    assert_eq!(till.code(0, pay_with(1, 1, Some(1), piece(5_000))), "", "the refusal used nothing up");
    assert_eq!(till.code(0, pay_with(2, 1, Some(1), piece(5_000))), "C004");
    assert_eq!(till.code(0, pay_with(2, 1, Some((1 << 32) + 1), piece(5_000))), "C004");
    assert_eq!(till.code(0, pay_with(2, 1, Some((1 << 32) + 2), Some(proof(1, 2, 0, i64::MAX)))), "");
    assert_eq!(till.code(0, pay(3, 1)), "");
    assert_eq!(till.fold.state().redemption((1 << 32) + 1), Slot::Loaded(()));
    assert_eq!(till.fold.state().redemption((1 << 32) + 3), Slot::Absent);
    assert_eq!(till.fold.state().balance(user(1)), Slot::Loaded(5_000 - 300 - 600 - 600));
}

#[test]
fn a_balance_is_the_opening_one_until_it_is_touched() {
    let mut till = Till::open();
    assert_eq!(till.fold.state().balance(user(5)), Slot::Absent);
    let change = |cause, amount, balance| {
        ShopResult::BalanceChanged(BalanceChange { user_id: user(5), cause, amount, balance })
    };
    assert_eq!(till.at(0, charge(5, 7)), change(BalanceCause::Charge, 7, 1_007));
    assert_eq!(till.at(0, set(5, 2)), change(BalanceCause::Set, -1_005, 2));
    assert_eq!(till.at(0, set(5, 2)), change(BalanceCause::Set, 0, 2));
    assert_eq!(till.at(0, charge(5, 1)), change(BalanceCause::Charge, 1, 3));
    till.at(0, listing(1_000, true, &[2]).into());
    till.at(0, order(6, &[(1, 1)]));
    assert!(matches!(till.at(0, pay(1, 6)), ShopResult::Paid(payment) if payment.balance == 0));
    assert_eq!(till.fold.state().balance(user(6)), Slot::Loaded(0));
}

#[test]
fn a_stock_never_sinks_below_what_open_orders_hold() {
    let mut till = Till::open();
    till.at(0, listing(1, true, &[5]).into());
    till.at(0, order(1, &[(1, 2)]));
    assert_eq!(till.code(0, stock(1, -4)), "P002");
    assert_eq!(till.code(0, stock(1, -6)), "P002");
    assert_eq!(till.code(0, stock(2, 1)), "P004");
    assert_eq!(till.code(0, stock(0, 1)), "P004");
    let level = |delta, stock, reserved| {
        ShopResult::StockAdjusted(StockLevel { option_id: option(1), delta, stock, reserved })
    };
    assert_eq!(till.at(0, stock(1, -3)), level(-3, 2, 2));
    assert_eq!(till.at(0, stock(1, 4)), level(4, 6, 2));
    till.at(0, pay(1, 1));
    let row = till.fold.state().option(option(1)).loaded().expect("listed");
    assert_eq!((row.listed, row.stock, row.reserved, row.sold, row.available()), (6, 4, 0, 2, 4));
    assert_eq!(till.at(0, stock(1, -4)), level(-4, 0, 0));
    assert_eq!(till.code(0, order(1, &[(1, 1)])), "P002");
}

#[test]
fn the_same_payment_twice_at_one_instant_is_made_once() {
    let mut till = Till::open();
    till.at(0, listing(300, true, &[5]).into());
    till.at(0, order(1, &[(1, 1)]));
    assert_eq!(till.code(1, pay(1, 1)), "");
    assert_eq!(till.code(1, pay(1, 1)), "O004");
    assert_eq!(till.fold.state().balance(user(1)), Slot::Loaded(700));
    let id = OrderId::new(1).expect("in bounds");
    assert_eq!(till.fold.state().order(id, 0), Slot::Absent, "by the count that the caller gives");
}

#[test]
fn the_orders_of_a_user_are_found_from_an_id_on_wherever_they_stand() {
    let mut till = Till::open();
    till.at(0, listing(1, true, &[9]).into());
    for user in [1, 2, 1, (1 << 53) - 1, 1] {
        till.at(0, order(user, &[(1, 1)]));
    }
    till.at(0, pay(3, 1));
    till.at(600_000, charge(1, 1));
    till.at(600_000, order(1, &[(1, 1)]));
    let owned = |owner, from| -> Vec<u64> {
        let from = OrderId::new(from).expect("in bounds");
        till.fold.state().owned_from(user(owner), from).map(OrderId::get).collect()
    };
    assert_eq!(owned(1, 1), [1, 3, 5, 6]);
    assert_eq!((owned(1, 4), owned(1, 6), owned(1, 7)), (vec![5, 6], vec![6], vec![]));
    assert_eq!((owned(2, 1), owned(3, 1), owned((1 << 53) - 1, 1)), (vec![2], vec![], vec![4]));
    assert!(owned(1, OrderId::MAX).is_empty());
}

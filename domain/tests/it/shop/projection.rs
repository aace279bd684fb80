//! A partial state: what it asks for, what it believes, and what it forgets.

use super::records::{Till, charge, listing, order, pay, pay_with, proof, set, stock, tick};
use crate::logs::{Entry, START_MS, input, position, rules};
use domain::{
    Fold, Header, Scope, Slot, Undecided, Verdict,
    rules::ActiveRules,
    shop::{Due, Order, OrderLine, OrderStatus, Shop, ShopKey, ShopOption, ShopResult},
};
use schemas::{OptionId, OrderId, ProductId, Record, UserId};
use std::sync::Arc;

fn option_id(id: u64) -> OptionId {
    OptionId::new(id).expect("in bounds")
}

fn order_id(id: u64) -> OrderId {
    OrderId::new(id).expect("in bounds")
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("in bounds")
}

fn row(stock: u64) -> (ShopOption, Arc<domain::shop::Product>) {
    let product = domain::shop::Product {
        name: "n".into(),
        category: "c".into(),
        description: "".into(),
        price: 1,
        available: true,
        listed_at_ms: 0,
    };
    let product_id = ProductId::new(1).expect("in bounds");
    let (color, size) = ("c".into(), "s".into());
    let option = ShopOption { product_id, color, size, listed: stock, stock, reserved: 0, sold: 0 };
    (option, Arc::new(product))
}

fn open(id: u64, expires_at_ms: i64) -> Arc<Order> {
    let (order_id, user_id) = (order_id(id), user(1));
    Arc::new(Order { order_id, user_id, lines: vec![], total: 0, placed_at_ms: 0, expires_at_ms })
}

#[test]
fn a_batch_s_keys_are_known_before_it_and_asked_for_once() {
    let mut shop = Shop::new(Scope::Partial);
    let piece = Some(proof(1, 2, 0, 0));
    let keys = |shop: &Shop, record: Record| shop.keys_of(&record);
    let cases = |shop: &Shop| {
        [
            keys(shop, listing(1, true, &[1]).into()),
            keys(shop, stock(3, 1)),
            keys(shop, set(4, 1)),
            keys(shop, charge(4, 1)),
            keys(shop, order(4, &[(3, 1), (0, 1)])),
            keys(shop, pay_with(5, 4, Some(1), piece.clone())),
            keys(shop, pay(-5, 0)),
            keys(shop, tick()),
        ]
    };
    let (option, balance) = (ShopKey::Option(option_id(3)), ShopKey::Balance(user(4)));
    let paid = vec![balance, ShopKey::Order(order_id(5)), ShopKey::Redemption((1 << 32) + 2)];
    let expected = [
        vec![ShopKey::CatalogueEnd],
        vec![option],
        vec![balance],
        vec![balance],
        vec![option],
        paid,
        vec![],
        vec![],
    ];
    assert_eq!(cases(&shop), expected);
    shop.load_end(0, 0);
    shop.load_option(option_id(3), None);
    shop.load_balance(user(4), None);
    shop.load_order(order_id(5), Some((open(5, 7), OrderStatus::Expired)));
    shop.load_redemption((1 << 32) + 2, false);
    assert_eq!(cases(&shop), [const { Vec::new() }; 8]);
}

#[test]
fn what_is_known_is_newer_than_any_table() {
    let mut shop = Shop::new(Scope::Partial);
    shop.load_end(1, 2);
    shop.load_option(option_id(3), Some(row(5)));
    shop.load_balance(user(4), Some(9));
    shop.load_order(order_id(5), Some((open(5, 7), OrderStatus::Paid)));
    shop.load_redemption(8, true);
    shop.load_end(7, 7);
    shop.load_option(option_id(3), Some(row(6)));
    shop.load_option(option_id(3), None);
    shop.load_balance(user(4), Some(10));
    shop.load_balance(user(4), None);
    shop.load_order(order_id(5), Some((open(5, 7), OrderStatus::Pending)));
    shop.load_open_after(Due::default(), vec![open(5, 7)], true);
    shop.load_redemption(8, false);
    assert_eq!(shop.catalogue().end(), Some((1, 2)));
    assert_eq!(shop.option(option_id(3)).loaded().map(|option| option.stock), Some(5));
    assert_eq!(shop.balance(user(4)), Slot::Loaded(9));
    assert_eq!(shop.open_orders().count(), 0);
    assert_eq!(shop.redemption(8), Slot::Loaded(()));
}

#[test]
fn after_a_batch_only_the_catalogue_and_the_next_open_orders_stay() {
    let mut shop = Shop::new(Scope::Partial).keeping(2);
    shop.load_end(1, 2);
    shop.load_option(option_id(3), Some(row(5)));
    shop.load_option(option_id(4), None);
    shop.load_balance(user(4), Some(9));
    shop.load_balance(user(5), None);
    shop.load_redemption(8, true);
    shop.load_redemption(9, false);
    shop.load_open_after(Due::default(), vec![open(9, 1), open(1, 2), open(2, 2), open(3, 4)], true);
    shop.load_order(order_id(20), Some((open(20, 3), OrderStatus::Expired)));
    assert!(shop.order(order_id(20), 30).loaded().is_some());
    shop.settle();
    let mut ids: Vec<u64> = shop.open_orders().map(|order| order.order_id.get()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 9], "those that fall due first");
    for gone in [2, 3, 20] {
        assert_eq!(shop.order(order_id(gone), 30), Slot::NotLoaded);
    }
    assert!(shop.option(option_id(3)).loaded().is_some());
    assert_eq!(shop.option(option_id(4)), Slot::NotLoaded, "anybody may name any option");
    assert_eq!((shop.balance(user(4)), shop.balance(user(5))), (Slot::NotLoaded, Slot::NotLoaded));
    assert_eq!((shop.redemption(8), shop.redemption(9)), (Slot::NotLoaded, Slot::NotLoaded));
    assert_eq!(shop.catalogue().end(), Some((1, 2)));
}

#[test]
fn an_order_that_was_numbered_and_is_not_in_the_table_is_never_taken_for_absent() {
    let mut shop = Shop::new(Scope::Partial);
    shop.load_order(order_id(5), None);
    assert_eq!(shop.order(order_id(5), 5), Slot::NotLoaded, "lost: whoever asks again must stop");
    assert_eq!(shop.order(order_id(5), 4), Slot::Absent, "not numbered yet");
}

/// One page of open orders after the other, until one is seen that is not due, or there are no more.
#[test]
fn open_orders_are_asked_for_until_one_is_not_due() {
    let header = Header { clock_ms: 100, earliest_due_ms: Some(5), next_seq: 9, ..Header::default() };
    let rules = ActiveRules::of(&rules(1));
    let mut fold = Fold::resume(0, Shop::new(Scope::Partial), header, rules);
    let entry = Entry { record: Some(tick()), timestamp_ms: 100 };
    let ask = |fold: &Fold<Shop>| fold.decide(position(0, &entry), input(&entry));
    let after = |id, at| Err(Undecided::Missing(vec![ShopKey::OpenOrdersAfter(Due::of(&open(id, at)))]));
    assert_eq!(ask(&fold), Err(Undecided::Missing(vec![ShopKey::OpenOrdersAfter(Due::default())])));
    fold.state_mut().load_open_after(Due::default(), vec![open(9, 5), open(1, 6)], false);
    assert_eq!(ask(&fold), after(1, 6));
    // Loaded for itself: that says nothing of those before it.
    fold.state_mut().load_order(order_id(4), Some((open(4, 99), OrderStatus::Pending)));
    assert_eq!(ask(&fold), after(1, 6));
    fold.state_mut().load_open_after(Due::of(&open(1, 6)), vec![open(2, 6), open(3, 101)], false);
    let decided = ask(&fold).expect("all is known");
    let Verdict::Decided(outcome) = decided.verdict else { panic!("{decided:?}") };
    assert_eq!(outcome.expired.iter().map(|order| order.order_id.get()).collect::<Vec<_>>(), [1, 2, 4, 9]);
}

/// Whatever a row says, nothing overflows: less reserved, or less in stock, than an order holds that is paid or falls due.
#[test]
fn rows_that_this_log_cannot_have_made_are_told_and_nothing_changes() {
    let line = |quantity| OrderLine {
        option_id: option_id(6),
        product_id: ProductId::new(1).expect("in bounds"),
        product_name: "n".into(),
        price: 0,
        quantity,
    };
    for (stock, reserved, held, stops) in [
        (5, 0, 2, true),
        (5, 1, 2, true),
        (1, 2, 2, true),
        (0, 0, 1, true),
        (5, 2, 2, false),
        (5, 5, 2, false),
    ] {
        for expires_at_ms in [50, 500] {
            let order = Order { lines: vec![line(held)], ..open(1, expires_at_ms).as_ref().clone() };
            let header = Header {
                clock_ms: 100,
                earliest_due_ms: Some(expires_at_ms),
                next_seq: 1,
                ..Header::default()
            };
            let mut fold = Fold::resume(0, Shop::new(Scope::Partial), header, ActiveRules::of(&rules(1)));
            let shop = fold.state_mut();
            let (option, product) = row(stock);
            shop.load_option(option_id(6), Some((ShopOption { reserved, ..option }, product)));
            shop.load_balance(user(1), Some(9));
            shop.load_open_after(Due::default(), vec![Arc::new(order)], true);
            let record = if expires_at_ms == 50 { tick() } else { pay(1, 1) };
            let entry = Entry { record: Some(record), timestamp_ms: 100 };
            let decided = fold.decide(position(0, &entry), input(&entry));
            match decided {
                Err(Undecided::Contradiction(reason)) => {
                    assert!(stops && reason.contains("option 6 has"), "{stock} {reserved} {held}: {reason}");
                }
                Ok(decision) => {
                    assert!(!stops, "{stock} {reserved} {held}: {decision:?}");
                    fold.evolve(&decision);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_repeat_is_told_what_came_of_the_request_and_not_what_expired_with_it() {
    let mut till = Till::open();
    till.at(0, listing(1, true, &[5]).into());
    till.at(0, order(1, &[(1, 2)]));
    let request = order(1, &[(1, 5)]);
    let first = till.outcome(600_000, request.clone());
    assert_eq!(first.expired.len(), 1);
    let ShopResult::Placed(placed) = &first.result else { panic!("refused") };
    let again = till.append(START_MS + 600_001, request);
    let Verdict::Decided(told) = again.answer() else { panic!("no answer") };
    assert_eq!(again.verdict, Verdict::Replayed);
    assert_eq!((&told.result, told.expired.len()), (&ShopResult::Placed(placed.clone()), 0));
}

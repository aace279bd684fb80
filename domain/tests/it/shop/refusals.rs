//! Several reasons at once: the contract's order decides which one is told. And what no request of ours can ask.

use super::records::{Till, charge, listing, order, pay, pay_with, proof, set, stock, tick};
use crate::logs::START_MS;
use domain::{Verdict, shop::ShopResult};
use schemas::{Record, Uuid, records::*};

/// 10 minutes.
const TTL_MS: i64 = 600_000;

#[test]
fn an_order_is_refused_for_the_first_of_its_reasons() {
    let reasons = [("P004", (99, 1)), ("P005", (2, 1)), ("O001", (3, 0)), ("P002", (1, 3))];
    for mask in 0..1_usize << reasons.len() {
        let held: Vec<_> = (0..reasons.len()).filter(|n| mask >> n & 1 == 1).map(|n| reasons[n]).collect();
        let mut items: Vec<(i64, i64)> = held.iter().map(|reason| reason.1).collect();
        items.push((3, 1));
        let expected = held.first().map_or("", |reason| reason.0);
        for _ in 0..items.len() {
            items.rotate_left(1);
            let mut till = Till::open();
            till.at(0, listing(10, true, &[2]).into());
            till.at(0, listing(10, false, &[0]).into());
            till.at(0, listing(10, true, &[9]).into());
            assert_eq!(till.code(1, order(1, &items)), expected, "{items:?}");
        }
    }
}

#[test]
fn each_reason_to_refuse_an_order_is_told_apart() {
    let max = (1 << 53) - 1;
    let mut till = Till::open();
    till.at(0, listing(10, true, &[5, max]).into());
    till.at(0, listing(max, true, &[5]).into());
    till.at(0, listing(0, true, &[5]).into());
    let cases = [
        (vec![(0, 1)], "P004"),
        (vec![(-1, 1)], "P004"),
        (vec![(5, 1)], "P004"),
        (vec![(i64::MAX, 1)], "P004"),
        (vec![(1, 0)], "O001"),
        (vec![(1, -1)], "O001"),
        (vec![(1, i64::MIN)], "O001"),
        (vec![(1, i64::MAX)], "O001"),
        (vec![(1, max + 1)], "O001"),
        (vec![(2, max / 10 + 1)], "O001"), // Quantity times price beyond 2^53.
        (vec![(3, 2)], "O001"),
        (vec![(3, 1), (1, 1)], "O001"), // Only the sum is.
        (vec![(1, 2), (1, 0)], "O001"), // Summed or not: one of them is none.
        (vec![(1, 6)], "P002"),
        (vec![(1, 3), (1, 3)], "P002"), // Only together are they too many.
        (vec![(4, max)], "P002"),       // Free of charge, so the sum is none.
        (vec![(4, max); 100], "P002"),
        (vec![(3, 1)], ""),
        (vec![(1, 5)], ""),
        (vec![(1, 1)], "P002"),
        (vec![(2, 1); 100], ""),
    ];
    for (items, code) in cases {
        assert_eq!(till.code(1, order(1, &items)), code, "{items:?}");
    }
}

/// Orders: 1 of user 1 paid, 2 of user 1 expired, 3 of user 1 due and 4 of user 1 open, each of 100 units of money;
/// user 1 has nothing left, and piece 1 of coupon 7 is redeemed. The moment is `TTL_MS` after order 3.
fn till() -> Till {
    let mut till = Till::open();
    till.at(0, listing(100, true, &[9]).into());
    till.at(0, order(1, &[(1, 1)]));
    let piece = proof(7, 1, 0, i64::MAX);
    assert!(matches!(till.at(0, pay_with(1, 1, Some(7), Some(piece))), ShopResult::Paid(_)));
    till.at(0, order(1, &[(1, 1)]));
    till.at(TTL_MS, order(1, &[(1, 1)]));
    till.at(TTL_MS + 5, order(1, &[(1, 1)]));
    till.at(TTL_MS + 5, set(1, 0));
    till
}

const NOW: i64 = 2 * TTL_MS;

#[test]
fn a_payment_is_refused_for_the_first_of_its_reasons() {
    let (past, future) = (START_MS + NOW, START_MS + NOW + 1);
    // Named, vouched for: none; without proof; expired and used; used; good, with no money.
    let coupons = [
        (None, None),
        (Some(7), None),
        (Some(7), Some(proof(7, 1, 0, past))),
        (Some(7), Some(proof(7, 2, 0, past))),
        (Some(7), Some(proof(7, 1, 0, future))),
        (Some(7), Some(proof(7, 2, 9_999, future))),
    ];
    let orders = [
        (99, 1, ["O002"; 6]),
        (0, 1, ["O002"; 6]),
        (-1, 1, ["O002"; 6]),
        (i64::MAX, 1, ["O002"; 6]),
        (1, 2, ["U002"; 6]),
        (2, 2, ["U002"; 6]),
        (3, 2, ["U002"; 6]),
        (4, 2, ["U002"; 6]),
        (1, 1, ["O004"; 6]),
        (2, 1, ["O003"; 6]),
        (3, 1, ["O003"; 6]),
        (4, 1, ["PAY001", "C002", "C003", "C003", "C004", "PAY001"]),
    ];
    for (order_id, user, codes) in orders {
        for (n, (named, proof)) in coupons.iter().enumerate() {
            let mut till = till();
            let code = till.code(NOW, pay_with(order_id, user, *named, proof.clone()));
            assert_eq!(code, codes[n], "order {order_id} by {user} with {named:?} {proof:?}");
        }
    }
    let mut till = till();
    assert_eq!(till.code(NOW, pay_with(4, 1, Some(7), Some(proof(7, 2, 10_000, future)))), "", "all off");
    assert_eq!(till.code(NOW, pay(4, 1)), "O004");
}

#[test]
fn only_what_concerns_an_unpaid_order_of_the_payer_is_told_to_other_systems() {
    let told = |order_id, user| {
        let mut till = till();
        match till.at(NOW, pay(order_id, user)) {
            ShopResult::PaymentRefused(decline) => decline.is_fact(),
            other => panic!("{other:?}"),
        }
    };
    let cases = [(99, 1), (0, 1), (4, 2), (1, 1), (2, 1), (3, 1), (4, 1)];
    assert_eq!(cases.map(|(order, user)| told(order, user)), [false, false, false, false, true, true, true]);
}

#[test]
fn a_coupon_is_named_by_its_own_id_or_by_the_piece_s_and_not_otherwise() {
    let piece = (7 << 32) + 3;
    let good = |piece| Some(CouponProof { user_coupon_id: piece, rate_bp: 1_500, expires_at_ms: i64::MAX });
    let mut till = till();
    till.at(NOW, set(1, 1_000));
    for (named, proof) in [
        (None, good(piece)),
        (Some(-7), good(piece)),
        (Some(0), good(piece)),
        (Some(8), good(piece)),
        (Some(piece + 1), good(piece)),
        (Some(7), good(0)),
        (Some(7), good(7)),
        (Some(7), good(7 << 32)),
        (Some(0), good(1)),
        (Some(1 << 21), good(1 << 53)),
        (Some(7), good(-1)),
        (Some(7), good(i64::MIN)),
        (Some(7), Some(proof(7, 3, -1, i64::MAX))),
        (Some(7), Some(proof(7, 3, 10_001, i64::MAX))),
        (Some(7), Some(proof(7, 3, 0, -1))),
    ] {
        let record = pay_with(4, 1, named, proof);
        assert_eq!(till.append(START_MS + NOW, record.clone()).verdict, Verdict::Impossible, "{record:?}");
    }
    for unproved in [7, piece, 0, -1, i64::MAX] {
        assert_eq!(till.code(NOW, pay_with(4, 1, Some(unproved), None)), "C002");
    }
    let ShopResult::Paid(payment) = till.at(NOW, pay_with(4, 1, Some(piece), good(piece))) else {
        panic!("refused")
    };
    assert_eq!((payment.paid, payment.discount, payment.balance), (85, 15, 915));
    assert_eq!(payment.user_coupon_id, Some(piece as u64));
}

fn impossible() -> Vec<Record> {
    let max = (1_i64 << 53) - 1;
    let label = |n: usize| "폰".repeat(n);
    let with = |change: fn(&mut ProductListed, String), text| {
        let mut listing = listing(1, true, &[1]);
        change(&mut listing, text);
        listing.into()
    };
    let mut records = Vec::new();
    for user in [0, -1, max + 1, i64::MIN, i64::MAX] {
        records.extend([order(user, &[(1, 1)]), pay(1, user), set(user, 1), charge(user, 1)]);
    }
    records.extend([order(1, &[]), order(1, &[(1, 1); 101])]);
    records.extend([0, max + 1, -max - 1, i64::MIN, i64::MAX].map(|delta| stock(1, delta)));
    records.extend([-1, max + 1, i64::MIN, i64::MAX].map(|balance| set(1, balance)));
    records.extend([0, -1, max + 1, i64::MIN, i64::MAX].map(|amount| charge(1, amount)));
    records.extend([-1, max + 1, i64::MIN, i64::MAX].map(|price| listing(price, true, &[1]).into()));
    records.extend([-1, max + 1, i64::MIN, i64::MAX].map(|stock| listing(1, true, &[1, stock]).into()));
    records.extend([listing(1, true, &[]).into(), listing(1, true, &[1; 101]).into()]);
    records.extend([0, 256].map(|n| with(|l, text| l.name = text, label(n))));
    records.extend([0, 65].map(|n| with(|l, text| l.category = text, label(n))));
    records.extend([0, 65].map(|n| with(|l, text| l.options[0].color = text, label(n))));
    records.extend([0, 65].map(|n| with(|l, text| l.options[0].size = text, label(n))));
    records.push(with(|l, text| l.description = text, label(2_001)));
    let (event_id, fingerprint) = (Uuid::from_u128(4), None);
    records.push(CouponClaimed { event_id, fingerprint, coupon_id: 1, user_id: 1 }.into());
    let event_id = Uuid::from_u128(8);
    records.push(SignedUp { event_id, fingerprint, email_hmac: None, account: None }.into());
    records.push(AccountErased { event_id: Uuid::from_u128(12), fingerprint, user_id: 1 }.into());
    records
}

#[test]
fn what_no_request_can_ask_is_impossible_and_changes_nothing() {
    for record in impossible() {
        let mut till = till();
        let before = format!("{:?}", till.fold.state().option(schemas::OptionId::new(1).expect("in bounds")));
        let (next, due) = (till.fold.header().next_seq, till.fold.header().earliest_due_ms);
        assert_eq!(till.append(START_MS + NOW, record.clone()).verdict, Verdict::Impossible, "{record:?}");
        let after = format!("{:?}", till.fold.state().option(schemas::OptionId::new(1).expect("in bounds")));
        assert_eq!(
            (before, next, due),
            (after, till.fold.header().next_seq, till.fold.header().earliest_due_ms)
        );
    }
    let mut till = till();
    let elsewhere =
        CouponClaimed { event_id: Uuid::from_u128(4), fingerprint: None, coupon_id: 2, user_id: 1 };
    assert_eq!(till.append(START_MS + NOW, elsewhere.into()).verdict, Verdict::Misplaced);
    assert_eq!(till.at(NOW, tick()), ShopResult::Ticked);
}

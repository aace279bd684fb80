//! Coupons, rule by rule.

use crate::logs::{START_MS, coupons, verdicts};
use domain::{
    Scope, Verdict,
    coupons::{CouponOutcome, Won},
};
use schemas::{CouponId, Record, UserId, Uuid, records::*};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn open(n: u128, coupon_id: i64, total: i64, expires_at_ms: i64) -> Record {
    CouponOpened {
        event_id: id(n),
        fingerprint: None,
        coupon_id,
        name: "c".into(),
        total,
        rate_bp: 1_500,
        expires_at_ms,
    }
    .into()
}

fn claim(n: u128, coupon_id: i64, user_id: i64) -> Record {
    CouponClaimed { event_id: id(n), fingerprint: None, coupon_id, user_id }.into()
}

fn campaign(n: u128, coupon_id: i64) -> Record {
    CampaignOpened {
        event_id: id(n),
        fingerprint: None,
        campaign: "apply".into(),
        coupon_id,
        name: "apply".into(),
        total: 1,
        rate_bp: 0,
        expires_at_ms: i64::MAX,
    }
    .into()
}

fn won(user: u64, coupon_id: u32, number: u32, total: u32) -> Won {
    Won { user_id: UserId::new(user).expect("in bounds"), coupon_id, number, total }
}

fn judge(records: Vec<Record>) -> Vec<Verdict<CouponOutcome>> {
    verdicts(&mut coupons(0, Scope::Full), records)
}

#[test]
fn refusals_come_in_the_order_of_the_contract() {
    use CouponOutcome as O;
    let expires = START_MS + 6_000; // Records are a second apart: the sixth sees it expired.
    let found = judge(vec![
        open(1, 1, 1, expires),
        claim(2, 9, 5),
        claim(3, 1, 5),
        claim(4, 1, 5),
        claim(5, 1, 6),
        claim(6, 1, 6),
        claim(7, 1, 5),
    ]);
    let mine = won(5, 1, 1, 1);
    let expected =
        [O::NotFound, O::Won(mine), O::AlreadyIssued(mine), O::SoldOut, O::Expired, O::AlreadyIssued(mine)];
    assert_eq!(found[1..], expected.map(Verdict::Decided));
}

#[test]
fn pieces_added_in_mid_sale_are_won_and_a_smaller_total_does_nothing() {
    use CouponOutcome as O;
    let extend =
        |n, total| Record::from(CouponExtended { event_id: id(n), fingerprint: None, coupon_id: 1, total });
    let found = judge(vec![
        open(1, 1, 1, i64::MAX),
        claim(2, 1, 5),
        claim(3, 1, 6),
        extend(4, 2),
        claim(5, 1, 6),
        extend(6, 2),
        extend(7, 1),
    ]);
    assert_eq!(found[2], Verdict::Decided(O::SoldOut));
    assert_eq!(found[4], Verdict::Decided(O::Won(won(6, 1, 2, 2))));
    assert_eq!(found[5..], [Verdict::Decided(O::NotExtended), Verdict::Decided(O::NotExtended)]);
}

#[test]
fn a_closed_coupon_refuses_new_claims_and_keeps_what_was_won() {
    use CouponOutcome as O;
    let close = |n| Record::from(CouponClosed { event_id: id(n), fingerprint: None, coupon_id: 1 });
    let found = judge(vec![
        open(1, 1, 9, i64::MAX),
        claim(2, 1, 5),
        close(3),
        claim(4, 1, 6),
        claim(5, 1, 5),
        close(6),
    ]);
    assert_eq!(found[3], Verdict::Decided(O::Expired));
    assert_eq!(found[4], Verdict::Decided(O::AlreadyIssued(won(5, 1, 1, 9))));
    assert_eq!(found[5], Verdict::Decided(O::AlreadyClosed));
}

#[test]
fn a_campaign_s_reset_closes_its_coupon_and_takes_nothing_back() {
    use CouponOutcome as O;
    let mut fold = coupons(0, Scope::Full);
    let found = verdicts(
        &mut fold,
        vec![campaign(1, 1), claim(2, 1, 5), campaign(3, 9), claim(4, 1, 6), claim(5, 9, 5), campaign(6, 9)],
    );
    assert!(
        matches!(&found[2], Verdict::Decided(O::CampaignOpened { closes: Some(former), .. }) if former.get() == 1)
    );
    assert_eq!(found[3], Verdict::Decided(O::Expired));
    assert_eq!(found[4], Verdict::Decided(O::Won(won(5, 9, 1, 1))));
    assert_eq!(found[5], Verdict::Decided(O::Exists));
    let present = fold.state().campaign("apply").loaded().map(CouponId::get);
    assert_eq!(present, Some(9));
    let first = CouponId::new(1).expect("in bounds");
    let user = UserId::new(5).expect("in bounds");
    assert_eq!(fold.state().claim(first, user).loaded(), Some(1));
}

#[test]
fn what_no_request_can_ask_is_impossible_and_what_stands_elsewhere_is_misplaced() {
    let found = judge(vec![
        open(1, 2_097_153, 1, 0),
        open(2, 9, 1 << 32, 0),
        claim(3, 1, 1 << 53),
        claim(4, 1, 0),
        claim(5, 2, 5),
        campaign(6, 2),
        Ticked { event_id: id(7), fingerprint: None }.into(),
    ]);
    let (impossible, misplaced) = (Verdict::Impossible, Verdict::Misplaced);
    let expected = [&impossible, &impossible, &impossible, &impossible, &misplaced, &impossible, &impossible];
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_user_coupon_id_is_made_of_coupon_and_number() {
    assert_eq!(won(5, 3, 7, 9).user_coupon_id(), 3 * (1 << 32) + 7);
    assert_eq!(won(5, 3, 7, 9).remaining(), 2);
}

//! Golden digests: each tag and its fields, for ever. A changed number here means that histories no longer agree.

use crate::{
    logs::{Entry, START_MS, accounts, coupons, fold_all, rules},
    shop::records as shop,
};
use domain::{Scope, Verdict};
use schemas::{AccountId, EmailHmac, Fingerprint, Record, SessionId, Uuid, records::*};

fn log(records: Vec<Record>) -> Vec<Entry> {
    let founding = Entry { record: Some(rules(1).into()), timestamp_ms: START_MS };
    let garbage = Entry { record: None, timestamp_ms: START_MS };
    let rest = (1..).zip(records).map(|(n, r)| Entry { record: Some(r), timestamp_ms: START_MS + n * 1_000 });
    [garbage.clone(), founding, garbage].into_iter().chain(rest).collect()
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

#[test]
fn the_digest_of_a_log_with_every_coupon_outcome_is_golden() {
    let fingerprint = None;
    let open = |n, coupon_id, total| {
        let name = "c".to_owned();
        let expires_at_ms = START_MS + 60_000;
        Record::from(CouponOpened {
            event_id: id(n),
            fingerprint,
            coupon_id,
            name,
            total,
            rate_bp: 1_500,
            expires_at_ms,
        })
    };
    let claim = |n, coupon_id, user_id| {
        Record::from(CouponClaimed { event_id: id(n), fingerprint, coupon_id, user_id })
    };
    let campaign = |n, coupon_id| {
        let (campaign, name, expires_at_ms) = ("apply".to_owned(), "apply".to_owned(), START_MS + 60_000);
        let event_id = id(n);
        Record::from(CampaignOpened {
            event_id,
            fingerprint,
            campaign,
            coupon_id,
            name,
            total: 5,
            rate_bp: 0,
            expires_at_ms,
        })
    };
    let extend =
        |n, total| Record::from(CouponExtended { event_id: id(n), fingerprint, coupon_id: 1, total });
    let close = |n| Record::from(CouponClosed { event_id: id(n), fingerprint, coupon_id: 1 });
    let reused =
        CouponClaimed { event_id: id(3), fingerprint: Some(Fingerprint([1; 16])), coupon_id: 1, user_id: 9 };
    let log = log(vec![
        open(1, 1, 1),
        claim(2, 9, 5),
        claim(3, 1, 5),
        claim(3, 1, 5),
        reused.into(),
        claim(4, 1, 5),
        claim(5, 1, 6),
        extend(6, 2),
        extend(7, 2),
        close(8),
        close(9),
        claim(10, 1, 6),
        open(11, 1, 1),
        campaign(12, 9),
        campaign(13, 17),
        claim(14, 2, 5),
        claim(15, 1, 0),
        RulesActivated { event_id: id(16), ..rules(1) }.into(),
        RulesActivated { event_id: id(17), opening_balance: 7, ..rules(1) }.into(),
    ]);
    let mut fold = coupons(0, Scope::Full);
    fold_all(&mut fold, &log);
    assert_eq!(format!("{:016x}", fold.header().digest), "b26621d3550738c7");
}

#[test]
fn the_digest_of_a_log_with_every_account_outcome_is_golden() {
    let fingerprint = None;
    let guest = |n: u128| {
        Record::from(SignedUp { event_id: id(n * 4), fingerprint, email_hmac: None, account: None })
    };
    let email = |n: u128| {
        let (email_hmac, account) = (Some(EmailHmac([4; 16])), Some(AccountId([9; 16])));
        Record::from(SignedUp { event_id: id(n), fingerprint, email_hmac, account })
    };
    let erase = |n, user_id| Record::from(AccountErased { event_id: id(n), fingerprint, user_id });
    let revoked = SessionRevoked {
        event_id: id(50),
        fingerprint,
        user_id: 1,
        session_id: SessionId([3; 16]),
        expires_at_ms: START_MS + 60_000,
    };
    let log =
        log(vec![guest(1), email(2), email(3), erase(5, 5), erase(6, 5), erase(7, 401), revoked.into()]);
    let mut fold = accounts(0, Scope::Full);
    fold_all(&mut fold, &log);
    assert_eq!(format!("{:016x}", fold.header().digest), "4265aacabbfc0077");
}

#[test]
fn the_digest_of_a_log_with_every_shop_outcome_is_golden() {
    let piece = |number, expires_at_ms| Some(shop::proof(3, number, 1_500, expires_at_ms));
    let pay_with =
        |order, number, expires_at_ms| shop::pay_with(order, 1, Some(3), piece(number, expires_at_ms));
    let repeated = shop::charge(4, 7);
    let log = log(vec![
        shop::listing(100, true, &[5, 0]).into(),
        shop::listing(1, false, &[1]).into(),
        shop::listing(i64::MAX, true, &[1]).into(),
        shop::stock(1, 3),
        shop::stock(1, -9),
        shop::stock(9, 1),
        shop::stock(1, (1 << 53) - 1),
        shop::set(1, 500),
        shop::charge(1, 7),
        shop::charge(1, (1 << 53) - 1),
        repeated.clone(),
        repeated,
        shop::order(1, &[(9, 1)]),
        shop::order(1, &[(3, 1)]),
        shop::order(1, &[(1, 0)]),
        shop::order(1, &[(2, 1)]),
        shop::order(1, &[(1, 1), (1, 1)]),
        shop::order(1, &[(1, 1)]),
        shop::order(1, &[(1, 5)]),
        shop::pay(9, 1),
        shop::pay(0, 1),
        shop::pay(1, 2),
        shop::pay_with(1, 1, Some(3), None),
        pay_with(1, 1, START_MS),
        pay_with(1, 1, i64::MAX),
        shop::pay(1, 1),
        pay_with(2, 1, i64::MAX),
        pay_with(3, 2, i64::MAX),
        shop::pay(2, 1),
        shop::tick(),
    ]);
    let free_again = |units| shop::order(1, &[(1, units)]);
    let late = [(618, free_again(1)), (619, shop::pay(3, 1)), (620, free_again(5)), (1_220, shop::tick())];
    let late = late
        .map(|(seconds, record)| Entry { record: Some(record), timestamp_ms: START_MS + seconds * 1_000 });
    let mut fold = shop::shop(Scope::Full);
    let verdicts = fold_all(&mut fold, &[log, late.to_vec()].concat());
    let impossible = verdicts.iter().filter(|decision| decision.verdict == Verdict::Impossible).count();
    assert_eq!(impossible, 1, "every record but the third has an outcome of the shop's own");
    // Agrees with what a script in another language made of the same bytes.
    assert_eq!(format!("{:016x}", fold.header().digest), "3dce21a9110aed9a");
}

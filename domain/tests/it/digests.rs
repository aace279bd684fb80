//! Golden digests: each tag and its fields, for ever. A changed number here means that histories no longer agree.

use crate::logs::{Entry, START_MS, accounts, coupons, fold_all, rules};
use domain::Scope;
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

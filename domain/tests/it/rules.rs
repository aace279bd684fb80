//! Rules: the first fixes the foundation, newer versions replace the rest, unknown ones stop.

use crate::logs::{Entry, START_MS, coupons, fold_all, input, position, rules};
use domain::{Scope, Undecided, Verdict};
use schemas::{Crc64, KeyCheck, LogId, Uuid, records::*};

fn entry(record: RulesActivated, n: u128) -> Entry {
    let event_id = Uuid::from_u128(n);
    Entry { record: Some(RulesActivated { event_id, ..record }.into()), timestamp_ms: START_MS }
}

#[test]
fn a_record_before_the_first_rules_is_refused() {
    let claim = CouponClaimed { event_id: Uuid::from_u128(1), fingerprint: None, coupon_id: 1, user_id: 1 };
    let log = [Entry { record: Some(claim.into()), timestamp_ms: START_MS }];
    let mut fold = coupons(0, Scope::Full);
    assert_eq!(fold_all(&mut fold, &log)[0].verdict, Verdict::NoRules);
}

#[test]
fn the_first_rules_fix_the_foundation_for_ever() {
    let changed = [
        RulesActivated { log_id: LogId([9; 16]), ..rules(1) },
        RulesActivated { mode: Mode::Secure, ..rules(1) },
        RulesActivated { opening_balance: 5, ..rules(1) },
        RulesActivated { email_key_check: KeyCheck([9; 16]), ..rules(1) },
        RulesActivated { fingerprint_key_check: KeyCheck([9; 16]), ..rules(1) },
    ];
    for other in changed {
        let mut fold = coupons(0, Scope::Full);
        let log = [entry(rules(1), 1), entry(rules(1), 2), entry(other, 3)];
        let verdicts: Vec<_> = fold_all(&mut fold, &log).into_iter().map(|d| d.verdict).collect();
        assert_eq!(verdicts, [Verdict::RulesActivated(1), Verdict::RulesUnchanged, Verdict::RulesRefused]);
    }
}

#[test]
fn a_newer_list_of_schemas_keeps_every_entry() {
    let listed =
        |ids: &[i32]| ids.iter().map(|&id| RegisteredSchema { id, crc64: Crc64([id as u8; 8]) }).collect();
    let first = RulesActivated { schemas: listed(&[1, 2]), ..rules(1) };
    for (ids, verdict) in [(&[2, 3, 1][..], Verdict::RulesActivated(2)), (&[1, 3], Verdict::RulesRefused)] {
        let mut fold = coupons(0, Scope::Full).supporting(2);
        let next = RulesActivated { schemas: listed(ids), ..rules(2) };
        assert_eq!(fold_all(&mut fold, &[entry(first.clone(), 1), entry(next, 2)])[1].verdict, verdict);
    }
}

#[test]
fn garbage_before_the_first_rules_is_not_told_from_records() {
    let log = [Entry { record: None, timestamp_ms: START_MS }, entry(rules(0), 1), entry(rules(1), 2)];
    let verdicts: Vec<_> =
        fold_all(&mut coupons(0, Scope::Full), &log).into_iter().map(|d| d.verdict).collect();
    assert_eq!(verdicts, [Verdict::NoRules, Verdict::NoRules, Verdict::RulesActivated(1)]);
}

#[test]
fn a_newer_version_is_applied_by_who_knows_it_and_stops_who_does_not() {
    let log = [entry(rules(1), 1), entry(rules(2), 2)];
    let mut newer = coupons(0, Scope::Full).supporting(2);
    assert_eq!(fold_all(&mut newer, &log)[1].verdict, Verdict::RulesActivated(2));
    assert_eq!(newer.header().rules, 2);

    let mut older = coupons(0, Scope::Full);
    fold_all(&mut older, &log[..1]);
    let stopped = older.decide(position(1, &log[1]), input(&log[1]));
    assert_eq!(stopped, Err(Undecided::UnknownRules(2)));
}

#[test]
fn rules_with_senseless_numbers_are_impossible() {
    for bad in [
        RulesActivated { version: 0, ..rules(1) },
        RulesActivated { opening_balance: -1, ..rules(1) },
        RulesActivated { order_ttl_ms: 0, ..rules(1) },
    ] {
        let mut fold = coupons(0, Scope::Full);
        assert_eq!(fold_all(&mut fold, &[entry(rules(1), 1), entry(bad, 2)])[1].verdict, Verdict::Impossible);
    }
}

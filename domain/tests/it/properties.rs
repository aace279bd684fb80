//! What must hold for any log, however strange.

use crate::{
    logs::{self, Entry, account_record, accounts, coupon_record, coupons, fold_all, log},
    store::{Cut, Rows, project},
};
use domain::{
    Fold, Scope, Verdict,
    accounts::{AccountChange, AccountOutcome},
    coupons::{CouponChange, CouponOutcome},
    fold::State,
};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

pub(crate) fn cuts(largest: usize) -> impl Strategy<Value = Vec<Cut>> {
    let cut = (1..largest, any::<bool>(), any::<bool>());
    let cut = cut.prop_map(|(size, restart, ahead)| Cut { size, restart, ahead });
    proptest::collection::vec(cut, 1..8)
}

/// Folds everything at once and applies every change to an empty table.
pub(crate) fn full<S: Rows>(mut fold: Fold<S>, log: &[Entry]) -> (domain::Header, S::Table) {
    let mut table = S::Table::default();
    for (offset, entry) in (0..).zip(log) {
        let decision = fold
            .decide(logs::position(offset, entry), logs::input(entry))
            .expect("a full state misses nothing");
        fold.evolve(&decision);
        let mut changes = Vec::new();
        fold.changes(&decision, &mut changes);
        changes.into_iter().for_each(|change| S::write(&mut table, change));
    }
    (fold.header().clone(), table)
}

pub(crate) fn prefix_is_deterministic<S: State>(fresh: impl Fn() -> Fold<S>, log: &[Entry], cut: usize) {
    let cut = cut.min(log.len());
    let (mut whole, mut part) = (fresh(), fresh());
    let all = fold_all(&mut whole, log);
    let first = fold_all(&mut part, &log[..cut]);
    assert_eq!(first, all[..cut], "later records never change earlier outcomes");
    fold_all(&mut part, log);
    assert_eq!(part.header(), whole.header());
}

/// A log in which every record stands twice in a row changes nothing more than the log itself.
pub(crate) fn replays_change_nothing<S: Rows>(fresh: impl Fn() -> Fold<S>, log: &[Entry]) {
    let mut seen = HashSet::new();
    // Only first sightings: a pooled event id is a replay already, and garbage has no id.
    let unique: Vec<_> = log
        .iter()
        .filter(|entry| entry.record.as_ref().is_some_and(|record| seen.insert(record.envelope().0)))
        .cloned()
        .collect();
    let doubled: Vec<_> = unique.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect();
    let rows = |log: &[Entry]| S::without_offsets(full(fresh(), log).1);
    assert_eq!(rows(&unique), rows(&doubled));
    let (mut once, mut twice) = (fresh(), fresh());
    let first = fold_all(&mut once, &unique);
    let again = fold_all(&mut twice, &doubled);
    for (n, decision) in first.iter().enumerate() {
        if decision.verdict != Verdict::NoRules {
            assert_eq!(again[2 * n + 1].verdict, Verdict::Replayed);
            let told = match &decision.verdict {
                Verdict::Decided(outcome) => Verdict::Decided(S::retold(outcome)),
                verdict => verdict.clone(),
            };
            assert_eq!(again[2 * n + 1].answer(), &told, "a replay gets the first answer");
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(400))]

    #[test]
    fn coupons_partial_equals_full_under_any_cutting(log in log(coupon_record()), cuts in cuts(20)) {
        let whole = full(coupons(0, Scope::Full), &log);
        prop_assert_eq!(project::<domain::coupons::Coupons>(0, &log, &cuts), whole);
    }

    #[test]
    fn accounts_partial_equals_full_under_any_cutting(log in log(account_record()), cuts in cuts(20)) {
        let whole = full(accounts(0, Scope::Full), &log);
        prop_assert_eq!(project::<domain::accounts::Accounts>(0, &log, &cuts), whole);
    }

    #[test]
    fn a_prefix_decides_alike(log in log(coupon_record()), cut in 0_usize..120) {
        prefix_is_deterministic(|| coupons(0, Scope::Full), &log, cut);
    }

    #[test]
    fn a_prefix_of_sign_ups_decides_alike(log in log(account_record()), cut in 0_usize..120) {
        prefix_is_deterministic(|| accounts(0, Scope::Full), &log, cut);
    }

    #[test]
    fn a_replayed_claim_changes_nothing(log in log(coupon_record())) {
        replays_change_nothing(|| coupons(0, Scope::Full), &log);
    }

    #[test]
    fn a_replayed_sign_up_changes_nothing(log in log(account_record())) {
        replays_change_nothing(|| accounts(0, Scope::Full), &log);
    }

    /// Never more winners than pieces, numbers 1 .. N without a gap, one piece a user.
    #[test]
    fn winners_are_counted_without_a_gap(log in log(coupon_record())) {
        let mut fold = coupons(0, Scope::Full);
        let mut issued: HashMap<u32, u32> = HashMap::new();
        let mut holders = HashSet::new();
        for decision in fold_all(&mut fold, &log) {
            if let Verdict::Decided(CouponOutcome::Won(won)) = decision.verdict {
                let number = issued.entry(won.coupon_id).or_default();
                *number += 1;
                prop_assert_eq!(won.number, *number);
                prop_assert!(won.number <= won.total);
                prop_assert!(holders.insert((won.coupon_id, won.user_id)));
            }
        }
        for (id, coupon) in fold.state().coupons() {
            prop_assert_eq!(coupon.issued, issued.get(&(id.get() as u32)).copied().unwrap_or(0));
            prop_assert!(coupon.issued <= coupon.total);
            let listed = fold.state().winners(id).map_or(0, domain::coupons::Winners::len);
            prop_assert_eq!(listed, coupon.issued as usize);
        }
    }

    /// User ids are dense per partition, and an address has one holder at a time.
    #[test]
    fn users_are_numbered_without_a_gap(log in log(account_record())) {
        let mut fold = accounts(0, Scope::Full);
        let mut next = 1;
        let mut held = HashSet::new();
        for decision in fold_all(&mut fold, &log) {
            match decision.verdict {
                Verdict::Decided(AccountOutcome::Registered { user_id, email }) => {
                    prop_assert_eq!(user_id.get(), next);
                    next += 4;
                    if let Some((hmac, _)) = email {
                        prop_assert!(held.insert(hmac), "an address was given twice");
                    }
                }
                Verdict::Decided(AccountOutcome::Erased { email_hmac: Some(hmac), .. }) => {
                    prop_assert!(held.remove(&hmac));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn the_table_of_a_property_can_fail() {
    let won = |user| CouponChange::Won {
        won: domain::coupons::Won {
            user_id: schemas::UserId::new(user).expect("in bounds"),
            coupon_id: 1,
            number: 1,
            total: 1,
        },
        at_ms: 0,
    };
    let result = std::panic::catch_unwind(|| {
        let mut table = crate::store::CouponTable::default();
        <domain::coupons::Coupons as Rows>::write(&mut table, won(1));
    });
    assert!(result.is_err(), "a winner of a coupon that is not there must be noticed");
    let erased = AccountChange::Erased { user_id: schemas::UserId::new(1).expect("in bounds"), at_ms: 0 };
    let result = std::panic::catch_unwind(|| {
        <domain::accounts::Accounts as Rows>::write(&mut std::collections::BTreeMap::new(), erased);
    });
    assert!(result.is_err(), "erasing nobody must be noticed");
}

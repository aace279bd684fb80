//! The replay window at its edges.

use crate::logs::{Entry, START_MS, coupons, input, position, rules};
use domain::{
    Decision, Fold, Scope, Verdict,
    coupons::{CouponOutcome, Coupons},
    rules::REPLAY_REACH,
};
use schemas::{Fingerprint, Record, Uuid, records::*};

const KEY: Uuid = Uuid::from_u128(1);

fn claim(event_id: Uuid, fingerprint: Option<u8>, user_id: i64) -> Record {
    let fingerprint = fingerprint.map(|n| Fingerprint([n; 16]));
    CouponClaimed { event_id, fingerprint, coupon_id: 1, user_id }.into()
}

fn apply(
    fold: &mut Fold<Coupons>,
    offset: u64,
    timestamp_ms: i64,
    record: Record,
) -> Decision<CouponOutcome> {
    let entry = Entry { record: Some(record), timestamp_ms };
    let decision = fold.decide(position(offset, &entry), input(&entry)).expect("full state");
    fold.evolve(&decision);
    decision
}

/// Rules at 0, a coupon of 10 at 1.
fn opened() -> Fold<Coupons> {
    let mut fold = coupons(0, Scope::Full);
    apply(&mut fold, 0, START_MS, rules(1).into());
    let open = CouponOpened {
        event_id: Uuid::from_u128(99),
        fingerprint: None,
        coupon_id: 1,
        name: "c".into(),
        total: 10,
        rate_bp: 0,
        expires_at_ms: i64::MAX,
    };
    apply(&mut fold, 1, START_MS, open.into());
    fold
}

fn won(decision: &Decision<CouponOutcome>) -> Option<u32> {
    match decision.answer() {
        Verdict::Decided(CouponOutcome::Won(won)) => Some(won.number),
        _ => None,
    }
}

#[test]
fn the_same_key_gets_the_first_outcome_and_another_body_is_refused() {
    let mut fold = opened();
    assert_eq!(won(&apply(&mut fold, 2, START_MS, claim(KEY, Some(1), 5))), Some(1));
    let again = apply(&mut fold, 3, START_MS, claim(KEY, Some(1), 5));
    assert_eq!((&again.verdict, won(&again)), (&Verdict::Replayed, Some(1)));
    let other = apply(&mut fold, 4, START_MS, claim(KEY, Some(2), 6));
    assert_eq!(other.verdict, Verdict::KeyReused);
    let unkeyed = apply(&mut fold, 5, START_MS, claim(KEY, None, 6));
    assert_eq!(unkeyed.verdict, Verdict::KeyReused);
    assert_eq!(
        won(&apply(&mut fold, 6, START_MS, claim(KEY, Some(1), 5))),
        Some(1),
        "the first stays the first"
    );
}

#[test]
fn a_keyed_request_is_a_replay_for_a_million_offsets_and_not_one_more() {
    for (distance, replay) in [(REPLAY_REACH.keyed_offsets, true), (REPLAY_REACH.keyed_offsets + 1, false)] {
        let mut fold = opened();
        apply(&mut fold, 2, START_MS, claim(KEY, Some(1), 5));
        let later = apply(&mut fold, 2 + distance, START_MS, claim(KEY, Some(1), 5));
        assert_eq!(later.verdict == Verdict::Replayed, replay, "at distance {distance}");
    }
}

#[test]
fn a_request_without_a_key_is_a_replay_for_65536_offsets() {
    for (distance, replay) in
        [(REPLAY_REACH.unkeyed_offsets, true), (REPLAY_REACH.unkeyed_offsets + 1, false)]
    {
        let mut fold = opened();
        apply(&mut fold, 2, START_MS, claim(KEY, None, 5));
        let later = apply(&mut fold, 2 + distance, START_MS, claim(KEY, None, 5));
        assert_eq!(later.verdict == Verdict::Replayed, replay, "at distance {distance}");
    }
}

#[test]
fn a_replay_carries_the_first_outcome_beyond_the_first_record_s_reach() {
    let mut fold = opened();
    apply(&mut fold, 2, START_MS, claim(KEY, Some(1), 5));
    let step = REPLAY_REACH.keyed_offsets - 10;
    for n in 1..5 {
        assert_eq!(won(&apply(&mut fold, 2 + n * step, START_MS, claim(KEY, Some(1), 5))), Some(1));
    }
}

#[test]
fn a_day_of_log_clock_ends_a_replay() {
    for (age, replay) in [(REPLAY_REACH.age_ms, true), (REPLAY_REACH.age_ms + 1, false)] {
        let mut fold = opened();
        apply(&mut fold, 2, START_MS, claim(KEY, Some(1), 5));
        let later = apply(&mut fold, 3, START_MS + age, claim(KEY, Some(1), 5));
        assert_eq!(later.verdict == Verdict::Replayed, replay, "after {age} ms");
    }
}

#[test]
fn the_window_is_found_by_the_event_id_alone_and_is_bounded() {
    let mut fold = opened();
    apply(&mut fold, 2, START_MS, claim(KEY, Some(1), 5));
    let answers: Vec<_> = fold.answers(KEY).cloned().collect();
    assert!(matches!(answers.as_slice(), [Verdict::Decided(CouponOutcome::Won(_))]));
    apply(&mut fold, 2 + REPLAY_REACH.keyed_offsets, START_MS, claim(Uuid::from_u128(2), Some(1), 6));
    assert_eq!(fold.answers(KEY).count(), 0, "what no later record can reach is forgotten");
}

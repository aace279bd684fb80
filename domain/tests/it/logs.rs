//! Logs to fold: a builder for chosen ones, a proptest strategy for any.

use domain::{
    Decision, Fold, Input, LogPosition, Scope, Verdict, accounts::Accounts, coupons::Coupons, fold::State,
};
use proptest::prelude::*;
use schemas::{AccountId, EmailHmac, Fingerprint, KeyCheck, LogId, Record, SessionId, Uuid, records::*};

pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// One entry of a log: the bytes' meaning and their timestamp.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: Option<Record>,
    pub(crate) timestamp_ms: i64,
}

pub(crate) fn rules(version: i32) -> RulesActivated {
    RulesActivated {
        event_id: Uuid::from_u128(u128::MAX - version as u128),
        fingerprint: None,
        version,
        log_id: LogId([7; 16]),
        mode: Mode::Stage,
        opening_balance: 1_000,
        order_ttl_ms: 600_000,
        email_key_check: KeyCheck([1; 16]),
        fingerprint_key_check: KeyCheck([2; 16]),
        schemas: vec![],
    }
}

pub(crate) fn position(offset: u64, entry: &Entry) -> LogPosition {
    LogPosition { offset, timestamp_ms: entry.timestamp_ms, record_hash: offset ^ 0x5eed }
}

pub(crate) fn input(entry: &Entry) -> Input<'_> {
    entry.record.as_ref().map_or(Input::Malformed, Input::Record)
}

/// Folds a whole log into a full state.
pub(crate) fn fold_all<S: State>(fold: &mut Fold<S>, log: &[Entry]) -> Vec<Decision<S::Outcome>> {
    let first = fold.header().next_offset;
    (first..)
        .zip(&log[first as usize..])
        .map(|(offset, entry)| {
            let decision =
                fold.decide(position(offset, entry), input(entry)).expect("a full state misses nothing");
            fold.evolve(&decision);
            decision
        })
        .collect()
}

pub(crate) fn coupons(partition: i32, scope: Scope) -> Fold<Coupons> {
    Fold::new(partition, Coupons::new(scope))
}

pub(crate) fn accounts(partition: i32, scope: Scope) -> Fold<Accounts> {
    Fold::new(partition, Accounts::new(scope))
}

/// Folds records, one second apart, behind rules of version 1; the verdict of each.
pub(crate) fn verdicts<S: State>(fold: &mut Fold<S>, records: Vec<Record>) -> Vec<Verdict<S::Outcome>> {
    let mut log = vec![Entry { record: Some(rules(1).into()), timestamp_ms: START_MS }];
    log.extend(
        (1..)
            .zip(records)
            .map(|(n, record)| Entry { record: Some(record), timestamp_ms: START_MS + n * 1_000 }),
    );
    fold_all(fold, &log).into_iter().skip(1).map(|decision| decision.verdict).collect()
}

/// Envelopes from a small pool, so that replays and reused keys happen.
pub(crate) fn envelope() -> impl Strategy<Value = (Uuid, Option<Fingerprint>)> {
    let pooled = (0_u128..12, 0_u8..3)
        .prop_map(|(id, f)| (Uuid::from_u128(id), (f > 0).then_some(Fingerprint([f; 16]))));
    let fresh = any::<u128>().prop_map(|id| (Uuid::from_u128(id), None));
    prop_oneof![1 => pooled, 4 => fresh]
}

pub(crate) fn number() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 1_i64..40, 1 => any::<i64>(), 1 => Just(0), 1 => Just(1 << 53), 1 => Just(-1)]
}

fn total() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0_i64..6, 1 => any::<i64>(), 1 => Just(1 << 32)]
}

fn expiry() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(i64::MAX), 3 => START_MS..START_MS + 400_000, 1 => any::<i64>()]
}

/// Coupon ids that mostly live in partition 0 of 8.
fn coupon_id() -> impl Strategy<Value = i64> {
    prop_oneof![12 => (0_i64..4).prop_map(|n| n * 8 + 1), 1 => number()]
}

pub(crate) fn coupon_record() -> impl Strategy<Value = Record> {
    let name = prop_oneof![4 => "[a-z]{1,4}", 1 => Just(String::new()), 1 => Just("x".repeat(300))];
    let claim =
        (envelope(), coupon_id(), number()).prop_map(|((event_id, fingerprint), coupon_id, user_id)| {
            CouponClaimed { event_id, fingerprint, coupon_id, user_id }.into()
        });
    let open = (envelope(), coupon_id(), name.clone(), total(), -5_i32..20_000, expiry()).prop_map(
        |((event_id, fingerprint), coupon_id, name, total, rate_bp, expires_at_ms)| {
            CouponOpened { event_id, fingerprint, coupon_id, name, total, rate_bp, expires_at_ms }.into()
        },
    );
    let campaign = (envelope(), coupon_id(), name, total(), expiry(), "[ab]?").prop_map(
        |((event_id, fingerprint), coupon_id, name, total, expires_at_ms, campaign)| {
            CampaignOpened {
                event_id,
                fingerprint,
                campaign,
                coupon_id,
                name,
                total,
                rate_bp: 1_000,
                expires_at_ms,
            }
            .into()
        },
    );
    let extend =
        (envelope(), coupon_id(), total()).prop_map(|((event_id, fingerprint), coupon_id, total)| {
            CouponExtended { event_id, fingerprint, coupon_id, total }.into()
        });
    let close = (envelope(), coupon_id()).prop_map(|((event_id, fingerprint), coupon_id)| {
        CouponClosed { event_id, fingerprint, coupon_id }.into()
    });
    prop_oneof![12 => claim, 4 => open, 2 => campaign, 2 => extend, 1 => close, 1 => rules_record(), 1 => foreign()]
}

pub(crate) fn account_record() -> impl Strategy<Value = Record> {
    // Byte 15 decides the partition: multiples of 4 live in partition 0.
    let hmac =
        prop_oneof![6 => (0_u8..4).prop_map(|n| n * 4), 1 => any::<u8>()].prop_map(|n| EmailHmac([n; 16]));
    let account = any::<u8>().prop_map(|n| AccountId([n; 16]));
    let hmac = proptest::option::of(hmac);
    let sign_up = (envelope(), hmac, proptest::option::weighted(0.8, account)).prop_map(
        |((event_id, fingerprint), email_hmac, account)| {
            SignedUp { event_id, fingerprint, email_hmac, account }.into()
        },
    );
    let user = prop_oneof![8 => (0_i64..12).prop_map(|n| n * 4 + 1), 1 => number()];
    let erase = (envelope(), user.clone()).prop_map(|((event_id, fingerprint), user_id)| {
        AccountErased { event_id, fingerprint, user_id }.into()
    });
    let revoke = (envelope(), user, any::<u8>(), expiry()).prop_map(
        |((event_id, fingerprint), user_id, session, expires_at_ms)| {
            SessionRevoked {
                event_id,
                fingerprint,
                user_id,
                session_id: SessionId([session; 16]),
                expires_at_ms,
            }
            .into()
        },
    );
    prop_oneof![10 => sign_up, 4 => erase, 3 => revoke, 1 => rules_record(), 1 => foreign()]
}

pub(crate) fn rules_record() -> impl Strategy<Value = Record> {
    (envelope(), 0_i32..2, any::<bool>()).prop_map(|((event_id, fingerprint), version, same)| {
        let log_id = LogId([if same { 7 } else { 8 }; 16]);
        RulesActivated { event_id, fingerprint, log_id, ..rules(version) }.into()
    })
}

fn foreign() -> impl Strategy<Value = Record> {
    envelope().prop_map(|(event_id, fingerprint)| Ticked { event_id, fingerprint }.into())
}

/// Any log: mostly behind rules, with garbage in it, and a broker's clock that may step back.
pub(crate) fn log(record: impl Strategy<Value = Record>) -> impl Strategy<Value = Vec<Entry>> {
    let entry = (proptest::option::weighted(0.95, record), -3_000_i64..5_000);
    (any::<u8>(), proptest::collection::vec(entry, 0..120)).prop_map(|(lawless, entries)| {
        let mut now = START_MS;
        let mut log = Vec::new();
        if lawless > 10 {
            log.push(Entry { record: Some(rules(1).into()), timestamp_ms: now });
        }
        for (record, step) in entries {
            now += step;
            log.push(Entry { record, timestamp_ms: now });
        }
        log
    })
}

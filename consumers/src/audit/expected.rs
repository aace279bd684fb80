//! What MySQL must hold according to the log.

use crate::{
    log::Decoder,
    projection::{Projection, accounts::model_of as user_model, coupons},
};
use chassis::log_reader::LogReader;
use domain::{
    Fold, LogPosition, Scope, Verdict,
    accounts::AccountChange,
    coupons::{Coupon, CouponChange},
    digest::record_hash,
};
use migrations::entity::{user_coupons, users};
use schemas::CouponId;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

/// Rows by primary key.
#[derive(Default)]
pub struct Expected {
    pub users: BTreeMap<u64, users::Model>,
    pub coupons: BTreeMap<CouponId, Coupon>,
    pub claims: BTreeMap<u64, user_coupons::Model>,
    pub campaigns: BTreeMap<String, u64>,
}

/// Takes a change of one kind of row.
pub trait Take<C> {
    fn take(&mut self, change: C);
}

impl Take<AccountChange> for Expected {
    fn take(&mut self, change: AccountChange) {
        match change {
            AccountChange::Registered(row) => {
                self.users.insert(row.user_id.get(), user_model(&row));
            }
            AccountChange::Erased { user_id, at_ms } => {
                if let Some(row) = self.users.get_mut(&user_id.get()) {
                    (row.email_hmac, row.account, row.erased_at_ms) = (None, None, Some(at_ms));
                }
            }
        }
    }
}

impl Take<CouponChange> for Expected {
    fn take(&mut self, change: CouponChange) {
        match change {
            CouponChange::Coupon(id, coupon) => {
                self.coupons.insert(id, coupon);
            }
            CouponChange::Won { won, at_ms } => {
                let row = coupons::claim_of(&won, at_ms);
                self.claims.insert(row.id, row);
                let coupon = CouponId::new(won.coupon_id.into()).and_then(|id| self.coupons.get_mut(&id));
                if let Some(coupon) = coupon {
                    coupon.issued = won.number;
                }
            }
            CouponChange::Campaign { campaign, coupon_id } => {
                self.campaigns.insert(campaign.to_string(), coupon_id.get());
            }
        }
    }
}

/// One partition, replayed to its end.
pub struct Replay {
    pub group: &'static str,
    pub topic: String,
    pub partition: i32,
    /// End of the log.
    pub end: u64,
    /// Records that are dead letters, below the offset that MySQL waits for.
    pub dead: u64,
    /// Digest before each offset that was wanted, and before the one that MySQL waits for.
    pub digests: BTreeMap<u64, u64>,
    /// Why the replay stopped before the end.
    pub stopped: Option<String>,
}

/// Folds a partition from its beginning; rows are taken up to `applied`, the offset that MySQL waits for.
///
/// # Errors
/// A log that cannot be read.
pub fn replay<S: Projection>(
    reader: &LogReader,
    topic: &str,
    partition: i32,
    applied: u64,
    mut wanted: BTreeSet<u64>,
    expected: &mut Expected,
) -> anyhow::Result<Replay>
where
    Expected: Take<S::Change>,
{
    let (low, end) = reader.bounds(topic, partition)?;
    anyhow::ensure!(
        low == 0,
        "{topic}-{partition} begins at offset {low}: a request log must be kept for ever"
    );
    wanted.insert(applied);
    let mut fold = Fold::new(partition, S::empty(Scope::Full));
    let mut decoder = Decoder::default();
    let mut replay = Replay {
        group: S::GROUP,
        topic: topic.to_owned(),
        partition,
        end,
        dead: 0,
        digests: BTreeMap::from([(0, 0)]),
        stopped: None,
    };
    let mut changes = Vec::new();
    reader.scan(topic, partition, 0..end, |raw| {
        let payload = raw.payload.as_deref();
        let step = || -> Result<_, String> {
            let decoded = decoder.decode(S::TOPIC, payload).map_err(|stop| stop.to_string())?;
            let timestamp_ms = raw.append_time_ms.ok_or("a record without an append time")?;
            let at = LogPosition { offset: raw.offset, timestamp_ms, record_hash: record_hash(payload) };
            fold.decide(at, decoded.input()).map_err(|undecided| format!("{undecided:?}"))
        };
        let decision = match step() {
            Ok(decision) => decision,
            Err(reason) => {
                replay.stopped = Some(format!("at offset {}: {reason}", raw.offset));
                return ControlFlow::Break(());
            }
        };
        fold.evolve(&decision);
        if matches!(decision.verdict, Verdict::RulesActivated(_)) {
            // Decoded a moment ago, so it can be adopted.
            let _ = decoder.adopt(payload.unwrap_or_default());
        }
        if raw.offset < applied {
            replay.dead += u64::from(decision.verdict == Verdict::Malformed);
            fold.changes(&decision, &mut changes);
            changes.drain(..).for_each(|change| expected.take(change));
        }
        let next = raw.offset + 1;
        if wanted.contains(&next) {
            replay.digests.insert(next, fold.header().digest);
        }
        ControlFlow::Continue(())
    })?;
    Ok(replay)
}

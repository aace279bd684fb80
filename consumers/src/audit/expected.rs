//! What MySQL must hold according to the log.

use crate::{
    projection::{Projection, accounts::model_of as user_model, coupons},
    replay::{Replayed, replay},
};
use chassis::log_reader::LogReader;
use domain::{
    Verdict,
    accounts::AccountChange,
    coupons::{Coupon, CouponChange},
};
use migrations::entity::{user_coupons, users};
use schemas::CouponId;
use std::collections::{BTreeMap, BTreeSet};

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

impl Expected {
    /// Replays a partition; rows are taken up to `applied`, the offset that MySQL waits for.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub fn replay<S: Projection>(
        &mut self,
        reader: &LogReader,
        (topic, partition): (&str, i32),
        applied: u64,
        mut wanted: BTreeSet<u64>,
    ) -> anyhow::Result<Replay>
    where
        Self: Take<S::Change>,
    {
        wanted.insert(applied);
        let mut digests = BTreeMap::from([(0, 0)]);
        let (mut dead, mut changes) = (0, Vec::new());
        let replayed = replay::<S>(reader, topic, partition, |raw, decision, fold| {
            if raw.offset < applied {
                dead += u64::from(decision.verdict == Verdict::Malformed);
                fold.changes(decision, &mut changes);
                changes.drain(..).for_each(|change| self.take(change));
            }
            if wanted.contains(&(raw.offset + 1)) {
                digests.insert(raw.offset + 1, fold.header().digest);
            }
        })?;
        let Replayed { end, stopped, .. } = replayed;
        Ok(Replay { group: S::GROUP, topic: topic.to_owned(), partition, end, dead, digests, stopped })
    }
}

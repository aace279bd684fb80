//! What MySQL must hold according to the log.

use crate::{
    projection::{Projection, accounts::model_of as user_model, coupons, shop::Tables},
    replay::{Replayed, Source, replay},
};
use domain::{
    Header, Verdict,
    accounts::AccountChange,
    coupons::{Coupon, CouponChange},
    shop::ShopChange,
};
use migrations::entity::{outbox, user_coupons, users};
use schemas::CouponId;
use std::collections::{BTreeMap, BTreeSet};

/// Rows by primary key.
#[derive(Default)]
pub struct Expected {
    pub users: BTreeMap<u64, users::Model>,
    pub coupons: BTreeMap<CouponId, Coupon>,
    pub claims: BTreeMap<u64, user_coupons::Model>,
    pub campaigns: BTreeMap<String, u64>,
    pub shop: Tables,
    /// What was won behind the offset that MySQL waits for: a payment may be ahead of its coupon's projection.
    later_claims: BTreeMap<u64, user_coupons::Model>,
    /// The same of decided payments: of those that a database tells which was set back, others have heard already.
    later_shop: Tables,
    /// Of users whose balance was never touched, in minor units.
    pub opening_balance: u64,
}

/// Takes a change of one kind of row.
pub trait Take<C> {
    /// One that MySQL must hold.
    fn take(&mut self, change: C);

    /// One that MySQL need not hold yet.
    fn take_later(&mut self, _change: C) {}
}

impl Expected {
    /// Who won a piece, and of what, to the end of the log.
    pub fn claim(&self, user_coupon_id: u64) -> Option<&user_coupons::Model> {
        self.claims.get(&user_coupon_id).or_else(|| self.later_claims.get(&user_coupon_id))
    }

    /// Decided payments that others must hear of, to the end of the log, by offset.
    pub fn decided(&self) -> impl Iterator<Item = &outbox::Model> {
        self.shop.outbox.values().chain(self.later_shop.outbox.values())
    }
}

impl Take<ShopChange> for Expected {
    fn take(&mut self, change: ShopChange) {
        self.shop.take(&change);
    }

    fn take_later(&mut self, change: ShopChange) {
        self.later_shop.take(&change);
    }
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

    fn take_later(&mut self, change: CouponChange) {
        if let CouponChange::Won { won, at_ms } = change {
            let row = coupons::claim_of(&won, at_ms);
            self.later_claims.insert(row.id, row);
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
    /// What a partition carries from record to record, before the offset that MySQL waits for.
    pub header: Option<Header>,
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
        source: &Source,
        (topic, partition): (&str, i32),
        applied: u64,
        mut wanted: BTreeSet<u64>,
    ) -> anyhow::Result<Replay>
    where
        Self: Take<S::Change>,
    {
        wanted.insert(applied);
        let mut digests = BTreeMap::from([(0, 0)]);
        let (mut dead, mut changes, mut header) = (0, Vec::new(), None);
        let replayed = replay::<S>(source, topic, partition, |raw, decision, fold| {
            fold.changes(decision, &mut changes);
            if raw.offset < applied {
                dead += u64::from(decision.verdict == Verdict::Malformed);
                changes.drain(..).for_each(|change| self.take(change));
            } else {
                changes.drain(..).for_each(|change| self.take_later(change));
            }
            if raw.offset + 1 == applied {
                header = Some(fold.header().clone());
            }
            if wanted.contains(&(raw.offset + 1)) {
                digests.insert(raw.offset + 1, fold.header().digest);
            }
        })?;
        let Replayed { fold, end, stopped } = replayed;
        if let Some(rules) = fold.rules() {
            self.opening_balance = rules.opening_balance.unsigned_abs();
        }
        Ok(Replay {
            group: S::GROUP,
            topic: topic.to_owned(),
            partition,
            end,
            dead,
            digests,
            header,
            stopped,
        })
    }
}

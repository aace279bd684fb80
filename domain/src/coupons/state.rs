//! What the coupons fold remembers.

use super::{CouponKey, Winners};
use crate::slot::{Scope, Slot};
use schemas::{CouponId, UserId};
use std::{collections::HashMap, sync::Arc};

/// What never changes about a coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouponTerms {
    /// Shown to people.
    pub name: String,
    /// Discount in basis points.
    pub rate_bp: u16,
    /// Ms since the epoch; from here on nobody wins.
    pub expires_at_ms: i64,
}

/// A coupon's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// What never changes.
    pub terms: Arc<CouponTerms>,
    /// Pieces in all.
    pub total: u32,
    /// Pieces won.
    pub issued: u32,
    /// Log clock, in ms since the epoch.
    pub opened_at_ms: i64,
    /// Log clock, in ms since the epoch.
    pub closed_at_ms: Option<i64>,
}

impl Coupon {
    /// Whether nobody can win any more at `now_ms`, whatever is left.
    #[must_use]
    pub fn is_over(&self, now_ms: i64) -> bool {
        self.closed_at_ms.is_some() || now_ms >= self.terms.expires_at_ms
    }
}

/// State of one partition of `coupon`.
#[derive(Debug)]
pub struct Coupons {
    scope: Scope,
    coupons: HashMap<CouponId, Slot<Coupon>>,
    winners: HashMap<CouponId, Winners>,
    campaigns: HashMap<Arc<str>, Slot<CouponId>>,
    /// Looked-up claims of a partial state; a full state has the winners instead.
    claims: HashMap<(CouponId, UserId), Slot<u32>>,
}

impl Coupons {
    /// Nothing known yet.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            coupons: HashMap::new(),
            winners: HashMap::new(),
            campaigns: HashMap::new(),
            claims: HashMap::new(),
        }
    }

    /// A coupon.
    #[must_use]
    pub fn coupon(&self, id: CouponId) -> Slot<&Coupon> {
        match self.coupons.get(&id) {
            Some(Slot::Loaded(coupon)) => Slot::Loaded(coupon),
            Some(Slot::Absent) => Slot::Absent,
            Some(Slot::NotLoaded) | None => self.scope.unknown(),
        }
    }

    /// The winner number of a user.
    #[must_use]
    pub fn claim(&self, id: CouponId, user_id: UserId) -> Slot<u32> {
        match self.scope {
            Scope::Full => {
                let number = self.winners.get(&id).and_then(|winners| winners.number_of(user_id));
                number.map_or(Slot::Absent, Slot::Loaded)
            }
            Scope::Partial => self.claims.get(&(id, user_id)).copied().unwrap_or(Slot::NotLoaded),
        }
    }

    /// The present coupon of a campaign.
    #[must_use]
    pub fn campaign(&self, name: &str) -> Slot<CouponId> {
        self.campaigns.get(name).copied().unwrap_or_else(|| self.scope.unknown())
    }

    /// Every loaded coupon, in no order.
    pub fn coupons(&self) -> impl Iterator<Item = (CouponId, &Coupon)> {
        self.coupons.iter().filter_map(|(id, slot)| match slot {
            Slot::Loaded(coupon) => Some((*id, coupon)),
            Slot::Absent | Slot::NotLoaded => None,
        })
    }

    /// The winners of a coupon (full state only).
    #[must_use]
    pub fn winners(&self, id: CouponId) -> Option<&Winners> {
        self.winners.get(&id)
    }

    /// Puts a stored coupon where `Missing` asked for it (projection only).
    pub fn load_coupon(&mut self, id: CouponId, row: Option<Coupon>) {
        self.coupons.insert(id, row.map_or(Slot::Absent, Slot::Loaded));
    }

    /// Puts a stored claim where `Missing` asked for it (projection only).
    pub fn load_claim(&mut self, id: CouponId, user_id: UserId, number: Option<u32>) {
        self.claims.insert((id, user_id), number.map_or(Slot::Absent, Slot::Loaded));
    }

    /// Puts a stored campaign where `Missing` asked for it (projection only).
    pub fn load_campaign(&mut self, name: &str, coupon_id: Option<CouponId>) {
        self.campaigns.insert(name.into(), coupon_id.map_or(Slot::Absent, Slot::Loaded));
    }

    /// Drops looked-up claims, so that memory stays bounded by a batch (projection only).
    pub fn forget_claims(&mut self) {
        self.claims.clear();
    }

    /// The keys that judging a claim needs, so that a batch can be loaded in one go.
    #[must_use]
    pub fn keys_of_claim(&self, id: CouponId, user_id: UserId) -> Vec<CouponKey> {
        let mut keys = Vec::new();
        if self.coupon(id) == Slot::NotLoaded {
            keys.push(CouponKey::Coupon(id));
        }
        if self.claim(id, user_id) == Slot::NotLoaded {
            keys.push(CouponKey::Claim(id, user_id));
        }
        keys
    }

    pub(super) fn open(&mut self, id: CouponId, coupon: Coupon) {
        self.coupons.insert(id, Slot::Loaded(coupon));
    }

    pub(super) fn point(&mut self, campaign: &Arc<str>, id: CouponId) {
        self.campaigns.insert(campaign.clone(), Slot::Loaded(id));
    }

    pub(super) fn change(&mut self, id: CouponId, change: impl FnOnce(&mut Coupon)) {
        if let Some(Slot::Loaded(coupon)) = self.coupons.get_mut(&id) {
            change(coupon);
        }
    }

    pub(super) fn win(&mut self, id: CouponId, user_id: UserId, number: u32) {
        self.change(id, |coupon| coupon.issued = number);
        match self.scope {
            Scope::Full => self.winners.entry(id).or_default().push(user_id),
            Scope::Partial => {
                self.claims.insert((id, user_id), Slot::Loaded(number));
            }
        }
    }
}

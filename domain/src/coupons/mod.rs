//! Coupons: who won a piece of what. Never more winners than pieces; winner numbers 1 .. N without a gap.

mod decide;
mod state;
mod winners;

pub use state::{Coupon, CouponTerms, Coupons};
pub use winners::Winners;

use schemas::{CouponId, UserId};
use std::sync::Arc;

/// Longest coupon name, in characters.
pub const MAX_COUPON_NAME_CHARS: usize = 255;
/// Longest campaign name, in characters.
pub const MAX_CAMPAIGN_NAME_CHARS: usize = 64;
/// Largest discount, in basis points (100 %).
pub const MAX_RATE_BP: u16 = 10_000;

/// What came of a record of `coupon`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CouponOutcome {
    /// A piece was won.
    Won(Won),
    /// No such coupon (C006).
    NotFound,
    /// The user has one (C005).
    AlreadyIssued(Won),
    /// Expired or closed (C003).
    Expired,
    /// No piece left (C001).
    SoldOut,
    /// A coupon is open.
    Opened {
        /// Its id.
        coupon_id: CouponId,
        /// What it is.
        terms: Arc<CouponTerms>,
        /// Pieces.
        total: u32,
    },
    /// A coupon of that id is there already.
    Exists,
    /// More pieces.
    Extended {
        /// Which.
        coupon_id: CouponId,
        /// Pieces in all from now on.
        total: u32,
    },
    /// A total that is not larger than the present one: nothing changes.
    NotExtended,
    /// No new winners.
    Closed(CouponId),
    /// It was closed before.
    AlreadyClosed,
    /// The campaign points at a fresh coupon, and its former one is closed.
    CampaignOpened {
        /// Name of the campaign.
        campaign: Arc<str>,
        /// The fresh coupon.
        coupon_id: CouponId,
        /// What it is.
        terms: Arc<CouponTerms>,
        /// Pieces.
        total: u32,
        /// Its former coupon, if that was still open.
        closes: Option<CouponId>,
    },
}

/// A piece that was won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Won {
    /// Who.
    pub user_id: UserId,
    /// Of which coupon (fits: ids stay below 2^21).
    pub coupon_id: u32,
    /// 1 .. total.
    pub number: u32,
    /// Pieces in all when it was decided.
    pub total: u32,
}

impl Won {
    /// `coupon id * 2^32 + winner number`, below 2^53.
    #[must_use]
    pub const fn user_coupon_id(&self) -> u64 {
        ((self.coupon_id as u64) << 32) | self.number as u64
    }

    /// Pieces left when it was decided.
    #[must_use]
    pub const fn remaining(&self) -> u32 {
        self.total.saturating_sub(self.number)
    }
}

/// Names a row of this fold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CouponKey {
    /// A coupon.
    Coupon(CouponId),
    /// Whether a user has a piece of a coupon.
    Claim(CouponId, UserId),
    /// A campaign.
    Campaign(String),
}

/// A change of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CouponChange {
    /// A coupon's row as it is now.
    Coupon(CouponId, Coupon),
    /// A new winner; the coupon's `issued` is its number.
    Won {
        /// Who and what.
        won: Won,
        /// When, in ms since the epoch.
        at_ms: i64,
    },
    /// A campaign's row as it is now.
    Campaign {
        /// Name.
        campaign: Arc<str>,
        /// Present coupon.
        coupon_id: CouponId,
    },
}

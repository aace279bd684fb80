//! Topic names and partition counts, in one place. A count of a request log is fixed for ever.

use crate::{FactType, RecordType};

/// A topic whose records ask for something and are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Accounts and sessions.
    Signup,
    /// Coupons and claims.
    Coupon,
    /// The shop: catalogue, stock, balances, orders and payments.
    Order,
}

/// Longest prefix that still leaves room below Kafka's limit of 249 characters a topic name.
pub const MAX_PREFIX_CHARS: usize = 64;

impl Topic {
    /// Every request log.
    pub const ALL: [Self; 3] = [Self::Signup, Self::Coupon, Self::Order];

    /// Name without the deployment's prefix.
    #[must_use]
    pub const fn base_name(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Coupon => "coupon",
            Self::Order => "order",
        }
    }

    /// Name on the broker.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.base_name())
    }

    /// Name of the topic that takes this topic's dead letters.
    #[must_use]
    pub fn dead_letters(self, prefix: &str) -> String {
        format!("{prefix}{}.dead", self.base_name())
    }

    /// Partitions; fixed for ever, because partition numbers stand inside user ids.
    #[must_use]
    pub const fn partitions(self) -> i32 {
        match self {
            Self::Signup => 4,
            Self::Coupon => 8,
            Self::Order => 1,
        }
    }

    /// Whether a record of this type may stand in this topic.
    #[must_use]
    pub const fn carries(self, kind: RecordType) -> bool {
        use RecordType as R;
        match kind {
            R::RulesActivated => true,
            R::SignedUp | R::SessionRevoked | R::AccountErased => matches!(self, Self::Signup),
            R::CouponOpened | R::CouponExtended | R::CouponClosed | R::CampaignOpened | R::CouponClaimed => {
                matches!(self, Self::Coupon)
            }
            R::ProductListed
            | R::StockAdjusted
            | R::BalanceSet
            | R::BalanceCharged
            | R::OrderPlaced
            | R::PaymentRequested
            | R::Ticked => matches!(self, Self::Order),
        }
    }
}

/// A topic whose records tell other systems what came of something. Derived, so no fold reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactTopic {
    /// Every decided payment, for 30 days.
    Payment,
    /// What the external platform was to be told, was told, and told us; compacted, for ever: a database that was
    /// emptied must not dispatch again.
    ExternalPlatform,
}

impl FactTopic {
    /// Every topic of facts.
    pub const ALL: [Self; 2] = [Self::Payment, Self::ExternalPlatform];

    /// Name without the deployment's prefix.
    #[must_use]
    pub const fn base_name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::ExternalPlatform => "external-platform",
        }
    }

    /// Name on the broker.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.base_name())
    }

    /// Name of the topic that takes this topic's dead letters.
    #[must_use]
    pub fn dead_letters(self, prefix: &str) -> String {
        format!("{prefix}{}.dead", self.base_name())
    }

    /// Partitions; a count never changes, because a fact's home is computed from it.
    #[must_use]
    pub const fn partitions(self) -> i32 {
        8
    }

    /// Where facts of this type stand.
    #[must_use]
    pub const fn of(kind: FactType) -> Self {
        use FactType as F;
        match kind {
            F::PaymentCaptured | F::PaymentDeclined => Self::Payment,
            F::DispatchRequested | F::DispatchDelivered | F::DispatchFailed | F::PlatformEventReceived => {
                Self::ExternalPlatform
            }
        }
    }

    /// Whether a fact of this type may stand in this topic.
    #[must_use]
    pub fn carries(self, kind: FactType) -> bool {
        Self::of(kind) == self
    }
}

//! One struct per record type: what was asked, in the past tense. Field docs stand in `avro/*.avsc`.
//!
//! Plain data as it is on the wire: any `long` may stand here. The folds judge what it means.

use crate::ids::{AccountId, Crc64, EmailHmac, Fingerprint, KeyCheck, LogId, SessionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who may act: in `secure` the session's user, in `stage` (load tests) anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The session's user must be the user of the request.
    Secure,
    /// Any user id is accepted; for load tests only.
    Stage,
}

/// A schema that may be written, as the registry numbered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredSchema {
    /// Registry id, as it stands in the framing.
    pub id: i32,
    /// Which schema that is.
    pub crc64: Crc64,
}

/// One option of a listed product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductOption {
    /// Shown to people.
    pub color: String,
    /// Shown to people.
    pub size: String,
    /// Units at the start.
    pub stock: i64,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderItem {
    /// The option.
    pub product_option_id: i64,
    /// Units.
    pub quantity: i64,
}

/// What the coupon log says of a coupon offered in a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponProof {
    /// `coupon id * 2^32 + winner number`.
    pub user_coupon_id: i64,
    /// Discount in basis points.
    pub rate_bp: i32,
    /// Ms since the epoch.
    pub expires_at_ms: i64,
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "field docs stand once, in the Avro schema")]
        pub struct $name {
            pub event_id: Uuid,
            pub fingerprint: Option<Fingerprint>,
            $(pub $field: $type,)*
        }
    };
}

record!(/// Rules of a partition; see `avro/RulesActivated.v1.avsc`.
RulesActivated {
    version: i32,
    log_id: LogId,
    mode: Mode,
    opening_balance: i64,
    order_ttl_ms: i64,
    email_key_check: KeyCheck,
    fingerprint_key_check: KeyCheck,
    schemas: Vec<RegisteredSchema>,
});
impl RulesActivated {
    /// Whether its numbers make sense; rules that do not found nothing and change nothing.
    #[must_use]
    pub const fn is_sensible(&self) -> bool {
        self.version >= 1 && self.opening_balance >= 0 && self.order_ttl_ms >= 1
    }
}

record!(/// A person asked for an account.
SignedUp { email_hmac: Option<EmailHmac>, account: Option<AccountId> });
record!(/// A session was ended before it expired.
SessionRevoked { user_id: i64, session_id: SessionId, expires_at_ms: i64 });
record!(/// A person asked to be forgotten.
AccountErased { user_id: i64 });
record!(/// An administrator asked to open a coupon.
CouponOpened { coupon_id: i64, name: String, total: i64, rate_bp: i32, expires_at_ms: i64 });
record!(/// An administrator asked for more pieces; the total is absolute.
CouponExtended { coupon_id: i64, total: i64 });
record!(/// An administrator asked to stop a coupon.
CouponClosed { coupon_id: i64 });
record!(/// An administrator asked to point a campaign at a fresh coupon.
CampaignOpened {
    campaign: String,
    coupon_id: i64,
    name: String,
    total: i64,
    rate_bp: i32,
    expires_at_ms: i64,
});
record!(/// A user asked for a piece of a coupon.
CouponClaimed { coupon_id: i64, user_id: i64 });
record!(/// An administrator asked to list a product.
ProductListed {
    name: String,
    category: String,
    description: String,
    price: i64,
    available: bool,
    options: Vec<ProductOption>,
});
record!(/// An administrator asked to change a stock.
StockAdjusted { product_option_id: i64, delta: i64 });
record!(/// An administrator asked to set a balance.
BalanceSet { user_id: i64, balance: i64 });
record!(/// A user asked to add to a balance.
BalanceCharged { user_id: i64, amount: i64 });
record!(/// A user asked for an order.
OrderPlaced { user_id: i64, items: Vec<OrderItem> });
record!(/// A user asked to pay an order.
PaymentRequested { order_id: i64, user_id: i64, coupon_id: Option<i64>, proof: Option<CouponProof> });
record!(/// Time passed on an idle partition.
Ticked {});

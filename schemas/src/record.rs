//! The closed set of record types: one enum to match on, one table that names each type's schema.

use crate::{family::family, ids::Fingerprint, records::*};
use uuid::Uuid;

macro_rules! record_types {
    ($($name:ident),* $(,)?) => {
        family!(
            /// Any record of `signup`, `coupon` or `order`.
            Record,
            /// Which record type, without its content.
            RecordType,
            record_type:
            $($name,)*
        );

        impl Record {
            /// The envelope: the request's id, and what it asked for in a hashed form.
            #[must_use]
            pub const fn envelope(&self) -> (Uuid, Option<Fingerprint>) {
                match self { $(Self::$name(record) => (record.event_id, record.fingerprint),)* }
            }
        }
    };
}

record_types!(
    RulesActivated,
    SignedUp,
    SessionRevoked,
    AccountErased,
    CouponOpened,
    CouponExtended,
    CouponClosed,
    CampaignOpened,
    CouponClaimed,
    ProductListed,
    StockAdjusted,
    BalanceSet,
    BalanceCharged,
    OrderPlaced,
    PaymentRequested,
    Ticked,
);

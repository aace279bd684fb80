//! One struct per fact: what came of a request, for other systems. Field docs stand in `avro/*.avsc`.
//!
//! Facts are derived: no fold reads them and nothing decides by them. They have no envelope, because nobody asked for
//! them; what names one is its key (`partition::key_of_fact`).

use serde::{Deserialize, Serialize};

macro_rules! fact {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "field docs stand once, in the Avro schema")]
        pub struct $name {
            $(pub $field: $type,)*
        }
    };
}

fact!(/// A payment was decided in the user's favour.
PaymentCaptured {
    source_offset: i64,
    order_id: i64,
    user_id: i64,
    total: i64,
    discount: i64,
    paid: i64,
    user_coupon_id: Option<i64>,
    at_ms: i64,
});
fact!(/// A payment was decided against the user.
PaymentDeclined {
    source_offset: i64,
    order_id: i64,
    user_id: i64,
    total: i64,
    discount: i64,
    paid: i64,
    user_coupon_id: Option<i64>,
    at_ms: i64,
    reason: String,
});
fact!(/// A paid order must be told to the external platform.
DispatchRequested {
    source_offset: i64,
    order_id: i64,
    user_id: i64,
    total: i64,
    discount: i64,
    paid: i64,
    at_ms: i64,
    redriven: bool,
});
fact!(/// The external platform took an order.
DispatchDelivered { order_id: i64, attempts: i32, at_ms: i64 });
fact!(/// The external platform did not take an order, and nobody tries any more.
DispatchFailed { order_id: i64, attempts: i32, reason: String, at_ms: i64 });
fact!(/// The external platform told something about an order.
PlatformEventReceived { event_id: String, order_id: i64, kind: String, occurred_at_ms: i64 });

/// The longest id of a partner's event, in characters; 1 at least.
pub const EVENT_ID_MAX_CHARS: usize = 128;
/// The longest kind of a partner's event, in characters; 1 at least.
pub const KIND_MAX_CHARS: usize = 64;

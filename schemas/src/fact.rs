//! The closed set of facts: one enum to match on, one table that names each type's schema.

use crate::{facts::*, family::family};

family!(
    /// Any record of `payment` or `external-platform`.
    Fact,
    /// Which fact, without its content.
    FactType,
    fact_type:
    PaymentCaptured,
    PaymentDeclined,
    DispatchRequested,
    DispatchDelivered,
    DispatchFailed,
    PlatformEventReceived,
);

//! From a row of the outbox to what other systems are told.

use migrations::entity::outbox::{self, CAPTURED};
use schemas::{
    Fact,
    facts::{DispatchRequested, PaymentCaptured, PaymentDeclined},
};

/// The facts of a decided payment, in the order in which they are published.
#[must_use]
pub fn facts_of(row: &outbox::Model) -> Vec<Fact> {
    // Ids and money are below 2^53: see the table's checks and the fold's limits.
    let long = |value: u64| value as i64;
    let (source_offset, order_id, user_id) = (long(row.source_offset), long(row.order_id), long(row.user_id));
    let (total, discount, paid) = (long(row.total), long(row.discount), long(row.paid));
    let (user_coupon_id, at_ms) = (row.user_coupon_id.map(long), row.at_ms);
    if row.kind == CAPTURED {
        let captured = PaymentCaptured {
            source_offset,
            order_id,
            user_id,
            total,
            discount,
            paid,
            user_coupon_id,
            at_ms,
        };
        let redriven = false;
        let requested =
            DispatchRequested { source_offset, order_id, user_id, total, discount, paid, at_ms, redriven };
        vec![captured.into(), requested.into()]
    } else {
        let reason = row.reason.clone().unwrap_or_default();
        let declined = PaymentDeclined {
            source_offset,
            order_id,
            user_id,
            total,
            discount,
            paid,
            user_coupon_id,
            at_ms,
            reason,
        };
        vec![declined.into()]
    }
}

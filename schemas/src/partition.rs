//! The partition rule: where a record or a fact belongs is computed here and never by a client library's partitioner.

use crate::{
    Fact, Record,
    topics::{FactTopic, Topic},
};
use uuid::Uuid;

/// The partition in which a record must stand; `None` for `RulesActivated`, which stands in every one.
///
/// Total over any content: an impossible id still has one home, where the fold refuses it.
#[must_use]
pub fn home(record: &Record) -> Option<i32> {
    match record {
        Record::RulesActivated(_) => None,
        Record::SignedUp(r) => Some(match r.email_hmac {
            Some(hmac) => of_bytes(hmac.0, Topic::Signup),
            None => of_event_id(r.event_id),
        }),
        Record::SessionRevoked(r) => Some(of_id(r.user_id, Topic::Signup)),
        Record::AccountErased(r) => Some(of_id(r.user_id, Topic::Signup)),
        Record::CouponOpened(r) => Some(of_id(r.coupon_id, Topic::Coupon)),
        Record::CouponExtended(r) => Some(of_id(r.coupon_id, Topic::Coupon)),
        Record::CouponClosed(r) => Some(of_id(r.coupon_id, Topic::Coupon)),
        Record::CouponClaimed(r) => Some(of_id(r.coupon_id, Topic::Coupon)),
        // Campaigns live in partition 0, so that a campaign meets itself; its coupons have ids that map there too.
        Record::CampaignOpened(_) => Some(CAMPAIGN_PARTITION),
        Record::ProductListed(_)
        | Record::StockAdjusted(_)
        | Record::BalanceSet(_)
        | Record::BalanceCharged(_)
        | Record::OrderPlaced(_)
        | Record::PaymentRequested(_)
        | Record::Ticked(_) => Some(0),
    }
}

/// The partition in which a fact must stand: a user's payments meet, and so does all that is said of an order.
#[must_use]
pub fn home_of_fact(fact: &Fact) -> i32 {
    let dense = |id| of_dense(id, FactTopic::of(fact.fact_type()).partitions());
    match fact {
        Fact::PaymentCaptured(f) => dense(f.user_id),
        Fact::PaymentDeclined(f) => dense(f.user_id),
        Fact::DispatchRequested(f) => dense(f.order_id),
        Fact::DispatchDelivered(f) => dense(f.order_id),
        Fact::DispatchFailed(f) => dense(f.order_id),
        Fact::PlatformEventReceived(f) => dense(f.order_id),
    }
}

/// A fact's Kafka key. In `external-platform` it is what compaction goes by, so two facts that must both be kept never
/// share one: the type stands in it, and of a partner's events the partner's id.
#[must_use]
pub fn key_of_fact(fact: &Fact) -> String {
    let of_order = |order_id: i64| format!("{}:{order_id}", fact.fact_type().name());
    match fact {
        Fact::PaymentCaptured(f) => f.user_id.to_string(),
        Fact::PaymentDeclined(f) => f.user_id.to_string(),
        Fact::DispatchRequested(f) => of_order(f.order_id),
        Fact::DispatchDelivered(f) => of_order(f.order_id),
        Fact::DispatchFailed(f) => of_order(f.order_id),
        Fact::PlatformEventReceived(f) => format!("{}:{}", fact.fact_type().name(), f.event_id),
    }
}

/// Where campaigns live.
pub const CAMPAIGN_PARTITION: i32 = 0;

/// Partition of a guest's sign-up: a retry with the same event id lands where the first went.
#[must_use]
pub fn of_event_id(event_id: Uuid) -> i32 {
    of_bytes(event_id.into_bytes(), Topic::Signup)
}

/// Partition of a dense id: (id - 1) mod partitions.
#[must_use]
pub fn of_id(id: i64, topic: Topic) -> i32 {
    of_dense(id, topic.partitions())
}

fn of_dense(id: i64, partitions: i32) -> i32 {
    (id.wrapping_sub(1).rem_euclid(i64::from(partitions))) as i32
}

fn of_bytes(bytes: [u8; 16], topic: Topic) -> i32 {
    (u128::from_be_bytes(bytes) % topic.partitions() as u128) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_ids_go_round_and_any_long_has_one_home() {
        assert_eq!(of_id(1, Topic::Coupon), 0);
        assert_eq!(of_id(8, Topic::Coupon), 7);
        assert_eq!(of_id(9, Topic::Coupon), 0);
        assert_eq!(of_id(5, Topic::Signup), 0);
        for id in [i64::MIN, -1, 0, i64::MAX] {
            assert!((0..8).contains(&of_id(id, Topic::Coupon)));
        }
    }

    #[test]
    fn a_guest_lands_by_the_last_bits_of_the_event_id() {
        let id = Uuid::from_u128(0xffff_ffff_0000_0000_0000_0000_0000_0006);
        assert_eq!(of_event_id(id), 2);
    }
}

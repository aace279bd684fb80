//! Names of the consumer groups, and what they read: they stand on the brokers and in `control`.

use crate::topics::{FactTopic, Topic};

/// Who projects accounts.
pub const SIGNUP: &str = "signup-projection";
/// Who projects coupons.
pub const COUPON: &str = "coupon-projection";
/// Who projects the shop.
pub const ORDER: &str = "order-projection";
/// Who keeps what the external platform is to be told.
pub const EXTERNAL_PLATFORM: &str = "external-platform";

/// Every group: name, topic without prefix, the topic's partitions.
pub const ALL: [(&str, &str, i32); 4] = [
    (SIGNUP, Topic::Signup.base_name(), Topic::Signup.partitions()),
    (COUPON, Topic::Coupon.base_name(), Topic::Coupon.partitions()),
    (ORDER, Topic::Order.base_name(), Topic::Order.partitions()),
    (EXTERNAL_PLATFORM, FactTopic::ExternalPlatform.base_name(), FactTopic::ExternalPlatform.partitions()),
];

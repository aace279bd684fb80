//! Ids that cannot be wrong: fixed-size byte ids as they stand in records, and bounded integers.
//!
//! A record may carry any `long`; `UserId` and `CouponId` are what is left after the bounds were checked once.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;
use std::fmt;

/// Ids stay below this so that they are exact as JSON numbers (2^53).
pub const ID_LIMIT: u64 = 1 << 53;

/// Largest coupon id: a userCouponId is `coupon id * 2^32 + winner number` and must stay below 2^53.
pub const MAX_COUPON_ID: u64 = (1 << 21) - 1;

/// Coupon totals and winner numbers stay below this (2^32).
pub const COUPON_TOTAL_LIMIT: u64 = 1 << 32;

const _: () = assert!(
    (MAX_COUPON_ID << 32) + (COUPON_TOTAL_LIMIT - 1) < ID_LIMIT,
    "a userCouponId must be exact as a JSON number"
);

macro_rules! fixed_id {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $size]);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                write!(f, ")")
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Bytes;
                impl de::Visitor<'_> for Bytes {
                    type Value = [u8; $size];
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{} bytes", $size)
                    }
                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
                    }
                }
                deserializer.deserialize_bytes(Bytes).map($name)
            }
        }
    };
}

fixed_id!(/// Random id of a log; the first `RulesActivated` fixes it.
    LogId, 16);
fixed_id!(/// HMAC of the normalised e-mail address, truncated to 16 bytes.
    EmailHmac, 16);
fixed_id!(/// Random id under which `account-private` holds a credential.
    AccountId, 16);
fixed_id!(/// Random id of one session.
    SessionId, 16);
fixed_id!(/// HMAC over method, path and parsed body, truncated to 16 bytes.
    Fingerprint, 16);
fixed_id!(/// HMAC of a constant text under a key: proves possession without showing the key.
    KeyCheck, 16);
fixed_id!(/// CRC-64-AVRO of a schema's parsing canonical form, little endian as in Avro's single-object encoding.
    Crc64, 8);

/// The text under a [`KeyCheck`].
const KEY_CHECK_TEXT: &[u8] = b"tidemark key check";

impl KeyCheck {
    /// Of a key of any length.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(truncated_hmac(key, &[KEY_CHECK_TEXT]))
    }
}

impl Fingerprint {
    /// Of the parts of a request, each prefixed with its length so that no two lists of parts look alike.
    #[must_use]
    pub fn of(key: &[u8], parts: &[&[u8]]) -> Self {
        Self(truncated_hmac(key, parts))
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn truncated_hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    let mut truncated = [0; 16];
    truncated.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    truncated
}

macro_rules! bounded_id {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(u64);

        impl $name {
            /// The largest id of this kind.
            pub const MAX: u64 = $max;

            /// `None` where the value is out of bounds.
            #[must_use]
            pub const fn new(value: u64) -> Option<Self> {
                if value >= 1 && value <= Self::MAX { Some(Self(value)) } else { None }
            }

            /// From a record's `long`.
            #[must_use]
            pub fn from_wire(value: i64) -> Option<Self> {
                u64::try_from(value).ok().and_then(Self::new)
            }

            /// The plain number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// As it stands in a record.
            #[must_use]
            pub const fn to_wire(self) -> i64 {
                self.0 as i64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

bounded_id!(/// A user, 1 .. 2^53 - 1.
    UserId, ID_LIMIT - 1);
bounded_id!(/// A coupon, 1 .. 2^21 - 1.
    CouponId, MAX_COUPON_ID);
bounded_id!(/// A product, dense from 1.
    ProductId, ID_LIMIT - 1);
bounded_id!(/// An option of a product, dense from 1 over all products.
    OptionId, ID_LIMIT - 1);
bounded_id!(/// An order, dense from 1; its items are `order id * 128 + i`.
    OrderId, (ID_LIMIT >> ITEM_BITS) - 1);

/// An item's number within its order, in bits: `orderItemId = order id * 128 + i`, a balance log's `offset * 128 + i`.
pub const ITEM_BITS: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: a log's key checks and fingerprints must come out the same in every version.
    #[test]
    fn truncated_hmacs_are_golden() {
        assert_eq!(format!("{:?}", KeyCheck::of(&[1; 32])), "KeyCheck(98cbafdb8fce5545cd2e86f0f87ac747)");
        assert_eq!(
            format!("{:?}", Fingerprint::of(&[1; 32], &[b"POST", b"/x", b"{}"])),
            "Fingerprint(aeb84285eb292590ac25cb0f2fdbee63)"
        );
        assert_ne!(Fingerprint::of(&[1; 32], &[b"ab", b"c"]), Fingerprint::of(&[1; 32], &[b"a", b"bc"]));
    }

    #[test]
    fn ids_outside_their_bounds_cannot_be_made() {
        assert_eq!(UserId::from_wire(0), None);
        assert_eq!(UserId::from_wire(-1), None);
        assert_eq!(UserId::from_wire(1 << 53), None);
        assert_eq!(UserId::from_wire((1 << 53) - 1).map(UserId::get), Some((1 << 53) - 1));
        assert_eq!(CouponId::from_wire(1 << 21), None);
        assert_eq!(CouponId::from_wire((1 << 21) - 1).map(CouponId::get), Some(MAX_COUPON_ID));
    }
}

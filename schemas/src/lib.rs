//! What is on the wire: record types, facts, ids, topic names, the partition rule and the Avro codec.
//!
//! Records are for ever. This crate knows nothing of ours and does no I/O: the ids that the schema registry
//! gave out are handed in (`codec::Codec::new`), and nothing here decides what a record means.
//!
//! The codec stands behind the feature `codec`, off by default: it brings the Avro library, and with it chance, and
//! `domain`, which only matches on records, must reach neither. Whoever reads or writes the log enables it.

#[cfg(feature = "codec")]
pub mod catalogue;
#[cfg(feature = "codec")]
pub mod codec;
pub mod fact;
pub mod facts;
mod family;
#[cfg(feature = "codec")]
mod framing;
pub mod groups;
pub mod ids;
pub mod partition;
pub mod record;
pub mod records;
pub mod topics;

pub use fact::{Fact, FactType};
pub use ids::{
    AccountId, CouponId, Crc64, EmailHmac, Fingerprint, KeyCheck, LogId, OptionId, OrderId, ProductId,
    SessionId, UserId,
};
pub use record::{Record, RecordType};
pub use topics::{FactTopic, Topic};
pub use uuid::Uuid;

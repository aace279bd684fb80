//! The tables' rows, one file per table, each with the statements a projection or a reader needs.
//!
//! Ids are below 2^53, times are milliseconds since the epoch, names are compared byte by byte.

mod bytes;
pub mod campaigns;
pub mod coupons;
pub mod projection_offset;
pub mod user_coupons;
pub mod users;

pub use bytes::Bytes;

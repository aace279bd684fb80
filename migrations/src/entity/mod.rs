//! The tables' rows, one file per table, each with the statements a projection or a reader needs.
//!
//! Ids are below 2^53, times are milliseconds since the epoch, names are compared byte by byte.

pub mod balance_logs;
pub mod balances;
mod bytes;
pub mod campaigns;
pub mod coupon_redemptions;
pub mod coupons;
pub mod external_dispatches;
mod numbered;
pub mod order_items;
pub mod orders;
pub mod outbox;
pub mod platform_events;
pub mod product_options;
pub mod products;
pub mod projection_offset;
pub mod user_coupons;
pub mod users;

pub use bytes::Bytes;
pub use numbered::Numbered;

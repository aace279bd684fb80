//! The folds: what the log's records come to. Pure: no clock, no randomness, no I/O, no async.
//!
//! The same code runs in the ingress (whole state in memory), in the projection (only the rows that a batch
//! touches) and in the audit, so they cannot disagree. Whatever influences a decision is in the records; the
//! time is the log's own.

pub mod accounts;
pub mod coupons;
pub mod digest;
pub mod fold;
pub mod header;
pub mod replays;
pub mod rules;
pub mod shop;
pub mod slot;

pub use fold::{Decision, Fold, Input, LogPosition, Undecided, Verdict};
pub use header::Header;
pub use slot::{Scope, Slot};

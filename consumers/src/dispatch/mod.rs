//! The external platform: told of every paid order, by a call under the order's own key, until it took it or an operator
//! must look. What was asked and how it ended stands in `external-platform`; what lies between only in MySQL.
//!
//! An order may be told twice (a crash between the call and the record of it), and the key makes that once. It must
//! never be told under another key, nor while the topic has not been read up to its end.

pub mod admin;
mod breaker;
mod dispatcher;
mod journal;
mod partner;
mod rows;
mod schedule;

pub use breaker::Breaker;
pub use dispatcher::{DispatchStatus, Dispatcher, Parts};
pub use journal::Journal;
pub use partner::{Order, Partner, Refusal};
pub use rows::{Dispatches, is_possible};
pub use schedule::Schedule;

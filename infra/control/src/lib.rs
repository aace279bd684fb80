//! What operators ask of running consumer groups: pause, resume, tune, skip. Asked in topic `control`, folded alike by
//! every process, answered for in `control.acks`, written down in `control.audit`.
//!
//! Nothing here reads or decides what a request log holds, and nothing here needs a schema registry: this is what an
//! operator works with when something else is broken.

pub mod acks;
pub mod applying;
pub mod audit;
pub mod clock;
pub mod database;
pub mod expiry;
pub mod hold;
pub mod journal;
pub mod lag;
pub mod limits;
pub mod members;
pub mod office;
pub mod progress;
pub mod records;
pub mod reporter;
pub mod scope;
pub mod skew;
pub mod skips;
pub mod state;
pub mod tail;
pub mod topics;

pub use database::{Address, Database};
pub use hold::{Hold, Holder, Mode, OnExpiry};
pub use scope::Scope;
pub use state::{Desired, State};

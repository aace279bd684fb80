//! The MySQL schema of Tidemark: its versions, its rows, and the few statements that touch them.
//!
//! It knows nothing of ours: no event, no fold, no topic. A row is what a table holds and nothing more,
//! so a caller converts explicitly. It never decides anything: a duplicate or a broken check is an error
//! that stops a projection, never something to be ignored here. Every statement is generic over
//! [`sea_orm::ConnectionTrait`], so the caller owns the transaction.

pub mod bulk;
pub mod entity;
mod failure;
mod migrator;
mod server;
mod version;

pub use failure::{Failure, failure_of_code, mysql_error_code};
pub use migrator::{LOCK_WAIT_S, MigrationError, Migrator, up, up_within, verify};
pub use server::takes_writes;

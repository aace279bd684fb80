//! One consumer group: who owns which partition, what is in flight, when to hold. One loop, one closed `Input`.

mod client;
mod dead_letters;
mod flow;
mod folding;
mod holding;
mod looking;
pub mod opening;
mod ownership;
pub mod work;
mod worker;

pub use client::Rebalance;
pub use dead_letters::DeadLetters;
pub use folding::Folding;
pub use ownership::{Group, GroupError, GroupStatus, OpenPartition, OpenPartitions};
pub use work::Work;
pub use worker::Finished;

/// Everything that can happen to a group.
///
/// Pausing and resuming by operators will be two more variants here, and nowhere else.
#[derive(Debug)]
pub enum Input {
    /// The group gave partitions to this instance, or took them away.
    Rebalance(Rebalance),
    /// A partition's place in MySQL was claimed and checked, or could not be.
    Opened(i32, u64, Box<Result<opening::Opened, opening::NotOpened>>),
    /// A partition's transaction is done, or failed.
    Finished(i32, u64, Finished),
    /// The database answers again after it was away.
    DatabaseIsBack,
    /// MySQL said where the partitions stand.
    Looked(looking::Looked),
    /// A partition that could not be opened is due for another try.
    Reopen(i32, u64),
}

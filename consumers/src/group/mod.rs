//! One consumer group: who owns which partition, what is in flight, when to hold. One loop, one closed `Input`.

mod activity;
mod client;
mod dead_letters;
mod flow;
mod folding;
mod holding;
mod looking;
pub mod opening;
mod ownership;
mod pausing;
pub mod work;
mod worker;

pub use activity::Activity;
pub use client::Rebalance;
pub use dead_letters::DeadLetters;
pub use folding::Folding;
pub use ownership::{Controls, Group, GroupError, GroupStatus, OpenPartition, OpenPartitions};
pub use work::Work;
pub use worker::Finished;

/// Everything that can happen to a group, but for another state of `control`, of which only the newest counts.
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
    /// Records have waited for others as long as they may.
    Ripe,
    /// MySQL said where the partitions stand.
    Looked(looking::Looked),
    /// A partition that could not be opened is due for another try.
    Reopen(i32, u64),
}

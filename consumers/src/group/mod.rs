//! One consumer group: who owns which partition, what is in flight, when to hold. `lifecycle` decides, `runtime` does.

mod activity;
mod client;
mod dead_letters;
mod effects;
mod folding;
pub mod lifecycle;
mod looking;
pub mod opening;
mod runtime;
mod seat;
mod status;
mod tasks;
mod wishes;
pub mod work;
mod worker;

pub use activity::Activity;
pub use client::Rebalance;
pub use dead_letters::DeadLetters;
pub use folding::Folding;
pub use runtime::{Group, GroupError};
pub use status::{Controls, GroupStatus, OpenPartition, OpenPartitions};
pub use work::Work;
pub use worker::Finished;

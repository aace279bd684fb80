//! What a group and others have to tell each other: of itself, of its open partitions, of what operators want.

use super::{Activity, work::Stop};
use control::{acks::GroupReport, tail::View};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Notify;

/// What a group says of itself; all of it comes from the lifecycle, so that nobody hears two things.
#[derive(Clone, Debug, Default)]
pub struct GroupStatus {
    /// Where each owned partition stands: next offset and digest unknown until opened.
    pub next_offsets: BTreeMap<i32, u64>,
    /// Partitions that stopped, and why.
    pub stopped: BTreeMap<i32, Stop>,
    /// Why this instance holds itself, or a partition of it, until something passes.
    pub held: Option<String>,
    /// For `control.acks`.
    pub report: GroupReport,
}

/// A partition that is claimed, checked and followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenPartition {
    /// Another one for each opening.
    pub generation: u64,
    /// How often MySQL had given the partition away; a larger one there means that it is somebody else's.
    pub epoch: u64,
    /// The offset that MySQL waits for.
    pub next_offset: u64,
    /// The offset from which on all that stood in the log at the opening has been seen.
    pub caught_up_at: u64,
}

impl OpenPartition {
    /// Whether MySQL holds what stood in the log at the opening.
    #[must_use]
    pub const fn has_caught_up(&self) -> bool {
        self.next_offset >= self.caught_up_at
    }
}

/// All open partitions of a group, for whoever works beside it.
pub type OpenPartitions = BTreeMap<i32, OpenPartition>;

/// What operators want, and where to say that something changed.
#[derive(Clone)]
pub struct Controls {
    /// What is known of `control`.
    pub view: View,
    /// Wakes whoever reports.
    pub changed: Arc<Notify>,
    /// What is under way in this group.
    pub activity: Activity,
}

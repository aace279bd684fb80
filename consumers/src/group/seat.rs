//! What this process keeps of a partition beside its state.

use super::{OpenPartition, work::Work, worker::Worker};
use chassis::{log_reader::RawRecord, shutdown::CancellationToken};
use tokio::time::Instant;

/// See the module.
pub(super) struct Seat<W: Work> {
    /// At rest; absent while it works, and where nothing of it is worth keeping.
    pub(super) worker: Option<Box<Worker<W>>>,
    /// What the last opening found.
    pub(super) opened: Option<OpenPartition>,
    /// When the client was first asked to seek there.
    pub(super) seeking_since: Instant,
    /// The next offset to queue.
    pub(super) next: u64,
    pub(super) waiting: Vec<RawRecord>,
    /// Since when the first of these waits; nothing where nobody counts.
    pub(super) waits_since: Option<Instant>,
    /// Ends the pause of a slow start between two transactions.
    pub(super) rest: CancellationToken,
    /// Rolls the transaction back that is under way.
    pub(super) stop: CancellationToken,
}

impl<W: Work> Default for Seat<W> {
    fn default() -> Self {
        Self {
            worker: None,
            opened: None,
            seeking_since: Instant::now(),
            next: 0,
            waiting: Vec::new(),
            waits_since: None,
            rest: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }
}

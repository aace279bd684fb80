//! What works beside a group's partitions, counted: a pause is confirmed only when nothing of it is under way.
//!
//! Whoever works enters first and then looks whether the partition is still open; a group closes the partition first and
//! then looks whether anybody is within. So one of them sees the other.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::Notify;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    within: Arc<AtomicU32>,
    changed: Arc<Notify>,
}

/// Work under way; it ends with this.
#[derive(Debug)]
pub struct Within(Activity);

impl Activity {
    /// One whose ends are told to `changed`.
    #[must_use]
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { within: Arc::default(), changed }
    }

    /// Something begins; look at the open partitions after this, not before.
    #[must_use]
    pub fn enter(&self) -> Within {
        self.within.fetch_add(1, Ordering::SeqCst);
        Within(self.clone())
    }

    /// How much is under way; look at it after closing the partitions, not before.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.within.load(Ordering::SeqCst)
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.0.within.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_one();
    }
}

//! Which records a fold passes over, asked for every record: so it costs next to nothing while there are none.
//!
//! A skip is recorded only where processes stopped, and stands for ever: whoever folds the log later passes over the same.

use crate::{State, tail::View};
use std::sync::Arc;
use tokio::sync::watch;

/// See the module.
pub struct Skips {
    states: watch::Receiver<Option<Arc<State>>>,
    known: Option<Arc<State>>,
}

impl Skips {
    /// As that view knows them.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let mut states = view.states();
        let known = states.borrow_and_update().clone();
        Self { states, known }
    }

    /// Whether there may be other ones than at the last time.
    pub fn refresh(&mut self) -> bool {
        if !self.states.has_changed().unwrap_or(false) {
            return false;
        }
        self.known = self.states.borrow_and_update().clone();
        true
    }

    /// Whether a record is passed over; the topic without prefix.
    #[must_use]
    pub fn has(&self, topic: &str, partition: i32, offset: u64) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_skipped(topic, partition, offset))
    }
}

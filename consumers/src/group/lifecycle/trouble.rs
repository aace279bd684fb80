//! Why a partition does not get on.

use crate::group::work::Stop;

/// What ends a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It arose when the partition was opened.
    Opened,
    /// It arose in a transaction at this offset, which MySQL must have passed.
    Past(u64),
}

/// Why a partition does not get on. It stays until the partition does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Something that may pass: it is tried again soon.
    Refused {
        /// The database's words.
        reason: String,
        /// How often in a row.
        times: u32,
        /// What ends it.
        until: Until,
    },
    /// Something that a person must look at: it is tried again on a slow schedule.
    Stopped {
        /// At what.
        stop: Stop,
        /// What ends it.
        until: Until,
    },
}

impl Trouble {
    pub(super) const fn is_over(&self, next_offset: u64) -> bool {
        match self {
            Self::Refused { until, .. } | Self::Stopped { until, .. } => match until {
                Until::Opened => true,
                Until::Past(offset) => next_offset > *offset,
            },
        }
    }
}

//! What operators want of a partition.

/// What operators want of a partition, and what is known of its former owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// It is to rest, and how.
    pub hold: Option<Hold>,
    /// An operator decided to pass over the record at which it stopped.
    pub passes_over: bool,
}

/// How a partition is to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// The open transaction is to be rolled back.
    pub at_once: bool,
    /// A former owner is known to write nothing any more.
    pub quiet: bool,
    /// The database is left for another one: who cannot ask it does not claim there.
    pub leaves: bool,
}

impl Wish {
    /// Whether it is to rest.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.hold.is_some()
    }

    /// Whether it may rest without being claimed.
    #[must_use]
    pub fn is_known_quiet(&self) -> bool {
        self.hold.is_some_and(|hold| hold.quiet)
    }
}

//! A slot says what is known of a row, so that "not there" can never be mistaken for "not loaded".

/// What a fold knows of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot<T> {
    /// The row.
    Loaded(T),
    /// There is no such row.
    Absent,
    /// Nobody looked; only in a partial state.
    NotLoaded,
}

impl<T> Slot<T> {
    /// The row, where there is one.
    #[must_use]
    pub fn loaded(self) -> Option<T> {
        match self {
            Self::Loaded(row) => Some(row),
            Self::Absent | Self::NotLoaded => None,
        }
    }
}

/// How much of the state a fold holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything since offset 0: what is not there is absent.
    Full,
    /// Only what was loaded: what is not there was not loaded.
    Partial,
}

impl Scope {
    /// What it means that a map has no entry.
    #[must_use]
    pub const fn unknown<T>(self) -> Slot<T> {
        match self {
            Self::Full => Slot::Absent,
            Self::Partial => Slot::NotLoaded,
        }
    }
}

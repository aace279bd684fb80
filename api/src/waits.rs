//! For how long a request waits for brokers and for MySQL before it is told so.

use crate::limits;
use std::time::Duration;

/// The limits' own waits, and what operators add to each of them for services that are far away or slow. One figure for
/// all, because they depend on each other: the brokers' verdict comes before the answer's deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    extra_ms: u32,
}

impl Waits {
    /// With so many ms more.
    #[must_use]
    pub const fn adding(extra_ms: u32) -> Self {
        Self { extra_ms }
    }

    /// See [`limits::DELIVERY_TIMEOUT_MS`].
    #[must_use]
    pub const fn delivery_timeout_ms(self) -> u32 {
        limits::DELIVERY_TIMEOUT_MS + self.extra_ms
    }

    /// See [`limits::FOLD_WAIT`].
    #[must_use]
    pub fn fold(self) -> Duration {
        limits::FOLD_WAIT + self.extra()
    }

    /// See [`limits::ANSWER_DEADLINE`].
    #[must_use]
    pub fn answer(self) -> Duration {
        limits::ANSWER_DEADLINE + self.extra()
    }

    /// See [`limits::ACKNOWLEDGEMENT_GRACE`].
    #[must_use]
    pub fn acknowledgement(self) -> Duration {
        limits::ACKNOWLEDGEMENT_GRACE + self.extra()
    }

    /// See [`limits::READ_INDEX`].
    #[must_use]
    pub fn read_index(self) -> Duration {
        limits::READ_INDEX + self.extra()
    }

    /// See [`limits::HISTORY_READ`].
    #[must_use]
    pub fn history_read(self) -> Duration {
        limits::HISTORY_READ + self.extra()
    }

    fn extra(self) -> Duration {
        Duration::from_millis(self.extra_ms.into())
    }
}

//! Whether this process' own clock is right, by the brokers'. Nothing that holds depend on uses it; sessions, webhooks and
//! whatever people read in logs do.

use crate::{clock::LogClock, limits};
use metrics::{Unit, describe_gauge, gauge};
use std::time::{Instant, SystemTime};

/// How far this process' clock is ahead of the brokers'.
const OFFSET: &str = "tidemark_clock_offset_seconds";

/// Says now and then that the clock is wrong, and once that it is right again.
#[derive(Debug)]
pub(crate) struct Skew {
    warned: Option<Instant>,
}

impl Skew {
    pub(crate) fn new() -> Self {
        describe_gauge!(OFFSET, Unit::Seconds, "How far the clock of this process is ahead of the brokers'");
        Self { warned: None }
    }

    /// Tells a monitoring system, and people where it is wrong.
    pub(crate) fn tell(&mut self, clock: &LogClock) {
        let at = Instant::now();
        let Some(offset_ms) = clock.offset_ms(wall_ms(), at) else { return };
        gauge!(OFFSET).set(offset_ms as f64 / 1e3);
        match self.word(offset_ms, at) {
            Some(Word::Wrong) => tracing::warn!(
                offset_ms,
                "this machine's clock is not that of the brokers (ahead where positive): set it right, as by NTP"
            ),
            Some(Word::Right) => {
                tracing::info!(offset_ms, "this machine's clock is that of the brokers again")
            }
            None => {}
        }
    }

    fn word(&mut self, offset_ms: i64, at: Instant) -> Option<Word> {
        if is_wrong(offset_ms) {
            let is_new = |warned: Instant| at.duration_since(warned) >= limits::CLOCK_WARNING_INTERVAL;
            let says = self.warned.is_none_or(is_new);
            self.warned = if says { Some(at) } else { self.warned };
            return says.then_some(Word::Wrong);
        }
        self.warned.take().map(|_| Word::Right)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Wrong,
    Right,
}

fn is_wrong(offset_ms: i64) -> bool {
    u128::from(offset_ms.unsigned_abs()) >= limits::CLOCK_OFFSET_WARNED.as_millis()
}

/// By this process' clock: for what it says of itself, never for what others rely on.
#[must_use]
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_wrong_clock_is_told_of_from_two_seconds_on_once_a_minute_and_when_it_is_right() {
        let (mut skew, began) = (Skew::new(), Instant::now());
        let steps = [
            (0, 0, None),
            (2, 1_999, None),
            (4, -1_999, None),
            (6, 2_000, Some(Word::Wrong)),
            (8, 3_600_000, None),
            (65, 3_600_000, None),
            (66, -2_000, Some(Word::Wrong)),
            (68, 10, Some(Word::Right)),
            (70, 10, None),
        ];
        for (second, offset_ms, word) in steps {
            assert_eq!(skew.word(offset_ms, began + Duration::from_secs(second)), word, "second {second}");
        }
    }
}

//! The brokers' time, as far as it is known here: from when they appended what is heard in `control.acks`, where every
//! instance reports every few seconds. Nothing that an operator asked for depends on the wall clock of one process.

use crate::limits;
use std::{collections::VecDeque, time::Instant};

/// See the module.
#[derive(Clone, Debug)]
pub struct LogClock {
    began: Instant,
    /// When the newest record was appended.
    stamped_ms: Option<i64>,
    /// The brokers' time less the time since `began`, by each of the last records that were heard as they came.
    heard: VecDeque<i64>,
}

/// How a record was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It stood there already: when it was appended says nothing about now.
    Backlog,
    /// It came after the end had been reached.
    Live,
}

impl LogClock {
    /// Has heard nothing.
    #[must_use]
    pub const fn new(began: Instant) -> Self {
        Self { began, stamped_ms: None, heard: VecDeque::new() }
    }

    /// One record more.
    pub fn hear(&mut self, appended_ms: i64, hearing: Hearing, at: Instant) {
        // Not the largest of all: the brokers may have set a wrong clock right.
        self.stamped_ms = Some(appended_ms);
        if hearing == Hearing::Live {
            self.heard.push_back(appended_ms.saturating_sub(self.since_began_ms(at)));
            if self.heard.len() > limits::CLOCK_RECORDS {
                self.heard.pop_front();
            }
        }
    }

    /// When the newest record was appended: the brokers were as far, at least. What must not happen too early is judged by
    /// this; while the brokers do not append, it stands still.
    #[must_use]
    pub const fn stamped_ms(&self) -> Option<i64> {
        self.stamped_ms
    }

    /// The brokers' time now; nothing until a record was heard as it came. It is late by as long as the quickest of the last
    /// records took, and goes on while the brokers are silent.
    #[must_use]
    pub fn now_ms(&self, at: Instant) -> Option<i64> {
        let quickest = self.heard.iter().max()?;
        Some(quickest.saturating_add(self.since_began_ms(at)))
    }

    /// How far a wall clock is ahead of the brokers'; nothing until so many records were heard that one that came late
    /// does not decide.
    #[must_use]
    pub fn offset_ms(&self, wall_ms: i64, at: Instant) -> Option<i64> {
        let now_ms = self.now_ms(at).filter(|_| self.heard.len() >= limits::CLOCK_RECORDS_LEAST)?;
        Some(wall_ms.saturating_sub(now_ms))
    }

    fn since_began_ms(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BROKERS_MS: i64 = 1_790_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    fn after(began: Instant, ms: i64) -> Instant {
        began + Duration::from_millis(ms.unsigned_abs())
    }

    /// A clock that heard a record every two seconds, each 5 ms after it was appended.
    fn heard(began: Instant, records: i64) -> LogClock {
        let mut clock = LogClock::new(began);
        for n in 0..records {
            clock.hear(BROKERS_MS + 2_000 * n, Hearing::Live, after(began, 2_000 * n + 5));
        }
        clock
    }

    #[test]
    fn what_stood_there_already_says_nothing_about_now() {
        let began = Instant::now();
        let mut clock = LogClock::new(began);
        assert_eq!((clock.stamped_ms(), clock.now_ms(began)), (None, None));
        // The system was down for ten hours.
        clock.hear(BROKERS_MS - 10 * HOUR_MS, Hearing::Backlog, began);
        assert_eq!(clock.stamped_ms(), Some(BROKERS_MS - 10 * HOUR_MS));
        assert_eq!(clock.now_ms(after(began, 500)), None);
        clock.hear(BROKERS_MS, Hearing::Live, after(began, 1_000));
        assert_eq!(clock.now_ms(after(began, 1_700)), Some(BROKERS_MS + 700));
    }

    #[test]
    fn while_the_brokers_are_silent_time_goes_on_but_nothing_is_over() {
        let began = Instant::now();
        let clock = heard(began, 20);
        let last_ms = 2_000 * 19;
        for silent_ms in [0, 1_000, 60_000, HOUR_MS] {
            let at = after(began, last_ms + 5 + silent_ms);
            assert_eq!(clock.now_ms(at), Some(BROKERS_MS + last_ms + silent_ms));
            assert_eq!(clock.stamped_ms(), Some(BROKERS_MS + last_ms));
        }
    }

    #[test]
    fn one_late_record_moves_nothing_back() {
        let began = Instant::now();
        let mut clock = heard(began, 5);
        let last_ms = 2_000 * 4;
        // Appended two seconds after the one before, heard half a minute later.
        clock.hear(BROKERS_MS + last_ms + 2_000, Hearing::Live, after(began, last_ms + 32_000));
        assert_eq!(clock.now_ms(after(began, last_ms + 32_000)), Some(BROKERS_MS + last_ms + 31_995));
    }

    #[test]
    fn brokers_that_set_their_clock_right_are_followed() {
        let began = Instant::now();
        let records = i64::try_from(limits::CLOCK_RECORDS).unwrap();
        for step_ms in [-HOUR_MS, -30_000, 30_000, HOUR_MS] {
            let mut clock = heard(began, records);
            for n in records..2 * records {
                let appended_ms = BROKERS_MS + 2_000 * n + step_ms;
                clock.hear(appended_ms, Hearing::Live, after(began, 2_000 * n + 5));
                assert_eq!(clock.stamped_ms(), Some(appended_ms));
            }
            let at_ms = 2_000 * (2 * records - 1) + 5;
            assert_eq!(
                clock.now_ms(after(began, at_ms)),
                Some(BROKERS_MS + at_ms - 5 + step_ms),
                "{step_ms}"
            );
        }
    }

    #[test]
    fn a_wall_clock_is_told_how_far_it_is_off_and_moves_nothing() {
        let began = Instant::now();
        let (clock, at) = (heard(began, 10), after(began, 2_000 * 9 + 5));
        let now_ms = BROKERS_MS + 2_000 * 9;
        for off_ms in [-HOUR_MS, -30_000, -2_000, 0, 2_000, 30_000, HOUR_MS] {
            assert_eq!(clock.offset_ms(now_ms + off_ms, at), Some(off_ms));
        }
        let few = i64::try_from(limits::CLOCK_RECORDS_LEAST).unwrap() - 1;
        assert_eq!(heard(began, few).offset_ms(now_ms, at), None, "one that came late would decide");
    }
}

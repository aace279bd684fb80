//! A circuit breaker for one host: after some failures in a row nobody calls it for a while, then one does. It never
//! judges an order, only the host.

use crate::limits;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug)]
pub struct Breaker {
    pause: Duration,
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { probing: bool },
}

impl Breaker {
    /// One that stays open for this long.
    #[must_use]
    pub const fn new(pause: Duration) -> Self {
        Self { pause, failures: 0, state: State::Closed }
    }

    /// How many of the calls that are wanted may begin now.
    pub fn permits(&mut self, now: Instant, wanted: usize) -> usize {
        if matches!(self.state, State::Open { until } if now >= until) {
            self.state = State::HalfOpen { probing: false };
        }
        match self.state {
            State::Closed => wanted,
            State::HalfOpen { probing: false } => wanted.min(1),
            State::HalfOpen { probing: true } | State::Open { .. } => 0,
        }
    }

    /// A call begins.
    pub const fn begun(&mut self) {
        if let State::HalfOpen { probing } = &mut self.state {
            *probing = true;
        }
    }

    /// A call ended; the host answered sensibly, or it did not.
    pub fn ended(&mut self, now: Instant, answered: bool) {
        if answered {
            (self.failures, self.state) = (0, State::Closed);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.failures >= limits::BREAKER_FAILURES,
            // Only the probe counts; what began before and ends now says nothing new.
            State::HalfOpen { probing } => probing,
            State::Open { .. } => false,
        };
        if opens {
            self.state = State::Open { until: now + self.pause };
        }
    }

    /// In a word, for `/health`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self.state {
            State::Closed => "closed",
            State::HalfOpen { .. } => "half-open",
            State::Open { .. } => "open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(PAUSE);
        for _ in 0..limits::BREAKER_FAILURES {
            assert_eq!(breaker.permits(now, 4), 4);
            breaker.begun();
            breaker.ended(now, false);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_not_before() {
        let now = Instant::now();
        let mut breaker = Breaker::new(PAUSE);
        for _ in 0..3 * limits::BREAKER_FAILURES {
            for _ in 1..limits::BREAKER_FAILURES {
                breaker.ended(now, false);
            }
            assert_eq!(breaker.permits(now, 4), 4);
            breaker.ended(now, true);
        }
        assert_eq!(opened(now).permits(now, 4), 0);
    }

    #[test]
    fn after_its_pause_one_call_decides() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.permits(now + PAUSE - Duration::from_millis(1), 4), 0);
        let later = now + PAUSE;
        assert_eq!(breaker.permits(later, 4), 1);
        assert_eq!(breaker.permits(later, 4), 1, "asking is not calling");
        breaker.begun();
        assert_eq!(breaker.permits(later, 4), 0, "one at a time");
        breaker.ended(later, false);
        assert_eq!(breaker.permits(later, 4), 0);
        assert_eq!(breaker.permits(later + PAUSE, 4), 1);
        breaker.begun();
        breaker.ended(later + PAUSE, true);
        assert_eq!((breaker.permits(later + PAUSE, 4), breaker.word()), (4, "closed"));
    }

    #[test]
    fn calls_that_began_before_it_opened_do_not_keep_it_open_longer() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.ended(now + PAUSE / 2, false);
        assert_eq!(breaker.permits(now + PAUSE, 4), 1);
    }
}

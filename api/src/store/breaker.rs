//! Keeps requests away from a Redis that does not answer: after some failures in a row only one request in a while is
//! let through to look whether it is back. It never sleeps and never asks by itself.

use crate::limits;
use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Instant,
};

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Ask.
    Ask,
    /// Ask, on behalf of all others: it did not answer of late.
    Probe,
    /// Do not ask.
    Refused,
}

/// What a breaker keeps requests away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// A Redis that does not answer.
    Questions,
    /// One that answers and takes no writes, such as a replica.
    Writes,
}

/// Counts failures in a row.
#[derive(Debug)]
pub struct Breaker {
    guarded: Guarded,
    born: Instant,
    failures: AtomicU32,
    /// When the next probe may go, in ms since `born`.
    next_probe_ms: AtomicU64,
}

impl Breaker {
    /// Lets everything through until it hears of failures.
    pub fn new(guarded: Guarded) -> Self {
        let (failures, next_probe_ms) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { guarded, born: Instant::now(), failures, next_probe_ms }
    }

    /// Whether to ask now.
    pub fn admit(&self) -> Admission {
        self.admit_at(self.now_ms())
    }

    /// What is guarded works. Said once an outage.
    pub fn worked(&self) {
        if self.failures.swap(0, Ordering::AcqRel) >= limits::REDIS_FAILURES {
            match self.guarded {
                Guarded::Questions => tracing::info!("Redis answers again"),
                Guarded::Writes => tracing::info!("Redis takes writes again"),
            }
        }
    }

    /// It does not. Said once an outage.
    pub fn failed(&self, reason: &str) {
        if self.fail_at(self.now_ms()) {
            match self.guarded {
                Guarded::Questions => {
                    tracing::warn!(
                        reason,
                        "Redis does not answer; carts are away, older orders come from MySQL"
                    );
                }
                Guarded::Writes => {
                    tracing::warn!(reason, "Redis takes no writes; carts can be read and not changed");
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn admit_at(&self, now_ms: u64) -> Admission {
        if self.failures.load(Ordering::Acquire) < limits::REDIS_FAILURES {
            return Admission::Ask;
        }
        let due = self.next_probe_ms.load(Ordering::Acquire);
        let next = now_ms + limits::REDIS_PAUSE.as_millis() as u64;
        let mine = due <= now_ms
            && self.next_probe_ms.compare_exchange(due, next, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if mine { Admission::Probe } else { Admission::Refused }
    }

    /// Whether this was the failure that keeps requests away from now on.
    fn fail_at(&self, now_ms: u64) -> bool {
        let next = now_ms + limits::REDIS_PAUSE.as_millis() as u64;
        self.next_probe_ms.fetch_max(next, Ordering::AcqRel);
        self.failures.fetch_add(1, Ordering::AcqRel) + 1 == limits::REDIS_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE_MS: u64 = limits::REDIS_PAUSE.as_millis() as u64;

    #[test]
    fn a_dead_redis_is_asked_by_one_request_in_each_pause() {
        let breaker = Breaker::new(Guarded::Questions);
        for n in 1..=limits::REDIS_FAILURES {
            assert_eq!(breaker.admit_at(0), Admission::Ask);
            assert_eq!(breaker.fail_at(0), n == limits::REDIS_FAILURES, "said once");
        }
        assert_eq!(breaker.admit_at(PAUSE_MS - 1), Admission::Refused);
        assert_eq!(breaker.admit_at(PAUSE_MS), Admission::Probe);
        assert_eq!(breaker.admit_at(PAUSE_MS), Admission::Refused, "one at a time");
        assert!(!breaker.fail_at(PAUSE_MS));
        assert_eq!(breaker.admit_at(2 * PAUSE_MS - 1), Admission::Refused);
        assert_eq!(breaker.admit_at(2 * PAUSE_MS), Admission::Probe);
        breaker.worked();
        assert_eq!(breaker.admit_at(2 * PAUSE_MS), Admission::Ask);
    }

    #[test]
    fn a_failure_now_and_then_keeps_nobody_away() {
        let breaker = Breaker::new(Guarded::Questions);
        for _ in 0..10 {
            assert!(!breaker.fail_at(0));
            breaker.worked();
            assert_eq!(breaker.admit_at(0), Admission::Ask);
        }
    }
}

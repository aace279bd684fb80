//! What came of a step: how many checks passed and failed, how long it took, what a failed one said.

use std::fmt;
use std::process::ExitCode;

/// How many checks passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// One check.
    pub(super) fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }

    /// A run that failed without a failed test (it did not compile, it was killed), or that ran none, counts as one
    /// failure: it must never look like a success.
    pub(super) fn of_run(self, success: bool) -> Self {
        match (self.failed, success && self != Self::default()) {
            (0, false) => Self { failed: 1, ..self },
            _ => self,
        }
    }

    pub(super) fn exit_code(self) -> ExitCode {
        match self.failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// What one step found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tally: Tally,
    /// What to say where it failed.
    pub(super) complaint: String,
    /// Of a step that ran tests one by one.
    pub(super) cases: Vec<Case>,
}

impl Found {
    pub(super) fn plain(passed: bool) -> Self {
        Self { tally: Tally::one(passed), ..Self::default() }
    }

    pub(super) fn judged(complaint: Option<String>) -> Self {
        let tally = Tally::one(complaint.is_none());
        Self { tally, complaint: complaint.unwrap_or_default(), cases: Vec::new() }
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    /// Its binary and its path, as in `stack::it drills::release::a_sentence`.
    pub(super) name: String,
    pub(super) seconds: f64,
}

/// A step that was run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    pub(super) found: Found,
    pub(super) seconds: f64,
    /// The processors' idle share meanwhile, from 0 to 1.
    pub(super) idle: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_breaks_without_a_failed_test_is_a_failure() {
        let three = Tally { passed: 3, failed: 0 };
        assert_eq!(three.of_run(true), three);
        assert_eq!(three.of_run(false).to_string(), "3 passed, 1 failed");
        assert_eq!(Tally::default().of_run(true).to_string(), "0 passed, 1 failed");
        let bad = Tally { passed: 7, failed: 2 };
        assert_eq!(bad.of_run(false), bad);
    }
}

//! Counting: what passed, what failed, and the last line.

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

    /// Sums the `test result:` lines of a `cargo test` run.
    ///
    /// A run that failed without a failed test (it did not compile, a test program crashed before its
    /// result line) counts as one failure; it must never look like a success.
    pub(super) fn of_cargo_test(output: &str, success: bool) -> Self {
        let mut sum = output.lines().filter_map(result_line).fold(Self::default(), Self::plus);
        if !success && sum.failed == 0 {
            sum.failed = 1;
        }
        // No test at all means that the run broke before any: `cargo test` itself would say success.
        if sum == Self::default() {
            sum.failed = 1;
        }
        sum
    }

    pub(super) fn add(&mut self, other: Self) {
        *self = self.plus(other);
    }

    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
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

/// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`
fn result_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok());
    Some(Tally { passed: count("passed")?, failed: count("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
    const BAD: &str =
        "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";

    #[test]
    fn result_lines_of_all_test_programs_are_summed() {
        let output = format!("running 3 tests\n{GOOD}\nnoise\n{BAD}\n{GOOD}\n");
        let tally = Tally::of_cargo_test(&output, false);
        assert_eq!(tally.to_string(), "7 passed, 2 failed");
    }

    #[test]
    fn a_run_that_breaks_without_a_failed_test_is_a_failure() {
        assert_eq!(Tally::of_cargo_test(GOOD, false).to_string(), "3 passed, 1 failed");
        assert_eq!(Tally::of_cargo_test("error[E0308]", false).to_string(), "0 passed, 1 failed");
        assert_eq!(Tally::of_cargo_test("", true).to_string(), "0 passed, 1 failed");
        assert_eq!(Tally::of_cargo_test(GOOD, true).to_string(), "3 passed, 0 failed");
    }
}

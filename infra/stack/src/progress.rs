//! What a person sees while waiting: one line per step, with seconds.
//!
//! Progress goes to standard error, answers go to standard output, so that `cargo stack status --json`
//! can be piped. It must never fail the work it reports on: a closed terminal is ignored.

use std::io::Write;
use std::time::Instant;

/// Writes one line of progress to standard error.
pub fn note(line: &str) {
    let mut stderr = std::io::stderr().lock();
    // A reader that has gone away is no reason to stop installing.
    let _ = writeln!(stderr, "{line}");
}

/// Writes one line of a command's answer to standard output.
pub fn answer(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// A step that takes time; say how it ended with [`Step::done`].
#[derive(Debug)]
pub struct Step {
    what: String,
    since: Instant,
}

impl Step {
    /// Starts the clock, silently: lines of steps that run side by side would mix.
    pub fn start(what: impl Into<String>) -> Self {
        Self { what: what.into(), since: Instant::now() }
    }

    /// Writes the step's line: what was done, and the seconds it took.
    pub fn done(self, how: &str) {
        note(&format!("  {:<28} {how:<11} {:6.1} s", self.what, self.since.elapsed().as_secs_f64()));
    }

    /// Seconds since the step started.
    pub fn seconds(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }
}

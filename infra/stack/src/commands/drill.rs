//! `cargo stack drill`: a fault under load, again and again with other seeds, for whoever has the time.
//!
//! It runs the very test that `cargo stack test` runs with two seeds, so that there is one chaos and not two.

use super::cargo;
use clap::ValueEnum;
use stack::error::Doing;
use stack::progress::{Step, answer};
use stack::{Result, testing};
use std::process::{ExitCode, Stdio};

/// What to run, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    drill: Drill,
    /// How many seeds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them; the others follow.
    #[arg(long, default_value_t = 1)]
    first: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Drill {
    /// Both API processes, the consumers and MySQL killed at random moments under the production scenario.
    Chaos,
}

impl Drill {
    /// The test, and the variable that gives it another seed.
    fn test(self) -> (&'static str, &'static str) {
        match self {
            Self::Chaos => (
                "faults::chaos::nobody_pays_twice_and_no_payment_is_lost_whatever_is_killed_first_seed",
                "TIDEMARK_CHAOS_SEED",
            ),
        }
    }
}

/// Exit code 0 when every seed passed.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    testing::running()?;
    for program in ["api", "consumers"] {
        cargo::build(program)?;
    }
    let (test, variable) = args.drill.test();
    let mut failed = Vec::new();
    for seed in (args.first..).take(usize::try_from(args.seeds).unwrap_or(usize::MAX)) {
        let step = Step::start(format!("seed {seed}"));
        let all = ["test", "-p", "stack", "--test", "it", "--quiet", "--", "--exact", "--nocapture", test];
        let output = cargo::command(&all)?
            .env(variable, seed.to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .doing(|| "run cargo test".into())?;
        // A name that no test has runs nothing, successfully.
        let passed = output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed");
        step.done(if passed { "passed" } else { "FAILED" });
        if !passed {
            failed.push(seed);
        }
    }
    answer(&format!("{} of {} seeds passed", args.seeds - failed.len() as u64, args.seeds));
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    answer(&format!("failed: {failed:?}; again: cargo stack drill chaos --seeds 1 --first {}", failed[0]));
    Ok(ExitCode::FAILURE)
}

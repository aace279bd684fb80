//! `cargo stack drill`: the proofs of pause and resume, and the chaos, one by one or all of them, for whoever has the time.
//!
//! It runs the very tests that `cargo stack test` runs, so that there is one proof of each thing and not two.

use super::cargo;
use clap::ValueEnum;
use stack::error::Doing;
use stack::progress::{Step, answer};
use stack::{Result, testing};
use std::process::{ExitCode, Stdio};

/// Seeds of the chaos, unless somebody says how many.
const SEEDS: u64 = 10;
/// Seeds of the chaos as one drill of all.
const SEEDS_OF_ALL: u64 = 2;
/// Gives the chaos another seed.
const SEED: &str = "TIDEMARK_CHAOS_SEED";

/// Packages whose programs the drills start: a stale one would be drilled instead of what stands here.
const PACKAGES: [&str; 3] = ["api", "consumers", "cli"];

/// What to run, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    drill: Drill,
    /// How many seeds of the chaos: 10, or 2 as one of all.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// The first of them; the others follow.
    #[arg(long, default_value_t = 1)]
    first: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Drill {
    /// 1: one call pauses two, then four processes under load; nothing is written until they are resumed.
    PauseUnderLoad,
    /// 2: processes that start while paused write nothing.
    StartedWhilePaused,
    /// 3: a member is killed while paused; its partitions move and stay paused.
    KilledWhilePaused,
    /// 4: the broker and all workers restart while paused; the same hold is in force.
    AllRestart,
    /// 5: a worker is frozen during the call, between transactions and within one.
    FrozenWorker,
    /// 6: two holders; one of them resumes.
    TwoHolders,
    /// 7: a hold's time ends while MySQL takes no writes.
    ReadOnlyExpiry,
    /// 8: a released server has no session of the processes and may be stopped.
    Release,
    /// 9: MySQL comes back with a bigger buffer pool in the middle of the sale.
    MysqlRestarted,
    /// 10: a cutover to servers that lack transactions, back again, and cutovers that fail.
    Cutover,
    /// 11: a backlog is drained by a ramp (`TIDEMARK_RAMP_BACKLOG`: how many claims).
    Ramp,
    /// Both API processes, the consumers and MySQL killed at random moments under the production scenario.
    Chaos,
    /// All of them, one after the other.
    All,
}

/// The tests of a drill: package, module, name.
type Proof = &'static [(&'static str, &'static str, &'static str)];

/// Those of number 10.
const CUTOVER: Proof = &[
    (
        "stack",
        "drills::cutover",
        "a_server_that_lacks_the_last_transactions_takes_over_and_nothing_is_applied_twice",
    ),
    (
        "stack",
        "drills::cutover",
        "nobody_notices_a_cutover_there_and_back_under_the_production_scenario_of_k6",
    ),
    ("stack", "drills::cutover", "a_cutover_that_fails_leaves_the_old_server_in_charge"),
    (
        "stack",
        "drills::cutover",
        "a_server_that_is_gone_for_good_is_left_for_an_empty_one_also_by_workers_that_have_started_since",
    ),
];

impl Drill {
    fn tests(self) -> Proof {
        match self {
            Self::PauseUnderLoad => &[(
                "stack",
                "drills::pause_under_load",
                "one_call_pauses_every_process_and_nothing_is_written_until_they_are_resumed",
            )],
            Self::StartedWhilePaused => &[(
                "consumers",
                "pausing",
                "a_process_that_starts_while_paused_writes_nothing_and_all_may_restart",
            )],
            Self::KilledWhilePaused => &[(
                "stack",
                "drills::killed_while_paused",
                "partitions_of_a_killed_member_move_and_stay_paused",
            )],
            Self::AllRestart => {
                &[("stack", "drills::all_restart", "a_pause_outlives_the_broker_and_all_workers")]
            }
            Self::FrozenWorker => &[
                (
                    "stack",
                    "drills::frozen_worker",
                    "a_worker_frozen_during_the_call_is_named_and_writes_nothing_when_it_wakes",
                ),
                (
                    "stack",
                    "drills::frozen_worker",
                    "a_worker_frozen_within_a_transaction_holds_nobody_up_and_its_transaction_is_refused",
                ),
            ],
            Self::TwoHolders => &[("consumers", "pausing", "two_holders_never_undo_each_other")],
            Self::ReadOnlyExpiry => &[(
                "stack",
                "drills::read_only_expiry",
                "a_hold_that_ends_while_mysql_is_read_only_stays_and_says_why",
            )],
            Self::Release => &[(
                "stack",
                "drills::release",
                "a_released_server_has_no_session_of_the_processes_and_they_wait_to_be_resumed",
            )],
            Self::MysqlRestarted => &[
                (
                    "stack",
                    "drills::mysql_restarted",
                    "mysql_comes_back_with_a_bigger_buffer_pool_and_nobody_notices",
                ),
                (
                    "stack",
                    "drills::mysql_restarted",
                    "nobody_notices_it_under_the_production_scenario_of_k6_either",
                ),
            ],
            Self::Cutover => CUTOVER,
            Self::Ramp => &[(
                "stack",
                "drills::ramp",
                "a_backlog_is_drained_in_steps_and_shoppers_are_answered_in_time",
            )],
            Self::Chaos => &[(
                "stack",
                "faults::chaos",
                "nobody_pays_twice_and_no_payment_is_lost_whatever_is_killed_first_seed",
            )],
            Self::All => &[],
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// One drill's end.
struct Ended {
    drill: Drill,
    /// Of the chaos.
    seed: Option<u64>,
    passed: bool,
    seconds: f64,
}

/// Exit code 0 when everything passed.
pub(super) fn run(args: &Args) -> Result<ExitCode> {
    testing::running()?;
    for package in PACKAGES {
        cargo::build(package)?;
    }
    let all = args.drill == Drill::All;
    let drills = Drill::value_variants()
        .iter()
        .copied()
        .filter(|drill| if all { *drill != Drill::All } else { *drill == args.drill });
    let seeds = args.seeds.unwrap_or(if all { SEEDS_OF_ALL } else { SEEDS });
    let mut ended = Vec::new();
    for drill in drills {
        match drill {
            Drill::Chaos => {
                for seed in (args.first..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
                    ended.push(one(drill, Some(seed))?);
                }
            }
            _ => ended.push(one(drill, None)?),
        }
    }
    Ok(summary(&ended))
}

fn one(drill: Drill, seed: Option<u64>) -> Result<Ended> {
    let step = Step::start(title(drill, seed));
    let mut passed = true;
    for (package, module, name) in drill.tests() {
        let test = format!("{module}::{name}");
        let args = ["test", "-p", package, "--test", "it", "--quiet", "--", "--exact", "--nocapture", &test];
        let output = cargo::command(&args)?
            .envs(seed.map(|seed| (SEED, seed.to_string())))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .doing(|| "run cargo test".into())?;
        // A name that no test has runs nothing, successfully.
        passed &= output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed");
    }
    let seconds = step.seconds();
    step.done(said(passed));
    Ok(Ended { drill, seed, passed, seconds })
}

fn title(drill: Drill, seed: Option<u64>) -> String {
    seed.map_or_else(|| drill.name(), |seed| format!("{} seed {seed}", drill.name()))
}

const fn said(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

/// The table, and how to run again what failed.
fn summary(ended: &[Ended]) -> ExitCode {
    for Ended { drill, seed, passed, seconds } in ended {
        answer(&format!("{:<24} {} {seconds:6.1} s", title(*drill, *seed), said(*passed)));
    }
    let passed = ended.iter().filter(|ended| ended.passed).count();
    answer(&format!("{passed} of {} passed", ended.len()));
    for Ended { drill, seed, .. } in ended.iter().filter(|ended| !ended.passed) {
        let seed = seed.map_or_else(String::new, |seed| format!(" --seeds 1 --first {seed}"));
        answer(&format!("again: cargo stack drill {}{seed}", drill.name()));
    }
    if passed == ended.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Of a package's tests.
    fn file(package: &str, module: &str) -> PathBuf {
        let root = stack::workspace::root().unwrap();
        let package = if package == "stack" { "infra/stack" } else { package };
        root.join(package).join("tests/it").join(format!("{}.rs", module.replace("::", "/")))
    }

    #[test]
    fn every_drill_is_a_test_that_is_there() {
        for drill in Drill::value_variants().iter().filter(|drill| **drill != Drill::All) {
            assert!(!drill.tests().is_empty(), "{drill:?}");
            for (package, module, name) in drill.tests() {
                let text = std::fs::read_to_string(file(package, module)).unwrap();
                assert!(text.contains(&format!("fn {name}(")), "{package}: {module}::{name}");
            }
        }
    }
}

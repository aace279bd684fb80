//! The steps, in order, and how each is run, timed and written down.
//!
//! A step must never end the run: the next ones still say what they find.

use super::programs::Programs;
use super::tally::Tally;
use crate::commands::{cargo, run};
use stack::cache::Cache;
use stack::error::{Doing, tail};
use stack::{Error, Result, Stack, install, progress, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One check, or for `cargo test` as many as there are tests.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name: on the terminal, and in its log's name.
    pub(super) name: &'static str,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// cargo with those arguments; passes when it exits with 0.
    Cargo(&'static [&'static str]),
    /// `cargo doc`, warnings being errors.
    Docs,
    /// cargo with those arguments; every test counts.
    Tests(&'static [&'static str]),
    /// Topics and tables are made, then `consumers` and `api` are started.
    Programs,
    /// A k6 script, a path from the root of the workspace; it gets `BASE_URL`.
    #[expect(dead_code, reason = "the scripts in k6/ are listed in STEPS as they arrive")]
    K6(&'static str),
    /// `consumers audit` against the log, MySQL and the running programs.
    Audit,
}

const fn step(name: &'static str, work: Work) -> Step {
    Step { name, work }
}

/// Run while the services start: they need none.
pub(super) const WHILE_STARTING: &[Step] = &[
    step("format", Work::Cargo(&["fmt", "--all", "--check"])),
    step(
        "lints",
        Work::Cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ),
    step("build", Work::Cargo(&["build", "--workspace", "--all-targets", "--locked"])),
];

/// Run when the services are up. A k6 script is added here, between `programs` and `audit`.
pub(super) const STEPS: &[Step] = &[
    step("tests", Work::Tests(&["test", "--workspace", "--locked", "--no-fail-fast"])),
    step("docs", Work::Docs),
    step("programs", Work::Programs),
    step("audit", Work::Audit),
];

/// What the steps work on.
#[derive(Debug)]
pub(super) struct Session {
    folder: PathBuf,
    stack: Option<Stack>,
    programs: Option<Programs>,
    number: usize,
}

impl Session {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, stack: None, programs: None, number: 0 }
    }

    /// Takes the services over, or says why there are none.
    pub(super) fn take_services(&mut self, up: Result<(Stack, f64)>) -> Tally {
        match up {
            Ok((stack, seconds)) => {
                self.stack = Some(stack);
                line("services", "started", seconds);
                Tally::one(true)
            }
            Err(error) => {
                progress::note(&format!("FAILED services: {error}"));
                Tally::one(false)
            }
        }
    }

    /// Runs one step with its output in a log of its own, and prints its line.
    pub(super) fn run(&mut self, step: &Step) -> Tally {
        self.number += 1;
        let log = self.folder.join(format!("{:02}-{}.log", self.number, step.name));
        let clock = progress::Step::start(step.name);
        let tally = match self.work(step, &log) {
            Ok(tally) => tally,
            Err(error) => {
                progress::note(&format!("FAILED {}: {error}", step.name));
                return Tally::one(false);
            }
        };
        let how = match &step.work {
            Work::Tests(_) => tally.to_string(),
            _ if tally.failed == 0 => "passed".to_owned(),
            _ => "FAILED".to_owned(),
        };
        line(step.name, &how, clock.seconds());
        if tally.failed > 0 {
            if matches!(step.work, Work::Tests(_)) {
                progress::note(&failed_tests(&log));
            }
            progress::note(&format!("--- end of {} ---\n{}", log.display(), tail(&log)));
        }
        tally
    }

    fn work(&mut self, step: &Step, log: &Path) -> Result<Tally> {
        match &step.work {
            Work::Cargo(args) => Ok(Tally::one(self.finish(cargo::command(args)?, log)?)),
            Work::Docs => {
                let mut docs = cargo::command(&["doc", "--workspace", "--no-deps", "--locked"])?;
                docs.env("RUSTDOCFLAGS", "-D warnings");
                Ok(Tally::one(self.finish(docs, log)?))
            }
            Work::Tests(args) => {
                let success = self.finish(cargo::command(args)?, log)?;
                let output = fs::read(log).doing(|| format!("read {}", log.display()))?;
                Ok(Tally::of_cargo_test(&String::from_utf8_lossy(&output), success))
            }
            Work::Programs => {
                let programs = Programs::start(self.services()?, log)?;
                self.programs = Some(programs);
                Ok(Tally::one(true))
            }
            Work::K6(script) => {
                let mut k6 = Command::new(install::k6(&Cache::open()?)?);
                k6.args(["run", "--no-usage-report", "--quiet", script])
                    .current_dir(workspace::root()?)
                    .env("BASE_URL", self.running()?.base_url())
                    .envs(self.services()?.secrets()?);
                Ok(Tally::one(self.finish(k6, log)?))
            }
            Work::Audit => {
                self.running()?.require_alive()?;
                let env = self.running()?.environment().clone();
                let urls = run::admin_urls(self.services()?);
                let mut audit = Command::new(stack::process::binary("consumers")?);
                audit.arg("audit").envs(env).envs(urls);
                Ok(Tally::one(self.finish(audit, log)?))
            }
        }
    }

    /// Runs a command to its end, everything it says in the log.
    fn finish(&self, mut command: Command, log: &Path) -> Result<bool> {
        let out = fs::File::create(log).doing(|| format!("create {}", log.display()))?;
        let err = out.try_clone().doing(|| "copy a file handle".into())?;
        let program = command.get_program().to_string_lossy().into_owned();
        let status = command
            .env("TIDEMARK_STACK_DIR", &self.folder)
            .env("CARGO_TERM_COLOR", "never")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .status()
            .doing(|| format!("run {program}"))?;
        Ok(status.success())
    }

    fn services(&mut self) -> Result<&mut Stack> {
        let missing = || Error::prepare("repair the services first: they did not start");
        self.stack.as_mut().ok_or_else(missing)
    }

    fn running(&mut self) -> Result<&mut Programs> {
        let missing = || Error::prepare("repair `programs` first: they did not start");
        self.programs.as_mut().ok_or_else(missing)
    }

    /// Stops everything; counts only when something does not stop.
    pub(super) fn stop(&mut self) -> Tally {
        let Some(mut stack) = self.stack.take() else {
            return Tally::default();
        };
        match stack.down() {
            Ok(()) => Tally::default(),
            Err(error) => {
                progress::note(&format!("FAILED stop: {error}"));
                Tally::one(false)
            }
        }
    }
}

/// The names of failed tests: with many of them they are far above the end of the log.
fn failed_tests(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let names = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    format!("failed tests: {}", names.collect::<Vec<_>>().join(", "))
}

fn line(name: &str, how: &str, seconds: f64) {
    progress::note(&format!("{name:<10} {how:<22} {seconds:7.1} s"));
}

//! How each step is run, timed and written down.
//!
//! A step must never end the run: the next ones still say what they find.

use super::standstills::Watch;
use super::steps::{BUILD, Load, Step, Work};
use super::tally::Tally;
use crate::commands::cargo;
use crate::commands::system::{System, k6::Script};
use stack::daemon::Lifetime;
use stack::error::{Doing, tail};
use stack::{Error, Result, Stack, progress};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the API adds to its waits, in ms: with its own 4.5 s still below nginx's 10 s.
const EXTRA_WAIT_MS: &str = "5000";

/// What the steps work on.
#[derive(Debug)]
pub(super) struct Session {
    folder: PathBuf,
    system: Option<System>,
    api_processes: u16,
    /// Whether the step `programs` has passed.
    programs_run: bool,
    counted: Vec<Counted>,
    number: usize,
}

/// Requests of one load.
#[derive(Debug, Clone, Copy)]
struct Counted {
    file: &'static str,
    k6: u64,
    servers: u64,
}

/// How a step ended: what it counts for, and what to say where it failed.
struct Ended {
    tally: Tally,
    complaint: String,
}

impl Ended {
    fn plain(passed: bool) -> Self {
        Self { tally: Tally::one(passed), complaint: String::new() }
    }

    fn judged(complaint: Option<String>) -> Self {
        Self { tally: Tally::one(complaint.is_none()), complaint: complaint.unwrap_or_default() }
    }
}

impl Session {
    pub(super) fn new(folder: PathBuf, api_processes: u16) -> Self {
        let (counted, programs_run) = (Vec::new(), false);
        Self { folder, system: None, api_processes, programs_run, counted, number: 0 }
    }

    /// Takes the services over, or says why there are none.
    pub(super) fn take_services(&mut self, up: Result<(Stack, f64)>) -> Tally {
        let system =
            up.and_then(|(stack, seconds)| Ok((System::on(stack, None, Lifetime::WithUs)?, seconds)));
        match system {
            Ok((system, seconds)) => {
                self.system = Some(system);
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
    pub(super) fn run(&mut self, step: &'static Step) -> Tally {
        self.number += 1;
        let log = self.folder.join(format!("{:02}-{}.log", self.number, step.name));
        let clock = progress::Step::start(step.name);
        let Ended { tally, complaint } = match self.work(step, &log) {
            Ok(ended) => ended,
            Err(error) => {
                line(step.name, "FAILED", clock.seconds());
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
            if !complaint.is_empty() {
                progress::note(&complaint);
            }
            progress::note(&format!("--- end of {} ---\n{}", log.display(), tail(&log)));
        }
        tally
    }

    fn work(&mut self, step: &'static Step, log: &Path) -> Result<Ended> {
        match &step.work {
            Work::Cargo(args) => Ok(Ended::plain(self.finish(cargo::command(args)?, log)?)),
            Work::Docs => {
                let mut docs = cargo::command(&["doc", "--workspace", "--no-deps", "--locked"])?;
                docs.env("RUSTDOCFLAGS", "-D warnings");
                Ok(Ended::plain(self.finish(docs, log)?))
            }
            Work::Tests(args) => self.tests(args, log),
            Work::Programs => {
                let processes = self.api_processes;
                let system = self.services()?;
                system.tool(&["init"], log)?;
                system.tool(&["seed"], log)?;
                system.start_consumers()?;
                // These loads look for errors of the system: what a stall of the machine would make of an answer is none.
                system.set("TIDEMARK_EXTRA_WAIT_MS", EXTRA_WAIT_MS);
                system.start_apis(processes)?;
                self.programs_run = true;
                Ok(Ended::plain(true))
            }
            Work::K6(load) => self.load(load, log),
            Work::Counters => {
                self.programs()?.require_alive()?;
                Ok(Ended::judged(disagreement(&self.counted)))
            }
            Work::Partner => {
                let system = self.programs()?;
                system.require_alive()?;
                let heard = system.heard()?;
                Ok(Ended::judged(
                    (!heard.once()).then(|| format!("not every paid order exactly once: {heard:?}")),
                ))
            }
            Work::Audit => {
                let processes = usize::from(self.api_processes);
                let system = self.programs()?;
                system.require_alive()?;
                Ok(Ended::judged(system.audit(log)?.complaint(processes)))
            }
        }
    }

    fn tests(&self, args: &[&str], log: &Path) -> Result<Ended> {
        // With `--only tests` nothing was built yet; otherwise this finds nothing to do.
        if !self.finish(cargo::command(BUILD)?, log)? {
            return Ok(Ended::plain(false));
        }
        let mut tests = cargo::command(args)?;
        if let Some(system) = &self.system {
            tests.env("TIDEMARK_TEST_MYSQL", system.mysql_as_root());
        }
        let watch = Watch::begin(self.folder.join("disk"));
        let success = self.finish(tests, log)?;
        progress::note(&watch.end().to_string());
        let output = fs::read(log).doing(|| format!("read {}", log.display()))?;
        let output = String::from_utf8_lossy(&output);
        let tally = Tally::of_cargo_test(&output, success);
        Ok(Ended { tally, complaint: failed_tests(&output) })
    }

    fn load(&mut self, load: &'static Load, log: &Path) -> Result<Ended> {
        let system = self.programs()?;
        let mut variables: BTreeMap<String, String> =
            load.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(pieces) = load.pieces {
            variables.insert("COUPON_ID".into(), system.open_coupon(pieces)?.to_string());
            variables.insert("COUPON_PIECES".into(), pieces.to_string());
        }
        if !load.counted {
            variables.insert("K6_ADMIN_URL".into(), system.api_admins().first().cloned().unwrap_or_default());
            variables.insert("K6_CONSUMERS_ADMIN_URL".into(), system.consumers_admin());
            variables.insert("K6_ADMIN_TOKEN".into(), system.token());
            variables.insert("K6_PLATFORM_KEY".into(), system.platform_key());
        }
        let before = system.served()?.requests();
        let summary = system.k6(&Script { file: load.file, variables }, log, |_| ())?;
        let servers = system.served()?.requests() - before;
        if load.counted {
            self.counted.push(Counted { file: load.file, k6: summary.requests, servers });
        }
        let broken = (!summary.passed).then(|| format!("broken gates: {}", summary.broken().join(", ")));
        Ok(Ended::judged(broken))
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

    fn services(&mut self) -> Result<&mut System> {
        let missing = || Error::prepare("repair the services first: they did not start");
        self.system.as_mut().ok_or_else(missing)
    }

    fn programs(&mut self) -> Result<&mut System> {
        match self.programs_run {
            true => self.services(),
            false => Err(Error::prepare("repair `programs` first: they did not start")),
        }
    }

    /// Stops everything; counts only when something does not stop.
    pub(super) fn stop(&mut self) -> Tally {
        match self.system.take().map(System::down) {
            None | Some(Ok(())) => Tally::default(),
            Some(Err(error)) => {
                progress::note(&format!("FAILED stop: {error}"));
                Tally::one(false)
            }
        }
    }
}

/// `None` when servers and k6 counted the same.
fn disagreement(counted: &[Counted]) -> Option<String> {
    let lines: Vec<String> = counted
        .iter()
        .filter(|load| load.k6 != load.servers)
        .map(|Counted { file, k6, servers }| {
            let why = match servers > k6 {
                true => "nginx sent some to a second process, or somebody else asked",
                false => "some never reached a process, or one of them was started again",
            };
            format!("{file}: k6 counted {k6} requests, the API processes {servers}: {why}")
        })
        .collect();
    match (counted.is_empty(), lines.is_empty()) {
        (true, _) => Some("no load was run, so there is nothing to compare".to_owned()),
        (_, true) => None,
        (_, false) => Some(lines.join("\n")),
    }
}

/// Lines of a failed test's own words that are shown, and characters of each: an assertion may print a whole log.
const SHOWN: (usize, usize) = (30, 500);

/// The names of failed tests and what they said: with many tests it is far above the end of the log.
fn failed_tests(output: &str) -> String {
    let names = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let mut told = format!("failed tests: {}", names.collect::<Vec<_>>().join(", "));
    let mut left = 0;
    for line in output.lines() {
        let begins = line.starts_with("---- ") && line.ends_with(" stdout ----");
        left = match begins {
            true => SHOWN.0,
            false if line == "failures:" || line.starts_with("test result: ") => 0,
            false => left,
        };
        if left > 0 && !line.is_empty() {
            left -= 1;
            told.push('\n');
            told.extend(line.chars().take(SHOWN.1));
        }
    }
    told
}

fn line(name: &str, how: &str, seconds: f64) {
    progress::note(&format!("{name:<10} {how:<22} {seconds:7.1} s"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_served_twice_is_told_from_one_that_got_lost() {
        let counted = |k6, servers| Counted { file: "a.js", k6, servers };
        assert_eq!(disagreement(&[counted(5, 5)]), None);
        assert!(disagreement(&[counted(5, 5), counted(5, 6)]).unwrap().contains("second process"));
        assert!(disagreement(&[counted(5, 4)]).unwrap().contains("never reached"));
        assert!(disagreement(&[]).is_some());
    }

    #[test]
    fn failed_tests_are_named_with_what_they_said() {
        let output = "test a::b ... ok\ntest a::c ... FAILED\ntest d ... FAILED\n";
        assert_eq!(failed_tests(output), "failed tests: a::c, d");
        let long = "x".repeat(SHOWN.1 + 1);
        let many = "y\n".repeat(SHOWN.0);
        let output = format!(
            "test c ... FAILED\n\nfailures:\n\n---- c stdout ----\n\nleft: 1\n{long}\n{many}\n\nfailures:\n    c\n\n\
             test result: FAILED. 0 passed\nnoise\n"
        );
        let told = failed_tests(&output);
        assert!(told.starts_with("failed tests: c\n---- c stdout ----\nleft: 1\nxxx"), "{told}");
        assert_eq!(told.lines().count(), 1 + SHOWN.0);
        assert!(told.lines().all(|line| line.len() <= SHOWN.1) && !told.contains("noise"), "{told}");
    }
}

//! Runs programs to their ends: cargo, test runners, each with all it says in a log of its own.
//!
//! Lanes share it: it holds nothing that changes. A step must never end the run: the next ones still say what they find.

use super::outcome::{Found, Outcome};
use super::reports;
use super::steps::{BUILD, Pool, Step, Work};
use crate::commands::cargo;
use crate::commands::system::machine::Ticks;
use serde_json::Value;
use stack::cache::Cache;
use stack::error::{Doing, tail};
use stack::{Error, Result, install, progress, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// See the module.
#[derive(Debug)]
pub(super) struct Runner {
    folder: PathBuf,
    /// MySQL for tests that make schemas of their own; known once the services are up.
    pub(super) mysql_as_root: Option<String>,
}

impl Runner {
    /// With logs in that folder, which is the stack's.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, mysql_as_root: None }
    }

    /// The file that keeps what a step says.
    pub(super) fn log(&self, step: &Step) -> PathBuf {
        self.folder.join(format!("step-{}.log", step.name))
    }

    /// Runs one step.
    pub(super) fn run(&self, step: &'static Step) -> Outcome {
        watched(step, &self.log(step), |log| self.work(&step.work, log))
    }

    fn work(&self, work: &Work, log: &Path) -> Result<Found> {
        match work {
            Work::Cargo(args) => self.finish(cargo::command(args)?, log).map(Found::plain),
            Work::Build => self.build(log).map(Found::plain),
            Work::Beside(args) => self.finish(beside(cargo::command(args)?), log).map(Found::plain),
            Work::Docs => {
                let mut docs = cargo::command(&["doc", "--workspace", "--no-deps", "--locked"])?;
                docs.env("RUSTDOCFLAGS", "-D warnings");
                self.finish(beside(docs), log).map(Found::plain)
            }
            Work::Nextest(pool) => self.nextest(pool, log),
            Work::TestBinary { id, args } => self.test_binary(id, args, log),
            _ => Err(Error::prepare("report this: a load needs a system")),
        }
    }

    /// Everything that tests run on, the programs of the other crates included; then what there is to run is written down,
    /// so that nobody asks cargo again while lints and docs hold its lock.
    fn build(&self, log: &Path) -> Result<bool> {
        if !self.finish(cargo::command(BUILD)?, log)? {
            return Ok(false);
        }
        let metadata = cargo::command(&["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
        let mut list = self.nextest_command()?;
        list.args([
            "list",
            "--workspace",
            "--locked",
            "--list-type",
            "binaries-only",
            "--message-format",
            "json",
        ]);
        for (mut command, file) in [(metadata, self.metadata()), (list, self.binaries())] {
            let output = command.stderr(Stdio::inherit()).output().doing(|| "list the tests".into())?;
            if !output.status.success() {
                return Ok(false);
            }
            fs::write(&file, output.stdout).doing(|| format!("write {}", file.display()))?;
        }
        Ok(true)
    }

    fn metadata(&self) -> PathBuf {
        self.folder.join("cargo-metadata.json")
    }

    fn binaries(&self) -> PathBuf {
        self.folder.join("test-binaries.json")
    }

    /// With `--only tests` nothing was built yet.
    fn require_built(&self, log: &Path) -> Result<()> {
        if self.binaries().exists() || self.build(log)? {
            return Ok(());
        }
        Err(Error::failed("repair `build` first: there is nothing to run", log))
    }

    fn nextest_command(&self) -> Result<Command> {
        // As cargo would call it; its own environment stays as free of this crate as cargo's.
        let mut nextest = cargo::program(&install::nextest(&Cache::open()?)?)?;
        nextest.arg("nextest");
        Ok(nextest)
    }

    fn nextest(&self, pool: &Pool, log: &Path) -> Result<Found> {
        self.require_built(log)?;
        // As `store` and `junit` in `.config/nextest.toml` say.
        let file = workspace::root()?.join("target/nextest").join(pool.profile).join("junit.xml");
        // Of a former run.
        let _ = fs::remove_file(&file);
        let mut nextest = self.nextest_command()?;
        nextest.args(["run", "--profile", pool.profile]).arg("--cargo-metadata").arg(self.metadata());
        nextest.arg("--binaries-metadata").arg(self.binaries()).envs(pool.variables.iter().copied());
        let success = self.finish(nextest, log)?;
        let unread = |why: String| Error::failed(format!("find out why nextest wrote no report: {why}"), log);
        let xml = fs::read_to_string(&file).map_err(|error| unread(error.to_string()))?;
        reports::junit(&xml, success).map_err(|error| unread(error.to_string()))
    }

    /// Runs one test binary in one process, as `cargo test` does.
    fn test_binary(&self, id: &str, args: &[&str], log: &Path) -> Result<Found> {
        self.require_built(log)?;
        let file = self.binaries();
        let listed = fs::read(&file).doing(|| format!("read {}", file.display()))?;
        let listed: Value = serde_json::from_slice(&listed).doing(|| format!("read {}", file.display()))?;
        let path = listed["rust-binaries"][id]["binary-path"].as_str();
        let path =
            path.ok_or_else(|| Error::prepare(format!("report this: there is no test binary {id}")))?;
        let package = workspace::root()?.join(id.split(':').next().unwrap_or_default());
        let mut binary = Command::new(path);
        binary.args(args).current_dir(&package).env("CARGO_MANIFEST_DIR", &package);
        self.libtest(binary, log)
    }

    fn libtest(&self, tests: Command, log: &Path) -> Result<Found> {
        let success = self.finish(tests, log)?;
        let output = fs::read(log).doing(|| format!("read {}", log.display()))?;
        Ok(reports::libtest(&String::from_utf8_lossy(&output), success))
    }

    /// Runs a command to its end, everything it says in the log.
    fn finish(&self, mut command: Command, log: &Path) -> Result<bool> {
        let out = fs::File::create(log).doing(|| format!("create {}", log.display()))?;
        let err = out.try_clone().doing(|| "copy a file handle".into())?;
        let program = command.get_program().to_string_lossy().into_owned();
        if let Some(mysql) = &self.mysql_as_root {
            command.env("TIDEMARK_TEST_MYSQL", mysql);
        }
        let status = command
            .env("TIDEMARK_STACK_DIR", &self.folder)
            .env("CARGO_TERM_COLOR", "never")
            // Where it is set, every error that a poll meets takes its time to remember where it was made.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .status()
            .doing(|| format!("run {program}"))?;
        Ok(status.success())
    }
}

/// Runs the work of a step, takes its time and the machine's, and prints its line and where it failed.
pub(super) fn watched(step: &'static Step, log: &Path, work: impl FnOnce(&Path) -> Result<Found>) -> Outcome {
    let clock = progress::Step::start(step.name);
    let ticks = Ticks::now();
    let found = work(log).unwrap_or_else(|error| Found::judged(Some(error.to_string())));
    let idle = ticks.and_then(Ticks::shares_since).map(|shares| shares.idle);
    let outcome = Outcome { name: step.name, found, seconds: clock.seconds(), idle };
    progress::note(&format!("{:<10} {:<22} {:7.1} s", outcome.name, outcome.how(), outcome.seconds));
    if outcome.found.tally.failed > 0 {
        progress::note(&format!("--- end of {} ---\n{}", log.display(), tail(log)));
    }
    outcome
}

/// With the least claim on the processors: tests wait for conditions beside it.
fn beside(command: Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "15"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    nice
}

//! How a program is started: kept as data, so that it can be stored and done again.
//!
//! It must never hold a secret that is not also in the environment map: `stack.json` shows it all.

use super::Ready;
use crate::error::{Doing, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Whether a program outlives the process that starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// It dies with us, however we end; for tests.
    WithUs,
    /// It stays until `cargo stack down`.
    Detached,
}

/// Everything needed to start a program, and to start it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Launch {
    /// Its name within the stack, as in `mysql` or `kafka-2`.
    pub name: String,
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, on top of ours.
    pub env: BTreeMap<String, String>,
    /// Where it works: its data folder.
    pub folder: PathBuf,
    /// Where standard output and standard error go (appended).
    pub log: PathBuf,
    /// The port that `status` shows.
    pub port: u16,
    /// All ports it listens on; they must be free before it starts.
    pub listens: Vec<u16>,
    /// When it counts as started.
    pub ready: Ready,
    /// How long that may take, in seconds.
    pub ready_deadline_s: u64,
    /// How long it may take to end after SIGTERM, in seconds.
    pub stop_deadline_s: u64,
    /// Files of a killed predecessor that would refuse the start.
    pub remove_first: Vec<PathBuf>,
    /// Whether it outlives us.
    pub lifetime: Lifetime,
}

impl Launch {
    /// A launch with the deadlines that fit most programs: 60 s to start, 15 s to stop.
    pub fn new(name: &str, program: PathBuf, folder: PathBuf, log: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program,
            args: Vec::new(),
            env: BTreeMap::new(),
            folder,
            log,
            port: 0,
            listens: Vec::new(),
            ready: Ready::Running,
            ready_deadline_s: 60,
            stop_deadline_s: 15,
            remove_first: Vec::new(),
            lifetime: Lifetime::WithUs,
        }
    }

    pub(super) fn ready_deadline(&self) -> Duration {
        Duration::from_secs(self.ready_deadline_s)
    }

    /// The command, with its log open and its folder made.
    pub(super) fn command(&self) -> Result<Command> {
        if !self.program.exists() {
            return Err(Error::prepare(format!(
                "install or build {}: there is no {}",
                self.name,
                self.program.display()
            )));
        }
        for port in &self.listens {
            crate::ports::require_free(*port, &self.name)?;
        }
        for file in &self.remove_first {
            // Mostly absent; if it cannot be removed the program says so itself, in its log.
            let _ = fs::remove_file(file);
        }
        fs::create_dir_all(&self.folder).doing(|| format!("create {}", self.folder.display()))?;
        if let Some(parent) = self.log.parent() {
            fs::create_dir_all(parent).doing(|| format!("create {}", parent.display()))?;
        }
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .doing(|| format!("open the log {}", self.log.display()))?;
        let stderr = log.try_clone().doing(|| "copy a file handle".into())?;
        // Both wrappers belong to every Debian (util-linux, essential) and replace themselves by the
        // program, so the pid is the program's. They spare us the unsafe code between fork and exec.
        let mut command = match self.lifetime {
            Lifetime::WithUs => wrapped("setpriv", &["--pdeathsig", self.death_signal()]),
            Lifetime::Detached => wrapped("setsid", &[]),
        };
        command
            .arg(&self.program)
            .args(&self.args)
            // An error says in a sentence what to do; below a backtrace of it the end of the log would not show it.
            // A panic keeps its own.
            .env("RUST_LIB_BACKTRACE", "0")
            .envs(&self.env)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(stderr);
        Ok(command)
    }

    /// What the kernel sends it when we die. nginx must get the chance to end its workers.
    fn death_signal(&self) -> &'static str {
        if self.name.starts_with("nginx") { "TERM" } else { "KILL" }
    }
}

fn wrapped(wrapper: &str, args: &[&str]) -> Command {
    let mut command = Command::new(wrapper);
    command.args(args);
    command
}

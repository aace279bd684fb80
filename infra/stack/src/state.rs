//! `stack.json`: what a stack consists of, so that another process can find it, break it and stop it.
//!
//! It must never be read as proof that something runs: every entry has a start time to check against.

use crate::daemon::{Identity, Launch};
use crate::error::{Doing, Error, Result};
use crate::ports::Plan;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Where clients find the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// `127.0.0.1:19092`, separated by commas when there are three brokers.
    pub kafka: String,
    /// `mysql://tidemark:tidemark@127.0.0.1:13306/tidemark`
    pub mysql: String,
    /// `redis://127.0.0.1:16379`
    pub redis: String,
    /// `http://127.0.0.1:18081/apis/ccompat/v7`
    pub registry: String,
    /// `http://127.0.0.1:15080`; empty in a stack of a time when there was no partner.
    #[serde(default)]
    pub platform: String,
}

/// What a stack was asked to be; a running one cannot become another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Brokers: 1, or 3 with replication.
    pub brokers: u16,
    /// MySQL survives a power cut.
    pub durable: bool,
    /// Kafka is started for throughput, not for a quick start.
    pub throughput: bool,
    /// MySQL's memory for pages, in megabytes.
    pub buffer_pool_mb: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { brokers: 1, durable: false, throughput: false, buffer_pool_mb: 128 }
    }
}

/// One program of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// How to start it again.
    pub launch: Launch,
    /// Which process it is, or was.
    pub identity: Option<Identity>,
}

/// The content of `stack.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The stack's name.
    pub name: String,
    /// What it was asked to be.
    pub settings: Settings,
    /// Its ports.
    pub ports: Plan,
    /// Where its services are.
    pub endpoints: Endpoints,
    /// Its programs.
    pub services: Vec<Entry>,
}

impl State {
    /// Reads the state of the stack in that folder, if there is one.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        let path = file(folder);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).doing(|| format!("read {}", path.display())),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Error::prepare(format!(
                "end the processes named in {0} by hand and remove it: another version wrote it ({error})",
                path.display()
            ))
        })
    }

    /// Writes the state, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = file(folder);
        let new = path.with_extension("json.new");
        let text = serde_json::to_string_pretty(self)
            .map_err(std::io::Error::from)
            .doing(|| "write the state as JSON".into())?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .doing(|| format!("write {}", path.display()))
    }

    /// Whether any of its programs still runs.
    pub fn any_alive(&self) -> bool {
        self.services.iter().any(Entry::is_alive)
    }
}

impl Entry {
    /// Whether this very process still runs.
    pub fn is_alive(&self) -> bool {
        self.identity.is_some_and(Identity::is_alive)
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("stack.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(identity: Option<Identity>) -> State {
        let launch = Launch::new("redis", "/bin/true".into(), "/d".into(), "/l".into());
        State {
            name: "default".into(),
            settings: Settings::default(),
            ports: Plan::shifted(1, 0).unwrap(),
            endpoints: Endpoints {
                kafka: "k".into(),
                mysql: "m".into(),
                redis: "r".into(),
                registry: "s".into(),
                platform: "p".into(),
            },
            services: vec![Entry { launch, identity }],
        }
    }

    #[test]
    fn a_state_survives_the_disk_and_a_foreign_one_says_what_to_do() {
        let folder = std::env::temp_dir().join(format!("stack-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(State::load(&folder).unwrap().is_none());
        state(Identity::of(std::process::id())).save(&folder).unwrap();
        assert!(State::load(&folder).unwrap().unwrap().any_alive());
        fs::write(file(&folder), "{}").unwrap();
        let said = State::load(&folder).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(said.contains("remove it"), "{said}");
    }

    #[test]
    fn a_pid_that_now_belongs_to_somebody_else_is_not_alive() {
        let mut identity = Identity::of(std::process::id()).unwrap();
        identity.start_ticks += 1;
        assert!(!state(Some(identity)).any_alive());
        assert!(!state(None).any_alive());
    }
}

//! wrk: as many requests as fit over a fixed number of connections.

use super::parsed;
use crate::commands::system::System;
use serde::{Deserialize, Serialize};
use stack::error::Doing;
use stack::install::{self, Tool};
use stack::progress::Step;
use stack::{Error, Result};
use std::fs;
use std::process::{Command, Stdio};

/// Connections, all open from beginning to end.
pub(super) const CONNECTIONS: u32 = 256;
/// Threads of wrk.
const THREADS: u32 = 2;

/// One run of wrk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) what: &'a str,
    pub(super) path: &'a str,
    pub(super) seconds: u32,
    /// Users of this run are above it and below the next run's.
    pub(super) first_user: u64,
    pub(super) keyed: bool,
}

/// What wrk says at the end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Answers other than 2xx and 3xx.
    pub(super) status: u64,
    /// Connections that broke, and requests without an answer.
    pub(super) socket: u64,
}

impl Said {
    pub(super) fn per_second(self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Runs wrk to its end.
pub(super) fn run(system: &System, run: &Run<'_>) -> Result<Said> {
    let script = system.log("claims").with_extension("lua");
    fs::write(&script, include_str!("../../../recipes/claims.lua"))
        .doing(|| format!("write {}", script.display()))?;
    let step = Step::start(run.what);
    let output = Command::new(install::tool(Tool::Wrk)?)
        .args([format!("-t{THREADS}"), format!("-c{CONNECTIONS}"), format!("-d{}s", run.seconds)])
        .arg("-s")
        .arg(&script)
        .arg(system.base_url())
        .args(["--", run.path, &run.first_user.to_string()])
        .args(run.keyed.then_some("keyed"))
        .stdin(Stdio::null())
        .output()
        .doing(|| "run wrk".into())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.lines().rfind(|line| line.starts_with('{')).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        Error::prepare(format!("read why wrk gives no result: {printed}{said}"))
    })?;
    let said: Said = parsed(last, "wrk")?;
    step.done(&format!("{:.0}/s", said.per_second()));
    Ok(said)
}

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

/// Users of one run.
pub(super) const USERS_PER_RUN: u64 = 1 << 42;

/// One run of wrk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) what: &'a str,
    pub(super) seconds: u32,
    /// Users of this run are above it and below the next run's; see [`USERS_PER_RUN`].
    pub(super) first_user: u64,
    pub(super) asks: Asks<'a>,
}

/// What is asked for; all of it POSTs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks<'a> {
    /// One path, each time by another user, with an `Idempotency-Key` or without.
    Path(&'a str, bool),
    /// Orders of these options, each followed by its payment.
    Orders(&'a [u64]),
}

impl Asks<'_> {
    /// The script's name and text.
    fn script(self) -> (&'static str, &'static str) {
        match self {
            Self::Path(..) => ("claims", include_str!("../../../recipes/claims.lua")),
            Self::Orders(_) => ("orders", include_str!("../../../recipes/orders.lua")),
        }
    }

    fn args(self, first_user: u64) -> Vec<String> {
        match self {
            Self::Path(path, keyed) => {
                let mut args = vec![path.to_owned(), first_user.to_string()];
                args.extend(keyed.then(|| "keyed".to_owned()));
                args
            }
            Self::Orders(options) => {
                let options = options.iter().map(u64::to_string);
                [first_user.to_string()].into_iter().chain(options).collect()
            }
        }
    }
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
    /// Orders placed and paid, where that is asked for.
    #[serde(default)]
    pub(super) placed: u64,
    #[serde(default)]
    pub(super) paid: u64,
}

impl Said {
    pub(super) fn per_second(self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Runs wrk to its end.
pub(super) fn run(system: &System, run: &Run<'_>) -> Result<Said> {
    let (name, text) = run.asks.script();
    let script = system.log(name).with_extension("lua");
    fs::write(&script, text).doing(|| format!("write {}", script.display()))?;
    let step = Step::start(run.what);
    let output = Command::new(install::tool(Tool::Wrk)?)
        .args([format!("-t{THREADS}"), format!("-c{CONNECTIONS}"), format!("-d{}s", run.seconds)])
        .arg("-s")
        .arg(&script)
        .arg(system.base_url())
        .arg("--")
        .args(run.asks.args(run.first_user))
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

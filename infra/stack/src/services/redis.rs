//! Redis: what may be lost, with or without an append-only file.
//!
//! It must never take a snapshot by itself: forks of a growing process disturb measurements.

use super::{Place, is_a_daemon};
use crate::daemon::{Daemon, Launch, Ready};
use crate::error::Result;
use std::path::PathBuf;

/// How Redis runs.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Keeps data over a restart, losing at most about a second of writes on a kill.
    pub append_only: bool,
    /// More arguments, as in `--maxmemory 10mb`, one word each.
    pub extra: Vec<String>,
}

/// A Redis server.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    port: u16,
}
is_a_daemon!(Redis);

impl Redis {
    /// Starts it and waits for its PONG.
    ///
    /// # Errors
    /// It does not start; the error carries the end of its log.
    pub fn start(program: PathBuf, place: &Place, options: &RedisOptions) -> Result<Self> {
        Ok(Self { daemon: Daemon::start(launch(program, place, options))?, port: options.port })
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

pub(crate) fn launch(program: PathBuf, place: &Place, options: &RedisOptions) -> Launch {
    let mut launch = Launch::new("redis", program, place.data("redis"), place.log("redis"));
    let folder = launch.folder.display().to_string();
    let append = if options.append_only { "yes" } else { "no" };
    let port = options.port.to_string();
    launch.args = ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder]
        .into_iter()
        .chain(["--save", "", "--appendonly", append, "--daemonize", "no"])
        .map(str::to_owned)
        .chain(options.extra.iter().cloned())
        .collect();
    launch.port = options.port;
    launch.listens = vec![options.port];
    launch.ready = Ready::Redis { port: options.port };
    launch.lifetime = place.lifetime;
    launch
}

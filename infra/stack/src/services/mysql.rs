//! MySQL: the read model, rebuilt from the log at will, so that the default trades safety for speed.
//!
//! With the default options a *killed* server loses nothing; a power cut may. Never measure durability
//! without [`MySqlOptions::durable`].

use super::{Place, is_a_daemon};
use crate::daemon::{Daemon, Launch, Ready};
use crate::error::{Doing, Error, Result};
use crate::install::MySqlPrograms;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options that make it small and fast and let the operating system keep the data.
pub(crate) const FAST: [&str; 4] = [
    "--performance-schema=OFF",
    "--skip-log-bin",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=OFF",
];

/// Options of a server that survives a power cut.
const DURABLE: [&str; 7] = [
    "--performance-schema=OFF",
    "--log-bin=binlog",
    "--sync-binlog=1",
    "--server-id=1",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-doublewrite=ON",
    "--innodb-flush-method=O_DIRECT",
];

/// Run by root at every start: our user, its rights and the database of a default stack. The backquoted
/// pattern gives it every database whose name starts with `tidemark`, also those not made yet.
const OUR_USER: &str = "CREATE USER IF NOT EXISTS 'tidemark'@'%' IDENTIFIED BY 'tidemark'; \
     GRANT ALL ON `tidemark%`.* TO 'tidemark'@'%'; CREATE DATABASE IF NOT EXISTS tidemark";

/// How MySQL runs.
#[derive(Debug, Clone)]
pub struct MySqlOptions {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// Survives a power cut, and writes a binary log.
    pub durable: bool,
    /// Memory for pages, in megabytes.
    pub buffer_pool_mb: u32,
    /// More arguments, as in `--lock-wait-timeout=1`.
    pub extra: Vec<String>,
}

impl MySqlOptions {
    /// The fast options, with 128 MB for pages.
    pub fn on(port: u16) -> Self {
        Self { port, durable: false, buffer_pool_mb: 128, extra: Vec::new() }
    }
}

/// A MySQL server.
#[derive(Debug)]
pub struct MySql {
    daemon: Daemon,
    port: u16,
    programs: MySqlPrograms,
}
is_a_daemon!(MySql);

impl MySql {
    /// Starts it on its data folder (a copy of the template the first time) and waits until it answers
    /// over TCP and has our user.
    ///
    /// # Errors
    /// It does not start; the error carries the end of its log.
    pub fn start(programs: &MySqlPrograms, place: &Place, options: &MySqlOptions) -> Result<Self> {
        let launch = launch(programs, place, options)?;
        Ok(Self { daemon: Daemon::start(launch)?, port: options.port, programs: programs.clone() })
    }

    /// `mysql://tidemark:tidemark@127.0.0.1:PORT/tidemark`
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as root through the client program; returns its output, one row a line, tabs between.
    ///
    /// # Errors
    /// What the client program says.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let output = Command::new(self.programs.bin.join("mysql"))
            .args(["-uroot", "-h127.0.0.1", "-N", "-B", "--connect-timeout=60"])
            .arg(format!("-P{}", self.port))
            .args(["-e", sql])
            .output()
            .doing(|| "run the mysql client".into())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::failed(format!("correct the SQL or MySQL: {}", said.trim()), self.log()))
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("mysql://tidemark:tidemark@127.0.0.1:{port}/tidemark")
}

pub(crate) fn launch(programs: &MySqlPrograms, place: &Place, options: &MySqlOptions) -> Result<Launch> {
    let folder = place.data("mysql");
    let data = folder.join("data");
    if !data.exists() {
        copy_template(&programs.template, &data)?;
    }
    let socket = socket(&folder, options.port);
    let mut launch = Launch::new("mysql", programs.bin.join("mysqld"), folder, place.log("mysql"));
    launch.args = vec![
        format!("--datadir={}", data.display()),
        format!("--port={}", options.port),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--socket={}", socket.display()),
        format!("--pid-file={}", launch.folder.join("pid").display()),
        "--max-connections=200".to_owned(),
        "--default-time-zone=+00:00".to_owned(),
        format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mb),
    ];
    let mode: &[&str] = if options.durable { &DURABLE } else { &FAST };
    launch.args.extend(mode.iter().map(|&arg| arg.to_owned()));
    let redo = if options.durable { "256M" } else { "8M" };
    launch.args.push(format!("--innodb-redo-log-capacity={redo}"));
    launch.args.push("--table-open-cache=256".to_owned());
    launch.args.extend(options.extra.iter().cloned());
    // Left behind by a killed server; with a reused pid in it the lock would refuse the start.
    launch.remove_first = ["sock", "sock.lock"].map(|end| socket.with_extension(end)).to_vec();
    launch.port = options.port;
    launch.listens = vec![options.port];
    launch.ready =
        Ready::MySql { programs: programs.bin.clone(), port: options.port, then: OUR_USER.to_owned() };
    launch.stop_deadline_s = 30;
    launch.lifetime = place.lifetime;
    Ok(launch)
}

/// Beside the data; in the temporary folder when that path is too long for a Unix socket (107 characters).
fn socket(folder: &Path, port: u16) -> PathBuf {
    const LONGEST: usize = 100;
    let near = folder.join("mysql.sock");
    match near.as_os_str().len() {
        ..=LONGEST => near,
        _ => std::env::temp_dir().join(format!("tidemark-mysql-{port}.sock")),
    }
}

/// Copies and renames, so that an interrupted copy is never taken for a data folder.
fn copy_template(template: &Path, data: &Path) -> Result<()> {
    let new = data.with_extension("new");
    crate::cache::remove(&new)?;
    if let Some(parent) = data.parent() {
        fs::create_dir_all(parent).doing(|| format!("create {}", parent.display()))?;
    }
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .args([template, new.as_path()])
        .status()
        .doing(|| "run cp".into())?;
    if !status.success() {
        let said = format!("free some disk space: cannot copy {}", template.display());
        return Err(Error::prepare(said));
    }
    fs::rename(&new, data).doing(|| format!("rename {}", new.display()))
}

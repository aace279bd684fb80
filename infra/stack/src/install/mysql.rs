//! MySQL out of Debian sid in a private root, and a data folder that is initialised once.
//!
//! The initialised folder is a template: it is only ever copied, never run.

use super::{run, write};
use crate::cache::{Cache, remove};
use crate::error::{Doing, Error, Result};
use crate::progress::Step;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where MySQL is.
#[derive(Debug, Clone)]
pub struct MySqlPrograms {
    /// The folder with `mysqld`, `mysql`, `mysqladmin` and `mysqldump`.
    pub bin: PathBuf,
    /// An initialised data folder, root without a password, to be copied.
    pub template: PathBuf,
    /// The server package's version, as in `9.7.4-2`.
    pub version: String,
}

/// Installs MySQL and initialises the template of its version.
pub(super) fn install(cache: &Cache) -> Result<MySqlPrograms> {
    let prefix = cache.join("mysql");
    let bin = prefix.join("bin");
    if !prefix.join("INSTALLED").exists() {
        let _lock = cache.lock("mysql-install")?;
        if !prefix.join("INSTALLED").exists() {
            unpack(cache, &prefix)?;
        }
    }
    let version = version(&prefix)?;
    let template = cache.once(&format!("mysql-data-{version}"), |new| {
        let step = Step::start("mysql data template");
        initialise(cache, &bin, &new.join("data"))?;
        step.done("initialised");
        Ok(())
    })?;
    Ok(MySqlPrograms { bin, template: template.join("data"), version })
}

fn unpack(cache: &Cache, prefix: &Path) -> Result<()> {
    let step = Step::start("mysql from debian sid");
    crate::cache::require_space(cache.root())?;
    let script = cache.join("mysql-install.sh");
    write(&script, include_str!("../../recipes/mysql-install.sh"))?;
    let mut command = Command::new("bash");
    command.arg(&script).arg(prefix);
    let purpose = "install MySQL from Debian sid: check the network, then run this again";
    run(cache, "mysql-install", command, purpose)?;
    step.done("installed");
    Ok(())
}

/// The package's version, as a folder name.
fn version(prefix: &Path) -> Result<String> {
    let path = prefix.join("INSTALLED");
    let text = fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("mysql-server-core"))
        .and_then(|line| line.split_once('='))
        .map(|(_, version)| version);
    let version = version.ok_or_else(|| {
        Error::prepare(format!("remove {} and run this again: it names no server", prefix.display()))
    })?;
    Ok(version.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.', "-"))
}

fn initialise(cache: &Cache, bin: &Path, data: &Path) -> Result<()> {
    let mut command = Command::new(bin.join("mysqld"));
    command
        .arg("--initialize-insecure")
        .arg(format!("--datadir={}", data.display()))
        .args(crate::services::mysql::FAST)
        .arg("--innodb-redo-log-capacity=8M");
    run(cache, "mysql-init", command, "initialise MySQL: read the log")?;
    // Every copy must make a server id of its own.
    let auto = data.join("auto.cnf");
    if auto.exists() {
        fs::remove_file(&auto).doing(|| format!("remove {}", auto.display()))?;
    }
    remove(&data.join("#innodb_temp"))
}

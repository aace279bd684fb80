//! Programs that Debian installs: looked up first, installed only when missing and only as root.
//!
//! It must never run beside another apt, and never start what it installs.

use crate::error::{Doing, Error, Result};
use crate::progress::Step;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long another apt (an unattended upgrade, say) may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program that comes from a Debian package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `redis-server`
    Redis,
    /// `nginx`
    Nginx,
    /// `wrk`
    Wrk,
    /// `mvn`
    Maven,
    /// `g++`
    Compiler,
    /// `make`
    Make,
    /// `pip3`
    Pip,
}

impl Tool {
    const ALL: [Self; 7] =
        [Self::Redis, Self::Nginx, Self::Wrk, Self::Maven, Self::Compiler, Self::Make, Self::Pip];

    fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nginx => "nginx",
            Self::Wrk => "wrk",
            Self::Maven => "mvn",
            Self::Compiler => "g++",
            Self::Make => "make",
            Self::Pip => "pip3",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nginx => "nginx",
            Self::Wrk => "wrk",
            Self::Maven => "maven",
            Self::Compiler | Self::Make => "build-essential",
            Self::Pip => "python3-pip",
        }
    }

    fn find(self) -> Option<PathBuf> {
        // Servers live in folders that are not on every user's path.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/local/sbin:/usr/sbin:/sbin";
        std::env::split_paths(&path)
            .map(|folder| folder.join(self.program()))
            .find(|program| program.is_file())
    }
}

/// The path of a program, installed first when it is missing.
///
/// # Errors
/// It is missing and cannot be installed; the sentence gives the command to run.
pub fn tool(tool: Tool) -> Result<PathBuf> {
    if let Some(path) = tool.find() {
        return Ok(path);
    }
    require_all()?;
    tool.find().ok_or_else(|| {
        Error::prepare(format!(
            "look into the package {}: it is installed but has no {}",
            tool.package(),
            tool.program()
        ))
    })
}

/// Installs all packages whose program is missing, in one go.
pub(super) fn require_all() -> Result<()> {
    if missing().is_empty() {
        return Ok(());
    }
    require_permission()?;
    // One lock for the machine, not for the cache: apt is the machine's.
    let path = std::env::temp_dir().join("tidemark-apt.lock");
    let lock = File::create(&path).doing(|| format!("open {}", path.display()))?;
    lock.lock().doing(|| format!("lock {}", path.display()))?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let step = Step::start(format!("apt: {}", packages.join(" ")));
    apt_get(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&packages);
    apt_get(&install)?;
    step.done("installed");
    Ok(())
}

/// Refuses when something is missing that only root can install.
pub(super) fn require_permission() -> Result<()> {
    let packages = missing();
    if packages.is_empty() || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::prepare(format!(
        "install {} as root, with: sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends {}'",
        packages.join(", "),
        packages.join(" ")
    )))
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> =
        Tool::ALL.into_iter().filter(|tool| tool.find().is_none()).map(Tool::package).collect();
    packages.dedup();
    packages
}

fn apt_get(args: &[&str]) -> Result<()> {
    let path = std::env::temp_dir().join("tidemark-apt.log");
    let since = Instant::now();
    loop {
        let log = File::create(&path).doing(|| format!("create {}", path.display()))?;
        let stderr = log.try_clone().doing(|| "copy a file handle".into())?;
        let status = Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=5"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // Keeps package scripts from starting the services they install.
            .env("RUNLEVEL", "1")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(stderr)
            .status()
            .doing(|| "run apt-get: this needs Debian 12 or a relative".into())?;
        if status.success() {
            return Ok(());
        }
        // `apt-get update` has no option to wait for the lock of the package lists.
        let locked = crate::error::tail(&path).contains("Could not get lock");
        if !locked || since.elapsed() > PATIENCE {
            return Err(Error::failed(
                format!("repair apt, then run this again: apt-get {} failed", args[0]),
                &path,
            ));
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_the_path_is_found_and_every_tool_names_a_package() {
        assert!(Tool::Make.find().is_some(), "a compiler built this test");
        assert!(Tool::ALL.iter().all(|tool| !tool.package().is_empty()));
    }
}

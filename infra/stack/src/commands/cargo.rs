//! cargo, called from a program that cargo runs.
//!
//! It must never pass on what `cargo run` says about this crate: build scripts would see other variables
//! than in a plain `cargo build`, and everything would be built again.

use stack::error::{Doing, Error};
use stack::{Result, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A cargo command that runs at the root of the workspace.
pub(super) fn command(args: &[&str]) -> Result<Command> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = program(cargo.as_ref())?;
    cargo.args(args);
    Ok(cargo)
}

/// A program that calls cargo itself, at the root of the workspace.
pub(super) fn program(path: &Path) -> Result<Command> {
    let mut cargo = Command::new(path);
    cargo.current_dir(workspace::root()?);
    for (name, _) in std::env::vars_os() {
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if ours || name == "CARGO_BIN_NAME" || name == "CARGO_CRATE_NAME" {
            cargo.env_remove(name);
        }
    }
    Ok(cargo)
}

/// Builds one crate's program, showing cargo's own output.
pub(super) fn build(package: &str) -> Result<()> {
    finish(command(&["build", "--quiet", "--locked", "--package", package])?, package)
}

/// How programs are optimised, as in `Cargo.toml`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Profile {
    /// Soon there.
    Demo,
    /// For figures.
    Release,
}

impl Profile {
    /// Its name, which is also its folder's.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Release => "release",
        }
    }

    /// Where the programs are: beside the folder of this one.
    pub(super) fn folder(self) -> Result<PathBuf> {
        let own = std::env::current_exe().doing(|| "find this program".into())?;
        match own.ancestors().nth(2) {
            Some(target) => Ok(target.join(self.name())),
            None => Err(Error::prepare("run this with `cargo stack`: it stands in no target folder")),
        }
    }
}

/// Builds the optimised programs of several crates, showing cargo's own output.
pub(super) fn build_optimised(profile: Profile, packages: &[&str]) -> Result<()> {
    let mut cargo = command(&["build", "--quiet", "--locked", "--profile", profile.name()])?;
    packages.iter().for_each(|package| {
        cargo.args(["--package", package]);
    });
    finish(cargo, &packages.join(" and "))
}

fn finish(mut cargo: Command, what: &str) -> Result<()> {
    let status = cargo.status().doing(|| "run cargo".into())?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::prepare(format!("repair {what}: it does not build"))),
    }
}

//! Packages of PyPI that carry whole programs, unpacked into a folder of the cache.
//!
//! pip runs with the environment's own settings (index, certificates) and must never install into the
//! machine's Python.

use super::{Tool, run, tool};
use crate::cache::Cache;
use crate::error::Result;
use std::path::Path;
use std::process::Command;

/// Unpacks one package, without its dependencies.
pub(super) fn install(cache: &Cache, package: &str, folder: &Path) -> Result<()> {
    tool(Tool::Pip)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"])
        .arg("--target")
        .arg(folder)
        .arg(package);
    let log = format!("pip-{}", package.split('=').next().unwrap_or(package));
    let purpose = format!("fetch {package} from PyPI: check the network, then run this again");
    run(cache, &log, pip, &purpose)
}

//! Artifacts of Maven Central, fetched by Maven itself: it verifies checksums and follows mirrors.
//!
//! It must never touch the user's own `~/.m2/repository`: a repository in the cache is used and removed
//! again, for it holds every jar a second time.

use super::{Tool, run, tool};
use crate::cache::{Cache, remove};
use crate::error::Result;
use std::path::Path;
use std::process::Command;

/// Pinned, so that a new release of the plugin changes nothing here.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
const PURPOSE: &str = "fetch from Maven Central: check the network, then run this again";

/// Copies the run-time dependencies of a pom into a folder.
pub(super) fn copy_dependencies(cache: &Cache, pom: &Path, folder: &Path) -> Result<()> {
    maven(cache, "copy-dependencies", |command| {
        command
            .arg("-f")
            .arg(pom)
            .arg("-DincludeScope=runtime")
            .arg(format!("-DoutputDirectory={}", folder.display()));
    })
}

/// Copies one artifact into a folder.
pub(super) fn copy(cache: &Cache, artifact: &str, folder: &Path) -> Result<()> {
    maven(cache, "copy", |command| {
        command
            .current_dir(folder)
            .arg(format!("-Dartifact={artifact}"))
            .arg(format!("-DoutputDirectory={}", folder.display()));
    })
}

fn maven(cache: &Cache, goal: &str, arguments: impl FnOnce(&mut Command)) -> Result<()> {
    let program = tool(Tool::Maven)?;
    // Two Mavens must not share a repository.
    let _lock = cache.lock("maven")?;
    let repository = cache.join("m2");
    let mut command = Command::new(program);
    command
        .args(["-q", "-B"])
        .arg(format!("{PLUGIN}:{goal}"))
        .arg(format!("-Dmaven.repo.local={}", repository.display()));
    arguments(&mut command);
    run(cache, "maven", command, PURPOSE)?;
    // The last artifact is the registry's; what is left then is only a copy.
    match goal {
        "copy" => remove(&repository),
        _ => Ok(()),
    }
}

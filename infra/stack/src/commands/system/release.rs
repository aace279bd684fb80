//! A stack of a command's own with optimised programs on it, for whoever shows or measures something.

use super::System;
use crate::commands::cargo::{self, Profile};
use stack::cache::{Cache, Lock};
use stack::daemon::Lifetime;
use stack::error::Doing;
use stack::install::{self, Tool};
use stack::progress::{Step, note};
use stack::state::Settings;
use stack::{Error, Result, Stack, UpOptions};
use std::fs;

/// Which stack, and how long it lives.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Wanted<'a> {
    pub(in crate::commands) name: &'a str,
    /// Whether it outlives this command.
    pub(in crate::commands) keep: bool,
    /// How our programs are optimised.
    pub(in crate::commands) profile: Profile,
    /// MySQL's memory for pages, in megabytes.
    pub(in crate::commands) buffer_pool_mb: u32,
}

/// Keeps a second command off the same stack until dropped.
pub(in crate::commands) fn lock(name: &str) -> Result<Option<Lock>> {
    let folder = Stack::folder_of(name)?;
    folder.parent().map(|stacks| Cache::at(stacks.to_owned())?.lock(name)).transpose()
}

/// Whether that stack runs, wholly or in part.
pub(in crate::commands) fn runs(name: &str) -> bool {
    let daemons = |mut stack: Stack| stack.daemons().iter_mut().any(|daemon| daemon.is_alive());
    Stack::attach(name).is_ok_and(daemons)
}

/// Takes down and removes what a former run left.
pub(in crate::commands) fn wipe(name: &str) -> Result<()> {
    if let Ok(mut stack) = Stack::attach(name) {
        stack.down()?;
    }
    stack::cache::remove(&Stack::folder_of(name)?)
}

/// Services on leased ports, and our programs built, side by side.
pub(in crate::commands) fn bring_up(wanted: &Wanted<'_>) -> Result<System> {
    // librdkafka's build needs a compiler, which may be installed only now.
    install::tool(Tool::Compiler)?;
    install::tool(Tool::Make)?;
    let lifetime = if wanted.keep { Lifetime::Detached } else { Lifetime::WithUs };
    let (stack, built) = std::thread::scope(|scope| {
        let services = scope.spawn(|| services(wanted, lifetime));
        let built = build(wanted.profile);
        let panicked = || Err(Error::prepare("report this: the starting thread panicked"));
        (services.join().unwrap_or_else(|_| panicked()), built)
    });
    let stack = stack?;
    let logs = stack.folder().join("logs");
    fs::create_dir_all(&logs).doing(|| format!("create {}", logs.display()))?;
    built?;
    System::on(stack, Some(wanted.profile.folder()?), lifetime)
}

fn services(wanted: &Wanted<'_>, lifetime: Lifetime) -> Result<Stack> {
    let step = Step::start("services");
    let buffer_pool_mb = wanted.buffer_pool_mb;
    let settings = Settings { throughput: true, buffer_pool_mb, ..Settings::default() };
    let stack = Stack::up(wanted.name, &UpOptions { settings, lifetime, leased_ports: true })?;
    step.done("ready");
    Ok(stack)
}

fn build(profile: Profile) -> Result<()> {
    let name = profile.name();
    note(&format!("  cargo build --profile {name} -p api -p consumers (some minutes the first time)"));
    let step = Step::start(format!("api and consumers, {name}"));
    cargo::build_optimised(profile, &["api", "consumers"])?;
    step.done("built");
    Ok(())
}

//! A whole stack: Kafka, MySQL, Redis, the registry and the partner, in one folder, on fixed ports.
//!
//! Taking it down must never touch a process that it did not start.

mod plan;

use crate::cache::{Cache, Lock, remove, require_space};
use crate::daemon::{Daemon, Lifetime};
use crate::error::{Doing, Error, Result};
use crate::ports::Lease;
use crate::progress::{Step, note};
use crate::services::Place;
use crate::state::{Endpoints, Entry, Settings, State};
use crate::{install, secrets, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The stack that `cargo stack` and the tests use unless told otherwise.
pub const DEFAULT: &str = "default";

/// How to bring a stack up.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// What it is to be.
    pub settings: Settings,
    /// Whether it outlives this process.
    pub lifetime: Lifetime,
    /// Leased ports instead of the fixed ones, to live beside another stack. The leases end with this process;
    /// what outlives it keeps a port only by listening on it.
    pub leased_ports: bool,
}

impl Default for UpOptions {
    fn default() -> Self {
        Self { settings: Settings::default(), lifetime: Lifetime::Detached, leased_ports: false }
    }
}

/// A stack that was brought up, by this process or another one.
#[derive(Debug)]
pub struct Stack {
    folder: PathBuf,
    state: State,
    daemons: Vec<Daemon>,
    leases: Vec<Lease>,
}

impl Stack {
    /// Where the stack of that name lives: `target/stack/<name>` of this checkout. For the default stack
    /// `$TIDEMARK_STACK_DIR` wins.
    ///
    /// # Errors
    /// The current folder is in no workspace, or the name is no folder name.
    pub fn folder_of(name: &str) -> Result<PathBuf> {
        if name.is_empty() || name.contains(['/', '.']) {
            return Err(Error::prepare(format!("name the stack by a plain word, not '{name}'")));
        }
        match std::env::var_os("TIDEMARK_STACK_DIR") {
            Some(folder) if name == DEFAULT && !folder.is_empty() => Ok(folder.into()),
            _ => Ok(workspace::root()?.join("target/stack").join(name)),
        }
    }

    /// Installs what is missing, starts what does not run, and waits until all of it is ready.
    ///
    /// # Errors
    /// An install or a start fails, or the stack already runs with other settings. What did start keeps
    /// running and is known to [`Stack::attach`].
    pub fn up(name: &str, options: &UpOptions) -> Result<Self> {
        let folder = Self::folder_of(name)?;
        fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
        let _lock = lock(&folder)?;
        require_space(&folder)?;
        let old = State::load(&folder)?;
        if let Some(old) = old.as_ref().filter(|old| old.any_alive()) {
            if old.settings != options.settings {
                return Err(Error::prepare(format!(
                    "run `cargo stack down` first: the stack '{name}' runs with {}",
                    plan::describe(&old.settings)
                )));
            }
            if plan::is_whole(old) {
                return Ok(Self::from_state(folder, old.clone()));
            }
        }
        let programs = install::everything(&Cache::open()?)?;
        secrets::of(&folder)?;
        let place = Place { folder: folder.clone(), lifetime: options.lifetime };
        let (ports, leases) = plan::ports(options, old.as_ref())?;
        let state = plan::empty_state(name, &options.settings, ports, old);
        let services = plan::services(&programs, &place, &state);
        let mut stack = Self::from_state(folder, state);
        stack.leases = leases;
        stack.start(services)?;
        Ok(stack)
    }

    /// The stack of that name, running or not.
    ///
    /// # Errors
    /// It was never brought up.
    pub fn attach(name: &str) -> Result<Self> {
        Self::attach_at(&Self::folder_of(name)?)
    }

    /// The stack in that folder, running or not.
    ///
    /// # Errors
    /// There is none.
    pub fn attach_at(folder: &Path) -> Result<Self> {
        match State::load(folder)? {
            Some(state) => Ok(Self::from_state(folder.to_owned(), state)),
            None => Err(Error::prepare(format!(
                "run `cargo stack up` first: there is no stack in {}",
                folder.display()
            ))),
        }
    }

    fn from_state(folder: PathBuf, state: State) -> Self {
        let daemons =
            state.services.iter().map(|entry| Daemon::attach(entry.launch.clone(), entry.identity)).collect();
        Self { folder, state, daemons, leases: Vec::new() }
    }

    /// Starts the services that do not run, side by side, and writes each down before waiting for it: what
    /// is interrupted now can still be stopped later.
    fn start(&mut self, services: Vec<plan::Service<'_>>) -> Result<()> {
        let folder = self.folder.clone();
        let shared = Mutex::new(self);
        let results: Vec<Result<()>> = std::thread::scope(|scope| {
            let shared = &shared;
            let threads: Vec<_> =
                services.into_iter().map(|service| scope.spawn(move || start_one(service, shared))).collect();
            threads
                .into_iter()
                .map(|thread| {
                    let panicked = || Error::prepare("report this: a starting thread panicked");
                    thread.join().unwrap_or_else(|_| Err(panicked()))
                })
                .collect()
        });
        let mut errors = results.into_iter().filter_map(Result::err);
        let Some(first) = errors.next() else {
            return Ok(());
        };
        errors.for_each(|error| note(&error.to_string()));
        note(&format!("logs are in {}", folder.join("logs").display()));
        Err(first)
    }

    /// Where its services are.
    pub fn endpoints(&self) -> &Endpoints {
        &self.state.endpoints
    }

    /// What it was brought up as, and its ports.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its folder: `data`, `logs`, `secrets.env`, `stack.json`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its keys, by the name of the environment variable that carries them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn secrets(&self) -> Result<BTreeMap<String, String>> {
        secrets::of(&self.folder)
    }

    /// All its programs.
    pub fn daemons(&mut self) -> &mut [Daemon] {
        &mut self.daemons
    }

    /// One program, by name: `kafka` (`kafka-1` to `kafka-3`), `mysql`, `redis`, `registry`, `platform`, and what
    /// was added. After `restart` call [`Stack::save`].
    ///
    /// # Errors
    /// There is none of that name; the sentence lists those there are.
    pub fn service(&mut self, name: &str) -> Result<&mut Daemon> {
        let names: Vec<String> = self.daemons.iter().map(|d| d.name().to_owned()).collect();
        self.daemons
            .iter_mut()
            .find(|daemon| daemon.name() == name)
            .ok_or_else(|| Error::prepare(format!("name one of {}, not '{name}'", names.join(", "))))
    }

    /// Starts one program again on its data folder and writes down the new process.
    ///
    /// # Errors
    /// There is none of that name, or it does not start.
    pub fn restart(&mut self, name: &str) -> Result<()> {
        let restarted = self.service(name)?.restart();
        self.save()?;
        restarted
    }

    /// Takes a program in (nginx, one of our own), so that `status` shows it and `down` stops it. One of
    /// the same name is replaced.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn add(&mut self, daemon: Daemon) -> Result<()> {
        self.daemons.retain(|old| old.name() != daemon.name());
        self.daemons.push(daemon);
        self.save()
    }

    /// Writes `stack.json` again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&mut self) -> Result<()> {
        self.state.services = self
            .daemons
            .iter()
            .map(|daemon| Entry { launch: daemon.launch().clone(), identity: daemon.identity() })
            .collect();
        self.state.save(&self.folder)
    }

    /// Whether all its programs run.
    pub fn is_alive(&mut self) -> bool {
        !self.daemons.is_empty() && self.daemons.iter_mut().all(Daemon::is_alive)
    }

    /// Stops all its programs: what was added first, the services after it, side by side. The data stays.
    ///
    /// # Errors
    /// One of them survives SIGKILL.
    pub fn down(&mut self) -> Result<()> {
        let _lock = lock(&self.folder)?;
        let is_service = |daemon: &&mut Daemon| plan::is_service(daemon.name());
        let (mut services, mut added): (Vec<_>, Vec<_>) = self.daemons.iter_mut().partition(is_service);
        for group in [&mut added, &mut services] {
            group.iter_mut().try_for_each(|daemon| daemon.terminate())?;
            group.iter_mut().try_for_each(|daemon| daemon.wait_stopped())?;
        }
        self.daemons.retain(|daemon| plan::is_service(daemon.name()));
        self.leases.clear();
        self.save()
    }

    /// Removes the data, logs and keys; it must be down.
    ///
    /// # Errors
    /// It still runs, or the folder cannot be removed.
    pub fn wipe(mut self) -> Result<()> {
        if self.daemons.iter_mut().any(Daemon::is_alive) {
            return Err(Error::prepare("run `cargo stack down` first: it still runs"));
        }
        remove(&self.folder)
    }
}

fn start_one(service: plan::Service<'_>, stack: &Mutex<&mut Stack>) -> Result<()> {
    let step = Step::start(service.name);
    let lock = || stack.lock().map_err(|_| Error::prepare("report this: a thread panicked"));
    let launches = (service.launches)()?;
    let mut spawned = Vec::new();
    for launch in launches {
        let mut guard = lock()?;
        if guard.service(&launch.name).is_ok_and(|old| old.is_alive()) {
            continue;
        }
        spawned.push(launch.name.clone());
        guard.add(Daemon::spawn(launch)?)?;
    }
    let how = if spawned.is_empty() { "runs" } else { "started" };
    for name in spawned {
        // Waited for outside the lock, or the services would start one after the other.
        let mut probe = lock()?.service(&name)?.watcher();
        probe.wait_ready()?;
    }
    step.done(how);
    Ok(())
}

fn lock(folder: &Path) -> Result<Lock> {
    Cache::at(folder.to_owned())?.lock("stack")
}

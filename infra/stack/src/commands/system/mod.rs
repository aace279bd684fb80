//! Our own programs on a stack, in stage mode: what `demo`, `test` and `bench` start, use and judge.
//!
//! Nothing here decides whether a result is good enough: the commands do.

pub(super) mod admin;
pub(super) mod audit;
pub(super) mod counter;
pub(super) mod k6;
pub(super) mod machine;
mod mysql;
pub(super) mod release;
pub(super) mod shop;

use super::run;
use stack::daemon::{Daemon, Lifetime};
use stack::error::Doing;
use stack::install::{self, Tool};
use stack::ports::{Lease, lease};
use stack::process::{Process, ProcessOptions, binary, environment};
use stack::services::{Nginx, NginxOptions, Place};
use stack::{Error, Result, Stack};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A stack and our programs on it.
#[derive(Debug)]
pub(super) struct System {
    // Declared in the order in which they must go: the stack ends its programs, then the ports are free.
    stack: Stack,
    watched: Vec<Daemon>,
    leases: Vec<Lease>,
    /// Where our programs are; beside this one when there is no folder.
    binaries: Option<PathBuf>,
    env: BTreeMap<String, String>,
    lifetime: Lifetime,
    admins: Vec<u16>,
    public: Vec<u16>,
}

/// Where one process listens.
#[derive(Debug)]
struct Listens {
    admin: u16,
    public: Vec<u16>,
}

impl System {
    /// On services that run; starts nothing yet.
    pub(super) fn on(stack: Stack, binaries: Option<PathBuf>, lifetime: Lifetime) -> Result<Self> {
        let replication = stack.state().settings.brokers;
        let mut env = environment(stack.endpoints(), &stack.secrets()?, replication);
        // Load scripts act for anybody.
        env.insert("TIDEMARK_MODE".into(), "stage".into());
        let (watched, leases) = (Vec::new(), Vec::new());
        let (admins, public) = (Vec::new(), Vec::new());
        Ok(Self { stack, watched, leases, binaries, env, lifetime, admins, public })
    }

    pub(super) fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// MySQL for tests that make schemas of their own.
    pub(super) fn mysql_as_root(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.stack.state().ports.mysql)
    }

    /// A file beside the services' logs.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.stack.folder().join("logs").join(format!("{name}.log"))
    }

    /// Sets a variable for what is started from now on.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    fn program(&self, name: &str) -> Result<PathBuf> {
        match &self.binaries {
            None => binary(name),
            Some(folder) => Ok(folder.join(name)),
        }
    }

    /// Runs `consumers` with those arguments to its end; returns what it prints and whether it succeeded.
    /// What it logs is added to `log`.
    pub(super) fn ask(&mut self, args: &[&str], log: &Path) -> Result<(String, bool)> {
        let append = OpenOptions::new().create(true).append(true).open(log);
        let stderr = append.doing(|| format!("open {}", log.display()))?;
        let output = Command::new(self.program("consumers")?)
            .args(args)
            .envs(&self.env)
            .envs(run::admin_urls(&mut self.stack))
            .stdin(Stdio::null())
            .stderr(stderr)
            .output()
            .doing(|| format!("run consumers {}", args[0]))?;
        Ok((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
    }

    /// As [`System::ask`]; a failure is an error with the end of the log.
    pub(super) fn tool(&mut self, args: &[&str], log: &Path) -> Result<String> {
        match self.ask(args, log)? {
            (printed, true) => Ok(printed),
            _ => Err(Error::failed(format!("repair `consumers {}`: it failed", args.join(" ")), log)),
        }
    }

    /// One API process on those ports.
    pub(super) fn start_api(&mut self, public: Vec<u16>) -> Result<()> {
        let admin = self.stack.state().ports.api_admin;
        self.public.clone_from(&public);
        self.start("api", 1, Listens { admin, public }, &[])
    }

    /// Several API processes behind nginx on the stack's public ports.
    pub(super) fn start_apis(&mut self, processes: u16) -> Result<()> {
        let mut upstream = Vec::new();
        for number in 1..=processes {
            let (admin, public) = (self.lease()?, self.lease()?);
            upstream.push(public);
            self.start("api", number, Listens { admin, public: vec![public] }, &[])?;
        }
        self.public = self.stack.state().ports.public.to_vec();
        let place = self.place();
        let options = NginxOptions { listen: self.public.clone(), upstream, trusted_proxies: Vec::new() };
        let nginx = Nginx::start(install::tool(Tool::Nginx)?, &place, options)?;
        self.take(nginx.into_daemon())
    }

    /// One `consumers run`.
    pub(super) fn start_consumers(&mut self) -> Result<()> {
        let admin = self.stack.state().ports.consumers_admin;
        self.start("consumers", 1, Listens { admin, public: Vec::new() }, &["run"])
    }

    /// The admin listener of that one.
    pub(super) fn consumers_admin(&self) -> String {
        address(self.stack.state().ports.consumers_admin)
    }

    /// More of them, on ports of their own; answers their admin listeners.
    pub(super) fn start_consumers_many(&mut self, processes: u16) -> Result<Vec<String>> {
        let mut admins = Vec::new();
        for number in 2..2 + processes {
            let admin = self.lease()?;
            admins.push(address(admin));
            self.start("consumers", number, Listens { admin, public: Vec::new() }, &["run"])?;
        }
        Ok(admins)
    }

    fn start(&mut self, name: &str, number: u16, at: Listens, args: &[&str]) -> Result<()> {
        let options = ProcessOptions {
            program: self.program(name)?,
            instance: format!("{name}-{number}"),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: self.env.clone(),
            admin: at.admin,
            listen: at.public,
        };
        let process = Process::start(&self.place(), &options)?;
        if name == "api" {
            self.admins.push(at.admin);
        }
        self.take(process.into_daemon())
    }

    fn take(&mut self, daemon: Daemon) -> Result<()> {
        self.watched.push(daemon.watcher());
        self.stack.add(daemon)
    }

    fn place(&self) -> Place {
        Place { folder: self.stack.folder().to_owned(), lifetime: self.lifetime }
    }

    fn lease(&mut self) -> Result<u16> {
        let leased = lease()?;
        let port = leased.port();
        self.leases.push(leased);
        Ok(port)
    }

    /// Where the API answers.
    pub(super) fn base_url(&self) -> String {
        address(self.public.first().copied().unwrap_or_default())
    }

    /// The ports on which the API answers.
    pub(super) fn public(&self) -> &[u16] {
        &self.public
    }

    /// The admin listeners of the API processes, the first one first.
    pub(super) fn api_admins(&self) -> Vec<String> {
        self.admins.iter().copied().map(address).collect()
    }

    /// The token of the admin listeners.
    pub(super) fn token(&self) -> String {
        self.env.get("TIDEMARK_ADMIN_TOKEN").cloned().unwrap_or_default()
    }

    /// The partner's first key, `id:hex`.
    pub(super) fn platform_key(&self) -> String {
        let keys = self.env.get("TIDEMARK_PLATFORM_KEYS").map(String::as_str).unwrap_or_default();
        keys.split(',').next().unwrap_or_default().to_owned()
    }

    /// A program that ended under load makes a failure of every result, whatever the numbers say.
    pub(super) fn require_alive(&mut self) -> Result<()> {
        match self.watched.iter_mut().find_map(|program| (!program.is_alive()).then_some(program)) {
            None => Ok(()),
            Some(dead) => {
                let said = format!("find out why {} ended while it was used", dead.name());
                Err(Error::failed(said, dead.log()))
            }
        }
    }

    /// Stops all of it; the files stay.
    pub(super) fn down(mut self) -> Result<()> {
        self.stack.down()
    }
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

//! Our own programs on the test's stack: one `consumers`, one `api`.

use stack::daemon::{Daemon, Lifetime};
use stack::error::Doing;
use stack::process::{Process, ProcessOptions, binary, environment};
use stack::services::Place;
use stack::{Error, Result, Stack};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// Both programs, started.
#[derive(Debug)]
pub(super) struct Programs {
    watched: Vec<Daemon>,
    env: BTreeMap<String, String>,
    base_url: String,
}

impl Programs {
    /// Makes topics, schemas and tables, then starts both and waits until they are ready.
    pub(super) fn start(stack: &mut Stack, log: &Path) -> Result<Self> {
        let replication = stack.state().settings.brokers;
        let env = environment(stack.endpoints(), &stack.secrets()?, replication);
        init(&env, log)?;
        let place = Place { folder: stack.folder().to_owned(), lifetime: Lifetime::WithUs };
        let ports = stack.state().ports.clone();
        let options = |name: &str, args: &[&str], admin, listen| -> Result<ProcessOptions> {
            Ok(ProcessOptions {
                program: binary(name)?,
                instance: format!("{name}-1"),
                args: args.iter().map(|&arg| arg.to_owned()).collect(),
                env: env.clone(),
                admin,
                listen,
            })
        };
        let both = [
            options("consumers", &["run"], ports.consumers_admin, Vec::new())?,
            options("api", &[], ports.api_admin, ports.public.to_vec())?,
        ];
        let mut watched = Vec::new();
        for options in &both {
            let process = Process::start(&place, options)?;
            watched.push(process.watcher());
            stack.add(process.into_daemon())?;
        }
        Ok(Self { watched, env, base_url: format!("http://127.0.0.1:{}", ports.public[0]) })
    }

    /// What `consumers audit` needs to know.
    pub(super) fn environment(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Where the API answers.
    pub(super) fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// A program that ended under load fails the audit, whatever the data says.
    pub(super) fn require_alive(&mut self) -> Result<()> {
        match self.watched.iter_mut().find_map(|p| (!p.is_alive()).then_some(p)) {
            None => Ok(()),
            Some(dead) => {
                let said = format!("find out why {} ended while it was used", dead.name());
                Err(Error::failed(said, dead.log()))
            }
        }
    }
}

fn init(env: &BTreeMap<String, String>, log: &Path) -> Result<()> {
    let out = File::create(log).doing(|| format!("create {}", log.display()))?;
    let err = out.try_clone().doing(|| "copy a file handle".into())?;
    let status = Command::new(binary("consumers")?)
        .arg("init")
        .envs(env)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .doing(|| "run consumers init".into())?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::failed("repair `consumers init`: it failed", log)),
    }
}

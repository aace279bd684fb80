//! `cargo stack run`, `seed` and `audit`: our programs with the stack's environment, in the foreground.

use super::cargo;
use clap::ValueEnum;
use stack::error::Doing;
use stack::{Error, Result, Stack, process};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    program: Program,
    /// Arguments for it, after `--`; `consumers` gets `run` when there are none.
    #[arg(last = true)]
    args: Vec<String>,
}

/// How to audit.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Program {
    Api,
    Consumers,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Consumers => "consumers",
        }
    }
}

pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    let mut env = environment(name)?;
    let ports = Stack::attach(name)?.state().ports.clone();
    let mut words = args.args.clone();
    let admin = match args.program {
        Program::Api => {
            let listen = ports.public.map(|port| format!("127.0.0.1:{port}")).join(",");
            keep_or_set(&mut env, "TIDEMARK_LISTEN", listen);
            ports.api_admin
        }
        Program::Consumers => {
            if words.is_empty() {
                words.push("run".into());
            }
            ports.consumers_admin
        }
    };
    keep_or_set(&mut env, "TIDEMARK_ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
    keep_or_set(&mut env, "TIDEMARK_INSTANCE", format!("{}-1", args.program.name()));
    let mut command = built(args.program)?;
    command.args(words).envs(env);
    // Replaces this process, so that Ctrl-C and the exit code are the program's own.
    Err(command.exec()).doing(|| format!("run {}", args.program.name()))
}

pub(super) fn seed(name: &str) -> Result<ExitCode> {
    let env = environment(name)?;
    for step in ["init", "seed"] {
        let status =
            built(Program::Consumers)?.arg(step).envs(&env).status().doing(|| "run consumers".into())?;
        if !status.success() {
            let said = format!("read what `consumers {step}` says above: it failed");
            return Err(Error::prepare(said));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn audit(name: &str, args: &AuditArgs) -> Result<ExitCode> {
    let mut env = environment(name)?;
    let mut stack = Stack::attach(name)?;
    env.extend(admin_urls(&mut stack));
    let mut command = built(Program::Consumers)?;
    command.arg("audit").args(args.json.then_some("--json"));
    command.envs(env);
    Err(command.exec()).doing(|| "run consumers".into())
}

/// Where the audit finds the running processes: those that the stack knows, else those of `run`.
pub(super) fn admin_urls(stack: &mut Stack) -> BTreeMap<String, String> {
    let ports = stack.state().ports.clone();
    let mut found = |prefix: &str, otherwise: u16| {
        let known: Vec<String> = stack
            .daemons()
            .iter_mut()
            .filter(|daemon| daemon.name().starts_with(prefix))
            .filter_map(|daemon| {
                daemon.pid()?;
                daemon.launch().env.get("TIDEMARK_ADMIN_LISTEN").cloned()
            })
            .map(|address| format!("http://{address}"))
            .collect();
        match known.is_empty() {
            false => known.join(","),
            true if stack::ports::is_free(otherwise) => String::new(),
            true => format!("http://127.0.0.1:{otherwise}"),
        }
    };
    let api = found("api", ports.api_admin);
    let consumers = found("consumers", ports.consumers_admin);
    BTreeMap::from([
        ("TIDEMARK_API_ADMIN_URLS".to_owned(), api),
        ("TIDEMARK_CONSUMERS_ADMIN_URLS".to_owned(), consumers),
    ])
}

fn environment(name: &str) -> Result<BTreeMap<String, String>> {
    let mut stack = Stack::attach(name)?;
    if !stack.is_alive() {
        return Err(Error::prepare(format!(
            "run `cargo stack up` first: the stack '{name}' does not run, or not all of it"
        )));
    }
    let replication = stack.state().settings.brokers;
    Ok(process::environment(stack.endpoints(), &stack.secrets()?, replication))
}

fn built(program: Program) -> Result<Command> {
    cargo::build(program.name())?;
    Ok(Command::new(process::binary(program.name())?))
}

/// What the person has set wins over the stack's own choice.
fn keep_or_set(env: &mut BTreeMap<String, String>, name: &str, value: String) {
    if std::env::var_os(name).is_none() {
        env.insert(name.to_owned(), value);
    }
}

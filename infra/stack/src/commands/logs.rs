//! `cargo stack logs`: the end of one log or of all, and what comes after.

use stack::error::Doing;
use stack::{Result, Stack};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Which logs to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As in `cargo stack status`; all when left out.
    service: Option<String>,
    /// Go on as the logs grow.
    #[arg(short, long)]
    follow: bool,
    /// How many lines of each log to show.
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: u32,
}

pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    let mut stack = Stack::attach(name)?;
    let logs: Vec<_> = match &args.service {
        Some(service) => vec![stack.service(service)?.log().to_owned()],
        None => stack.daemons().iter().map(|daemon| daemon.log().to_owned()).collect(),
    };
    let mut tail = Command::new("tail");
    tail.arg(format!("--lines={}", args.lines)).args(logs);
    if args.follow {
        tail.arg("--follow=name");
    }
    // Replaces this process: only returns when it fails.
    Err(tail.exec()).doing(|| "run tail".into())
}

//! `cargo stack down`: stops by pid and start time what `up` started, and nothing else.

use stack::{Result, Stack, progress};
use std::process::ExitCode;

/// What becomes of the data.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove data, logs and keys as well.
    #[arg(long)]
    wipe: bool,
}

pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    let step = progress::Step::start(format!("stack '{name}'"));
    let mut stack = Stack::attach(name)?;
    stack.down()?;
    if args.wipe {
        stack.wipe()?;
    }
    step.done("down");
    Ok(ExitCode::SUCCESS)
}

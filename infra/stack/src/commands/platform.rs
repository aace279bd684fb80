//! `cargo stack platform`: the partner, until it is stopped.

use stack::platform::Platform;
use stack::{Result, progress};
use std::process::ExitCode;

/// Where it listens.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port of `POST /orders`.
    #[arg(long)]
    port: u16,
    /// Port of `PUT /control` and `GET /effects`, which is never refused.
    #[arg(long)]
    control: u16,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let platform = Platform::start_on(args.port, args.control)?;
    progress::note(&format!("the partner takes orders on {}", platform.url()));
    loop {
        // Signals end it: there is nothing to save.
        std::thread::park();
    }
}

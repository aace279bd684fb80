//! `cargo stack demo`: the whole system at work, for a person to watch.

use stack::{Error, Result};
use std::process::ExitCode;

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(super) fn run(_name: &str, _args: &Args) -> Result<ExitCode> {
    Err(Error::prepare("wait for the demo: it is not written yet"))
}

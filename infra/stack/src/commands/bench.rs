//! `cargo stack bench`: measurements, one per name.

use stack::{Error, Result};
use std::process::ExitCode;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The measurement's name.
    measurement: String,
}

pub(super) fn run(_name: &str, args: &Args) -> Result<ExitCode> {
    Err(Error::prepare(format!(
        "choose another measurement than '{}': none is written yet",
        args.measurement
    )))
}

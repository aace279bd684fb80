//! `cargo stack up`: the services run when this returns, and stay.

use super::status;
use clap::builder::PossibleValuesParser;
use stack::state::Settings;
use stack::{Result, Stack, UpOptions, progress};
use std::process::ExitCode;

/// How to bring the stack up.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One broker, or three with replication factor 3.
    #[arg(long, default_value = "1", value_parser = PossibleValuesParser::new(["1", "3"]))]
    brokers: String,
    /// MySQL survives a power cut, and writes a binary log.
    #[arg(long)]
    durable: bool,
    /// Start Kafka for throughput rather than for a quick start.
    #[arg(long)]
    throughput: bool,
    /// MySQL's memory for pages, in megabytes.
    #[arg(long, default_value_t = 128)]
    buffer_pool_mb: u32,
}

pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    let settings = Settings {
        brokers: if args.brokers == "3" { 3 } else { 1 },
        durable: args.durable,
        throughput: args.throughput,
        buffer_pool_mb: args.buffer_pool_mb,
    };
    let step = progress::Step::start(format!("stack '{name}'"));
    let mut stack = Stack::up(name, &UpOptions { settings, ..UpOptions::default() })?;
    step.done("up");
    status::table(&mut stack);
    Ok(ExitCode::SUCCESS)
}

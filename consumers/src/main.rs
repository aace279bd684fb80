//! The projections' process and the tools around the log.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod cli;

use chassis::{config, telemetry};
use clap::Parser;
use consumers::config::Config;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let _flush = telemetry::install_logs()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = cli::Command::parse();
    let config: Config = config::load(&Config::default())?;
    cli::run(command, config).await
}

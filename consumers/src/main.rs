//! The projections' process and the tools around the log.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod cli;

use chassis::{config, shutdown, telemetry};
use clap::Parser;
use consumers::config::Config;
use std::process::ExitCode;
use tokio::runtime::Runtime;

fn main() -> anyhow::Result<ExitCode> {
    let _flush = telemetry::install_logs()?;
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(run());
    runtime.shutdown_timeout(shutdown::LEFT_BEHIND);
    ended
}

async fn run() -> anyhow::Result<ExitCode> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = cli::Command::parse();
    let config: Config = config::load(&Config::default())?;
    cli::run(command, config).await
}

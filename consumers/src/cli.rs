//! Subcommands; what they print goes to stdout, logs go to stderr.

use chassis::{front::Front, serve, shutdown, telemetry};
use clap::Parser;
use consumers::{app::App, audit, config::Config, metric, tools};
use std::{io::Write, process::ExitCode, time::Duration};

/// Projections of the log into MySQL, and the tools around it. Settings come from TIDEMARK_* variables.
#[derive(Parser)]
#[command(name = "consumers", version)]
pub enum Command {
    /// Join the groups of TIDEMARK_GROUPS and project until SIGTERM.
    Run,
    /// Register schemas, create topics, found the log, migrate MySQL. Safe to repeat.
    Init,
    /// Enter the sample data through the log. Safe to repeat.
    Seed,
    /// Compare the log with MySQL and with every process. Exit code 1 where something was found.
    Audit {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Wait at most this many seconds until MySQL has caught up.
        #[arg(long, default_value_t = 0)]
        settle: u64,
    },
    /// Fold the log from its beginning and print offsets, digests and speed as JSON. Writes nothing.
    Replay,
    /// For benchmarks: append claims of distinct users.
    #[command(hide = true)]
    Backlog {
        /// How many.
        #[arg(long)]
        claims: u64,
        /// The first of these users.
        #[arg(long, default_value_t = 1)]
        first_user: u64,
    },
    /// For benchmarks: append orders of distinct users, each followed by its payment, to a log without products.
    #[command(hide = true)]
    OrderBacklog {
        /// How many.
        #[arg(long)]
        orders: u64,
    },
    /// For benchmarks: insert the rows that paid orders come to without any projection.
    #[command(hide = true)]
    RawOrders {
        /// How many.
        #[arg(long)]
        orders: u64,
    },
    /// For benchmarks: insert the rows of such a backlog without any projection.
    #[command(hide = true)]
    RawInserts {
        /// How many.
        #[arg(long)]
        rows: u64,
        /// Connections that insert at once.
        #[arg(long, default_value_t = 8)]
        writers: u64,
    },
}

/// Runs a subcommand.
///
/// # Errors
/// One sentence for the operator.
pub async fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => {
            let metrics = telemetry::install_metrics()?;
            metric::describe();
            let shutdown = shutdown::on_signal()?;
            let listener = serve::bind(config.admin_listen.parse()?)?;
            let front = Front::open(listener, config.starting(&shutdown), Some(metrics.clone()))?;
            let app = tokio::select! {
                app = App::build(config, Some(metrics)) => app?,
                () = shutdown.cancelled() => {
                    front.close().await?;
                    return Ok(ExitCode::SUCCESS);
                }
            };
            app.run(front, shutdown).await?;
        }
        Command::Init => tools::init::run(&config).await?,
        Command::Seed => tools::seed::run(&config).await?,
        Command::Audit { json, settle } => {
            let report = audit::run(&config, Duration::from_secs(settle)).await?;
            let text = if json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
            writeln!(std::io::stdout(), "{text}")?;
            return Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Replay => {
            let replayed = tokio::task::spawn_blocking(move || tools::replay::run(&config)).await??;
            print(&replayed)?;
        }
        Command::Backlog { claims, first_user } => {
            let append = move || tools::measure::backlog(&config, claims, first_user);
            print(&tokio::task::spawn_blocking(append).await??)?;
        }
        Command::OrderBacklog { orders } => {
            let append = move || tools::measure::orders::backlog(&config, orders);
            print(&tokio::task::spawn_blocking(append).await??)?;
        }
        Command::RawOrders { orders } => {
            print(&tools::measure::orders::raw_inserts(&config, orders).await?)?;
        }
        Command::RawInserts { rows, writers } => {
            print(&tools::measure::raw_inserts(&config, rows, writers).await?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(value: &impl serde::Serialize) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(value)?)?)
}

//! The subcommands of `cargo stack`, one module each.
//!
//! A command prints its answer and nothing else to standard output; progress goes to standard error.

mod bench;
mod cargo;
mod demo;
mod down;
mod drill;
mod logs;
mod platform;
mod run;
mod status;
mod system;
mod test;
mod up;

use clap::{Parser, Subcommand};
use stack::{Result, stack::DEFAULT};
use std::process::ExitCode;

/// Starts, runs, tests and stops Tidemark with its real services, without Docker.
#[derive(Debug, Parser)]
#[command(name = "cargo stack", bin_name = "cargo stack")]
pub(crate) struct Cli {
    /// Which stack; each has a folder of its own below target/stack.
    #[arg(long, global = true, default_value = DEFAULT)]
    name: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing and start Kafka, MySQL, Redis, the schema registry and the partner.
    Up(up::Args),
    /// Stop what `up` started; the data stays.
    Down(down::Args),
    /// Show every program of the stack.
    Status(status::Args),
    /// Show the logs of one service, or of all.
    Logs(logs::Args),
    /// Run `api` or `consumers` in the foreground with the stack's environment.
    Run(run::Args),
    /// Create topics, schemas and tables, then fill in the sample data.
    Seed,
    /// Replay the log and compare it with MySQL and with every running process.
    Audit(run::AuditArgs),
    /// Show the whole system at work.
    Demo(demo::Args),
    /// Check format, lints, tests, documentation and load, and print `N passed, M failed`.
    Test(test::Args),
    /// Check what needs minutes of its own: run it before an issue is called resolved.
    Verify,
    /// Measure.
    Bench(bench::Args),
    /// Prove that a pause keeps its word, and break things at random moments with one seed after the other.
    Drill(drill::Args),
    /// Play the partner in the foreground; `up` starts it so.
    #[command(hide = true)]
    Platform(platform::Args),
}

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Up(args) => up::run(&cli.name, &args),
        Command::Down(args) => down::run(&cli.name, &args),
        Command::Status(args) => status::run(&cli.name, &args),
        Command::Logs(args) => logs::run(&cli.name, &args),
        Command::Run(args) => run::run(&cli.name, &args),
        Command::Seed => run::seed(&cli.name),
        Command::Audit(args) => run::audit(&cli.name, &args),
        Command::Demo(args) => demo::run(own(&cli.name, "demo"), &args),
        Command::Test(args) => test::run(&args),
        Command::Verify => test::verify(),
        Command::Drill(args) => drill::run(&args),
        Command::Platform(args) => platform::run(&args),
        Command::Bench(args) => bench::run(own(&cli.name, "bench"), &args),
    }
}

/// The stack of a command that makes its own: never the default one.
fn own<'a>(name: &'a str, otherwise: &'a str) -> &'a str {
    if name == DEFAULT { otherwise } else { name }
}

//! The subcommands, one module each. A command prints its answer and nothing else to standard output.

mod audit;
mod cutover;
mod database;
mod dead_letters;
mod extend;
mod holds;
mod operations;
mod pause;
mod picture;
mod pools;
mod redrive;
mod resume;
mod rules;
mod scope;
mod skip;
mod status;
mod tune;
mod waiting;

use crate::{failure::Failure, settings::Desk};
use clap::Subcommand;

/// See the module.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show groups, partitions, lag, holds and instances.
    Status(status::Args),
    /// Keep groups, topics or partitions from writing; wait until every instance has confirmed.
    Pause(pause::Args),
    /// Take a holder's hold back; wait until everything flows that nobody else holds.
    Resume(resume::Args),
    /// Give a hold another time to live, from now on.
    Extend(extend::Args),
    /// List the newest operations, or show one of them.
    Operations(operations::Args),
    /// Replay the log and compare it with MySQL and with every process. Exit code 1 where something was found.
    Audit,
    /// Have everything run on another MySQL, and keep the way back open.
    Cutover(Box<cutover::Args>),
    /// Look at what could not be processed or delivered, and deliver it again.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Change the rules that new records are decided by.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Show the database pools of every process given with --url.
    Pools,
    /// Change settings of pools or groups while they run.
    #[command(subcommand)]
    Tune(tune::Command),
    /// Have every process pass over one record at which they stopped. It cannot be taken back.
    Skip(skip::Args),
}

/// Does it.
///
/// # Errors
/// Why not.
pub(crate) fn run(desk: &Desk, command: Command) -> Result<(), Failure> {
    match command {
        Command::Status(args) => status::run(desk, &args),
        Command::Pause(args) => pause::run(desk, &args),
        Command::Resume(args) => resume::run(desk, &args),
        Command::Extend(args) => extend::run(desk, &args),
        Command::Operations(args) => operations::run(desk, &args),
        Command::Audit => audit::run(desk),
        Command::Cutover(args) => cutover::run(desk, &args),
        Command::DeadLetters(command) => dead_letters::run(desk, command),
        Command::Rules(command) => rules::run(desk, &command),
        Command::Pools => pools::run(desk),
        Command::Tune(command) => tune::run(desk, &command),
        Command::Skip(args) => skip::run(desk, &args),
    }
}

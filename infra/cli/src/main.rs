//! `tidemark`, the operators' command line. It knows the admin API and nothing behind it: no Kafka, no MySQL, no crate
//! of ours. It must never hide what a process said, nor answer "done" for what is not confirmed.

mod admin;
mod answers;
mod commands;
mod failure;
mod limits;
mod moment;
mod screen;
mod settings;
mod table;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = settings::Cli::parse();
    let as_json = cli.global.json;
    let done = settings::Desk::open(cli.global).and_then(|desk| commands::run(&desk, cli.command));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::complain(&failure, as_json);
            ExitCode::from(failure.exit())
        }
    }
}

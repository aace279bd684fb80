//! `cargo stack`: brings the services up, runs our programs against them, tests everything, takes it down.

mod commands;

use clap::Parser;
use stack::progress;
use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(commands::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            progress::note(&format!("cargo stack: {error}"));
            ExitCode::FAILURE
        }
    }
}

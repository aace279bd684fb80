//! `tidemark`, the operators' command line, as a program to be run.
//!
//! It must be built: `cargo build -p cli`.

use stack::process::{self, Process};
use std::process::Command;

/// The admin listeners of these processes, as the command line takes them.
pub fn urls<'a>(processes: impl IntoIterator<Item = &'a Process>) -> String {
    let urls: Vec<String> = processes.into_iter().map(Process::admin_url).collect();
    urls.join(",")
}

/// Without arguments yet.
pub fn tidemark(urls: &str, token: &str) -> Command {
    // The package is not called as its program is, so the hint of `binary` would lead nowhere.
    let program = process::binary("tidemark").unwrap_or_else(|_| panic!("run `cargo build -p cli`"));
    let mut command = Command::new(program);
    command.env("TIDEMARK_ADMIN_URL", urls).env("TIDEMARK_ADMIN_TOKEN", token);
    command
}

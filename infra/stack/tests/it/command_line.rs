//! `tidemark`, the operators' command line, as a program to be run.
//!
//! It must be built: `cargo build --workspace`.

use stack::process::{self, Process};
use std::process::Command;

/// The admin listeners of these processes, as the command line takes them.
pub fn urls<'a>(processes: impl IntoIterator<Item = &'a Process>) -> String {
    let urls: Vec<String> = processes.into_iter().map(Process::admin_url).collect();
    urls.join(",")
}

/// Without arguments yet.
pub fn tidemark(urls: &str, token: &str) -> Command {
    let mut command = Command::new(process::binary("tidemark").unwrap());
    command.env("TIDEMARK_ADMIN_URL", urls).env("TIDEMARK_ADMIN_TOKEN", token);
    command
}

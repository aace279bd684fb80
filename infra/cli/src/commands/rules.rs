//! `tidemark rules`.

use crate::{failure::Failure, screen, settings::Desk};
use serde_json::{Value, json};

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Have all records from now on decided by a version of the rules. Asks an admin listener of `api`.
    Activate {
        /// Which version; every binary must carry it.
        #[arg(long)]
        version: u32,
    },
}

/// Does it.
///
/// # Errors
/// It was refused.
pub(crate) fn run(desk: &Desk, command: &Command) -> Result<(), Failure> {
    let Command::Activate { version } = command;
    let answer = desk.admin.change("POST", "/admin/rules/activate", &json!({"version": version}))?;
    if desk.json {
        return screen::print_json(&answer.body);
    }
    let changed = answer.body.get("changed").and_then(Value::as_bool).unwrap_or(true);
    let said = if changed { "is in force from now on" } else { "was in force already" };
    screen::print(&format!("DONE: version {version} of the rules {said}"))
}

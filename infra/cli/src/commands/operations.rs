//! `tidemark operations`: who changed what, and how far it is.

use super::{scope::duration, waiting};
use crate::{answers::Operations, failure::Failure, limits, moment, screen, settings::Desk, table::Table};
use std::time::Duration;

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One of them; its exit code is 3 while somebody has not confirmed.
    id: Option<String>,
    /// Wait for its end for so long.
    #[arg(long, value_parser = duration, requires = "id")]
    wait: Option<Duration>,
    /// How many to list, the newest first.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// Does it.
///
/// # Errors
/// It is not known, or not at its end.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    match &args.id {
        Some(id) if id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            waiting::await_end(desk, id, args.wait.unwrap_or_default())
        }
        Some(id) => Err(Failure::Usage(format!("{id:?} is no operation's number"))),
        None => list(desk, args.limit),
    }
}

fn list(desk: &Desk, limit: u32) -> Result<(), Failure> {
    let answer = desk.admin.get(&format!("/admin/operations?limit={limit}"), limits::ASK)?;
    if desk.json {
        return screen::print_json(&answer.body);
    }
    let Operations { operations } = answer.read()?;
    let mut table = Table::new(&["WHEN", "WHAT", "HOLDER", "SCOPE", "BY", "WHY", "OPERATION"]);
    for operation in operations {
        table.row([
            moment::clock(operation.at_ms, answer.now_ms),
            operation.kind,
            operation.holder.unwrap_or_default(),
            operation.scopes.join(" "),
            operation.actor,
            operation.reason,
            operation.id,
        ]);
    }
    screen::print(&if table.is_empty() { "nobody changed anything".into() } else { table.to_string() })
}

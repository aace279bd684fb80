//! `tidemark skip`: an operator's decision to pass over one record at which the processes stopped.

use super::{
    scope::Patience,
    waiting::{self, Wanted},
};
use crate::{failure::Failure, settings::Desk};
use serde_json::json;

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its topic.
    #[arg(long)]
    topic: String,
    /// Its partition.
    #[arg(long)]
    partition: u32,
    /// Its offset, as the stopped partition names it.
    #[arg(long)]
    offset: u64,
    /// Why: it stands in the log of changes for ever.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    patience: Patience,
}

/// Does it.
///
/// # Errors
/// It was refused, or not confirmed in time.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    let body = json!({
        "topic": args.topic, "partition": args.partition, "offset": args.offset, "reason": args.reason,
        "actor": desk.actor,
    });
    let accepted = desk.admin.change("POST", "/admin/skips", &body)?;
    waiting::see_through(desk, &accepted, args.patience, Wanted::Applied)
}

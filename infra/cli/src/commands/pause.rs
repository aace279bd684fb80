//! `tidemark pause`.

use super::{
    scope::{Holder, OnExpiry, Patience, Scopes, written},
    waiting::{self, Wanted},
};
use crate::{failure::Failure, settings::Desk};
use clap::ValueEnum;
use serde_json::{Value, json};

/// See the module.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("scope").required(true).multiple(true).args(["group", "topic", "partition", "all"])))]
pub(crate) struct Args {
    #[command(flatten)]
    scopes: Scopes,
    /// Why: whoever looks at 3 a.m. reads this.
    #[arg(long)]
    reason: String,
    /// What becomes of what is under way.
    #[arg(long, value_enum, default_value = "drain")]
    mode: Mode,
    /// For how long, as in 45m; until somebody resumes it, where left out.
    #[arg(long, value_parser = written)]
    ttl: Option<String>,
    /// What becomes of it when its time has passed.
    #[arg(long, value_enum, default_value = "resume-if-database-healthy", requires = "ttl")]
    on_expiry: OnExpiry,
    /// For whom.
    #[arg(long, value_enum, default_value = "operator")]
    holder: Holder,
    /// Also for longer than the log keeps records: what is older is lost then.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The open batch is finished and committed.
    Drain,
    /// At once: the open batch is rolled back.
    Hold,
    /// As drain; then the writer pool is closed, so that the server can be taken away.
    Release,
}

/// Does it.
///
/// # Errors
/// It was refused, or not confirmed in time.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    let accepted = desk.admin.change("POST", "/admin/consumers/pause", &body(desk, args))?;
    waiting::see_through(desk, &accepted, args.patience, Wanted::Rest)
}

fn body(desk: &Desk, args: &Args) -> Value {
    let mode = match args.mode {
        Mode::Drain => "drain",
        Mode::Hold => "hold",
        Mode::Release => "release",
    };
    json!({
        "scope": args.scopes.to_json(), "mode": mode, "ttl": args.ttl, "on_expiry": args.on_expiry.name(),
        "reason": args.reason, "actor": desk.actor, "holder": args.holder.name(), "force": args.force,
    })
}

//! `tidemark extend`.

use super::scope::{Holder, OnExpiry, Scopes, written};
use crate::{failure::Failure, moment, screen, settings::Desk};
use serde_json::{Value, json};

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of what; of everything that the holder holds, where left out.
    #[command(flatten)]
    scopes: Scopes,
    /// For how long from now on, as in 30m; what lasts longer already stays as it is.
    #[arg(long, value_parser = written)]
    ttl: String,
    /// Gives an end also to a hold that has none.
    #[arg(long)]
    set_end: bool,
    /// Who placed the hold, where that was somebody else.
    #[arg(long, value_name = "ACTOR", value_parser = written)]
    placed_by: Option<String>,
    /// What becomes of it then; as it was, where left out.
    #[arg(long, value_enum)]
    on_expiry: Option<OnExpiry>,
    /// Whose hold.
    #[arg(long, value_enum, default_value = "operator")]
    holder: Holder,
    /// Also for longer than the log keeps records: what is older is lost then.
    #[arg(long)]
    force: bool,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    reason: String,
}

/// Does it.
///
/// # Errors
/// It was refused.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    let body = json!({
        "ttl": args.ttl, "on_expiry": args.on_expiry.map(OnExpiry::name), "scope": args.scopes.to_json(),
        "reason": args.reason, "actor": desk.actor, "force": args.force,
        "set_end": args.set_end, "placed_by": args.placed_by,
    });
    let path = format!("/admin/consumers/pause/{}", args.holder.name());
    let answer = desk.admin.change("PATCH", &path, &body)?;
    if desk.json {
        return screen::print_json(&answer.body);
    }
    let operation = answer.body.get("operation").and_then(Value::as_str).unwrap_or_default();
    let until = answer.body.get("expires_at_ms").and_then(Value::as_i64).unwrap_or_default();
    let (clock, relative) = (moment::clock(until, answer.now_ms), moment::relative(until, answer.now_ms));
    screen::print(&format!(
        "operation {operation}\nDONE: {} holds until {clock} ({relative})",
        args.holder.name()
    ))
}

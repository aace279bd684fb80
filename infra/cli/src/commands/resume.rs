//! `tidemark resume`.

use super::{
    scope::{Holder, Patience, Scopes, duration},
    waiting::{self, Wanted},
};
use crate::{failure::Failure, settings::Desk};
use serde_json::{Value, json};

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of what; of everything that the holder holds, where left out.
    #[command(flatten)]
    scopes: Scopes,
    /// Whose hold: two holders never undo each other.
    #[arg(long, value_enum, default_value = "operator")]
    holder: Holder,
    /// How fast it comes back: first share in percent, more with every step in percent, time of a step.
    #[arg(long, value_name = "10,30,10s", value_parser = ramp)]
    ramp: Option<Ramp>,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ramp {
    start_percent: u32,
    step_percent: u32,
    every: String,
}

/// Does it.
///
/// # Errors
/// It was refused, or not confirmed in time.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    let ramp = args.ramp.as_ref().map(Ramp::to_json);
    let body: Value = json!({
        "scope": args.scopes.to_json(), "holder": args.holder.name(), "ramp": ramp, "reason": args.reason,
        "actor": desk.actor,
    });
    let accepted = desk.admin.change("POST", "/admin/consumers/resume", &body)?;
    waiting::see_through(desk, &accepted, args.patience, Wanted::Flow)
}

impl Ramp {
    /// For a request.
    pub(super) fn to_json(&self) -> Value {
        let Self { start_percent, step_percent, every } = self;
        json!({"start_percent": start_percent, "step_percent": step_percent, "every": every})
    }
}

/// A ramp as people write it.
pub(super) fn ramp(text: &str) -> Result<Ramp, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [start, step, every] = parts[..] else {
        return Err("write START,STEP,TIME, as in 10,30,10s".into());
    };
    let percent = |text: &str| {
        let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
        percent.ok_or_else(|| format!("{text:?} is no percentage from 1 to 100"))
    };
    duration(every)?;
    Ok(Ramp { start_percent: percent(start)?, step_percent: percent(step)?, every: every.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_has_two_shares_and_a_time() {
        let every = "10s".to_owned();
        assert_eq!(ramp("10, 30,10s"), Ok(Ramp { start_percent: 10, step_percent: 30, every }));
        for text in ["", "10", "10,30", "10,30,10", "0,30,10s", "10,101,10s", "10,30,10s,1"] {
            assert!(ramp(text).is_err(), "{text}");
        }
    }
}

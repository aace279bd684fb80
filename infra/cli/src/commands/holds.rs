//! Holds as people read them: those in force, and those that a new one has replaced. A pause that replaces another one must
//! say so: its mode, its end and its reason are gone.

use crate::{
    admin::Answer,
    answers::{Hold, Progress},
    limits, moment, screen,
    settings::Desk,
    table::Table,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fmt::Write, thread, time::Instant};

/// Those in force.
pub(super) fn paint(holds: &[Hold], now_ms: i64) -> String {
    if holds.is_empty() {
        return "nothing is held\n".into();
    }
    let mut table = Table::new(&["HOLDER", "SCOPE", "MODE", "SINCE", "UNTIL", "THEN", "BY", "WHY"]);
    for hold in holds {
        let then = hold.expires_at_ms.map(|_| hold.on_expiry.replace('_', " "));
        table.row([
            hold.holder.clone(),
            hold.scope.clone(),
            hold.mode.clone(),
            format!(
                "{} ({})",
                moment::clock(hold.created_at_ms, now_ms),
                moment::relative(hold.created_at_ms.min(now_ms), now_ms)
            ),
            until(hold, now_ms),
            then.unwrap_or_default(),
            hold.actor.clone(),
            hold.reason.clone(),
        ]);
    }
    table.to_string()
}

/// When it ends.
fn until(hold: &Hold, now_ms: i64) -> String {
    let Some(at) = hold.expires_at_ms else { return "somebody resumes it".into() };
    let text = format!("{} ({})", moment::clock(at, now_ms), moment::relative(at, now_ms));
    hold.overdue.as_ref().map_or_else(|| text.clone(), |why| format!("{text}, OVERDUE: {why}"))
}

/// What a change has replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    /// The operations that had placed it.
    operations: Vec<String>,
    /// As it was; nothing where nobody says it yet.
    holds: Value,
    now_ms: i64,
}

/// By the answer to a change; nothing of one that never replaces anything.
pub(super) fn replaced(desk: &Desk, accepted: &Answer, id: &str) -> Option<Replaced> {
    let operations = accepted.body.get("replaces")?.as_array()?.iter().filter_map(Value::as_str);
    let operations: Vec<String> = operations.map(str::to_owned).collect();
    let holds = if operations.is_empty() { json!([]) } else { before(desk, id) };
    Some(Replaced { operations, holds, now_ms: accepted.now_ms })
}

/// As it was before an operation. The process that is asked may not have read of that yet; it is no reason to call a
/// change undone that was taken.
fn before(desk: &Desk, id: &str) -> Value {
    let deadline = Instant::now() + limits::STEP;
    loop {
        let asked = desk.admin.get(&format!("/admin/operations/{id}"), limits::ASK);
        match asked.and_then(|answer| answer.read::<Progress>()) {
            Ok(progress) => return progress.operation.map(|known| known.before).unwrap_or_default(),
            Err(failure) if failure.is_passing() && Instant::now() < deadline => thread::sleep(limits::RETRY),
            Err(_) => return Value::Null,
        }
    }
}

impl Replaced {
    /// In two lines for each.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for operation in &self.operations {
            let _ = writeln!(text, "REPLACES the hold of operation {operation}");
        }
        for hold in self.holds.as_array().into_iter().flatten() {
            let drawn = Hold::deserialize(hold).map_or_else(|_| hold.to_string(), |hold| self.line(&hold));
            let _ = writeln!(text, "  {}", screen::plain(&drawn));
        }
        text
    }

    fn line(&self, hold: &Hold) -> String {
        let Hold { holder, scope, mode, actor, reason, .. } = hold;
        format!("{holder}/{scope}: {mode} until {}, by {actor}: {reason}", until(hold, self.now_ms))
    }

    /// Beside a process' own answer.
    pub(super) fn add_to(&self, answer: &mut Value) {
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("replaces".into(), json!(self.operations));
            answer.insert("replaced".into(), self.holds.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn replaced(expires_at_ms: Value) -> Replaced {
        let hold = json!({"holder": "operator", "scope": "all", "epoch": 7, "mode": "release", "reason": "a new\ndisk",
            "actor": "anna", "operation": "o-1", "created_at_ms": NOW - 60_000, "expires_at_ms": expires_at_ms,
            "on_expiry": "resume", "overdue": null});
        Replaced { operations: vec!["o-1".into()], holds: json!([hold]), now_ms: NOW }
    }

    #[test]
    fn a_hold_that_was_replaced_is_named_with_its_mode_end_and_reason() {
        let text = replaced(json!(NOW + 120_000)).text();
        let (first, second) = text.trim_end().split_once('\n').unwrap();
        assert_eq!(first, "REPLACES the hold of operation o-1");
        assert!(second.starts_with("  operator/all: release until "), "{text}");
        assert!(second.ends_with("(in 2m), by anna: a new disk"), "{text}");
        assert!(replaced(Value::Null).text().contains("until somebody resumes it, by anna"));
        let unread = Replaced { holds: Value::Null, ..replaced(Value::Null) };
        assert_eq!(unread.text(), "REPLACES the hold of operation o-1\n");
    }

    #[test]
    fn programs_get_it_beside_the_answer() {
        let mut answer = json!({"state": "PAUSED"});
        replaced(Value::Null).add_to(&mut answer);
        assert_eq!((&answer["replaces"], &answer["state"]), (&json!(["o-1"]), &json!("PAUSED")));
        assert_eq!(answer["replaced"][0]["mode"], "release");
    }
}

//! Follows an operation to its end, and says how far it is meanwhile.

use super::{
    holds::{self, Replaced},
    scope::Patience,
};
use crate::{
    admin::Answer,
    answers::{Operation, Progress, Standing},
    failure::Failure,
    limits, moment, screen,
    settings::Desk,
    table::Table,
};
use serde_json::Value;
use std::{
    fmt::Write,
    thread,
    time::{Duration, Instant},
};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// That everything rests.
    Rest,
    /// That everything flows, as far as nobody else holds it.
    Flow,
    /// That everybody obeys it.
    Applied,
    /// That it is at its end, whatever it is.
    Any,
}

/// Of a change that was accepted: prints its number, and waits for its end unless nobody wants to.
///
/// # Errors
/// It came to another end, or to none in time.
pub(super) fn see_through(
    desk: &Desk,
    accepted: &Answer,
    patience: Patience,
    wanted: Wanted,
) -> Result<(), Failure> {
    let Some(id) = accepted.body.get("operation").and_then(Value::as_str) else {
        return screen::print_json(&accepted.body);
    };
    let replaced = holds::replaced(desk, accepted, id);
    let add_to = |answer: &mut Value| {
        if let Some(replaced) = &replaced {
            replaced.add_to(answer);
        }
    };
    let also = replaced.as_ref().map(Replaced::text).unwrap_or_default();
    if patience.no_wait {
        if desk.json {
            let mut body = accepted.body.clone();
            add_to(&mut body);
            return screen::print_json(&body);
        }
        return screen::print(&format!(
            "operation {id}: recorded; `tidemark operations {id}` says how far it is\n{also}"
        ));
    }
    if !desk.json {
        screen::print(&format!("operation {id}\n{also}"))?;
    }
    let mut progress = follow(desk, id, patience.timeout)?;
    add_to(&mut progress.body);
    conclude(desk, &progress, Some(accepted.asked.elapsed()))?;
    verdict(&progress.read()?, id, patience.timeout, wanted)
}

/// Waits for an operation's end and shows it.
///
/// # Errors
/// As [`see_through`].
pub(super) fn await_end(desk: &Desk, id: &str, timeout: Duration) -> Result<(), Failure> {
    let answer = follow(desk, id, timeout)?;
    conclude(desk, &answer, None)?;
    verdict(&answer.read()?, id, timeout, Wanted::Any)
}

fn conclude(desk: &Desk, answer: &Answer, took: Option<Duration>) -> Result<(), Failure> {
    if desk.json { screen::print_json(&answer.body) } else { screen::print(&picture(&answer.read()?, took)) }
}

/// Asks until it is settled or the time is over; the last answer.
pub(super) fn follow(desk: &Desk, id: &str, timeout: Duration) -> Result<Answer, Failure> {
    let deadline = Instant::now() + timeout;
    let mut line = screen::Progress::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let step = left.min(limits::STEP);
        let path = format!("/admin/operations/{id}?wait={}ms", step.as_millis());
        match desk.admin.get(&path, limits::ASK + step) {
            Ok(answer) => {
                let progress: Progress = answer.read()?;
                if progress.state.is_settled() || left.is_zero() {
                    return Ok(answer);
                }
                if !desk.json {
                    line.show(&stage(&progress));
                }
            }
            // The process that is asked now may not have read of it yet; or all are away for a moment.
            Err(failure) if !left.is_zero() && failure.is_passing() => {
                if !desk.json {
                    line.show(&format!("waiting: {}", failure.in_a_line()));
                }
                thread::sleep(limits::RETRY);
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// How far it is, in one line.
pub(super) fn stage(progress: &Progress) -> String {
    let Progress { state, confirmed, missing, .. } = progress;
    let all = confirmed + missing.len();
    let first = missing.iter().next().map(|(who, why)| format!("{who}: {why}")).unwrap_or_default();
    let more = if missing.len() > 1 { format!("; and {} more", missing.len() - 1) } else { String::new() };
    format!("{}: {confirmed} of {all} confirmed; waiting for {first}{more}", word(*state))
}

pub(super) const fn word(state: Standing) -> &'static str {
    match state {
        Standing::Pausing => "PAUSING",
        Standing::Paused => "PAUSED",
        Standing::Partial => "PARTIAL",
        Standing::Resuming => "RESUMING",
        Standing::Running => "RUNNING",
        Standing::Expired => "EXPIRED",
        Standing::Replaced => "REPLACED",
        Standing::Applying => "APPLYING",
        Standing::Switching => "SWITCHING",
        Standing::Done => "DONE",
        Standing::Other => "UNKNOWN",
    }
}

/// What is printed at the end.
fn picture(progress: &Progress, took: Option<Duration>) -> String {
    let mut table = Table::new(&["INSTANCE", "GROUP", "PARTITIONS", ">IN FLIGHT", ">SESSIONS", "CONFIRMED"]);
    for instance in &progress.instances {
        let why = progress.missing.get(&format!("{}/{}", instance.id, instance.group));
        let why = why.or_else(|| progress.missing.get(&instance.id));
        let word = if instance.confirmed { "yes" } else { why.map_or("no", String::as_str) };
        table.row([
            instance.id.clone(),
            instance.group.clone(),
            ranges(instance.partitions.iter().copied()),
            instance.in_flight.to_string(),
            instance.database_sessions.to_string(),
            word.to_owned(),
        ]);
    }
    let mut text = progress.operation.as_ref().map(heading).unwrap_or_default();
    if !table.is_empty() {
        text.push_str(&table.to_string());
    }
    let state = word(progress.state);
    let took = took.map(|took| format!(" after {}", moment::span(took))).unwrap_or_default();
    let _ = match progress.state {
        Standing::Paused if !progress.held_by.is_empty() => {
            let held_by = progress.held_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            write!(text, "{state}: taken back, and still held by {held_by}")
        }
        Standing::Paused if progress.confirmed == 0 => {
            write!(
                text,
                "{state}: no member is listed, so nobody had to confirm; `tidemark status` shows who was there"
            )
        }
        Standing::Paused => {
            write!(text, "{state}: all {} confirmed{took}; nothing is under way", progress.confirmed)
        }
        Standing::Running => write!(text, "{state}: all {} confirmed{took}", progress.confirmed),
        Standing::Done if progress.confirmed > 0 => {
            write!(text, "{state}: all {} confirmed{took}", progress.confirmed)
        }
        Standing::Done => write!(text, "{state}: recorded; every process obeys it as soon as it reads it"),
        Standing::Expired => write!(text, "{state}: its time has passed, and it was taken back"),
        Standing::Replaced => write!(text, "{state}: a later operation took its place"),
        _ => write!(text, "{state}: {} confirmed{took}", progress.confirmed),
    };
    text
}

/// What was asked for, by whom and why.
fn heading(operation: &Operation) -> String {
    let holder = operation.holder.as_ref().map(|holder| format!(" for {holder}")).unwrap_or_default();
    let scopes = operation.scopes.join(" ");
    let why = if operation.reason.is_empty() { String::new() } else { format!(": {}", operation.reason) };
    let line = format!("{}{holder} {scopes} by {}{why}", operation.kind, operation.actor);
    format!("{}\n", screen::plain(&line))
}

/// Whether it came to what was wanted.
///
/// # Errors
/// It did not: to something else, or to nothing yet.
pub(super) fn verdict(
    progress: &Progress,
    id: &str,
    timeout: Duration,
    wanted: Wanted,
) -> Result<(), Failure> {
    let state = progress.state;
    let done = match wanted {
        Wanted::Rest => state == Standing::Paused,
        Wanted::Flow => matches!(state, Standing::Running | Standing::Paused),
        Wanted::Applied => state == Standing::Done,
        Wanted::Any => state.is_settled(),
    };
    if done {
        return Ok(());
    }
    if state.is_settled() {
        return Err(Failure::Failed {
            message: format!("{}: somebody else changed it meanwhile", word(state)),
            next: "`tidemark operations` lists who did what; `tidemark status` shows what is held now".into(),
        });
    }
    let mut message = format!(
        "not confirmed within {}: {} ({} confirmed)",
        moment::span(timeout),
        word(state),
        progress.confirmed
    );
    for (who, why) in &progress.missing {
        let _ = write!(message, "\n  {who}: {why}");
    }
    Err(Failure::Unconfirmed {
        message,
        next: format!(
            "it is recorded and stays so: whoever is missing obeys as soon as it hears of it. Look at the processes named \
             above; one that is dead is not listed any more after 10 s. Then `tidemark operations {id} --wait 60s`"
        ),
    })
}

/// Numbers with neighbours drawn together.
pub(super) fn ranges(numbers: impl Iterator<Item = i32>) -> String {
    let mut found: Vec<(i32, i32)> = Vec::new();
    for number in numbers {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => found.push((number, number)),
        }
    }
    let text = |(first, last): &(i32, i32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    found.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn progress(state: &str, missing: &Value, held_by: &Value) -> Progress {
        let instance = |id: &str, confirmed: bool| {
            json!({"id": id, "group": "g", "partitions": [0, 1, 2, 5], "in_flight": 0, "committed": {"0": 7},
                "database_sessions": 3, "confirmed": confirmed})
        };
        let instances = [instance("a", true), instance("b", missing.get("b/g").is_none())];
        let answer = json!({"state": state, "confirmed": 1, "missing": missing, "held_by": held_by,
            "instances": instances, "operation": null});
        Progress::deserialize(answer).unwrap()
    }

    use serde::Deserialize;

    #[test]
    fn only_what_was_asked_for_is_called_done() {
        let none = json!({});
        let ask = |state: &str, wanted| {
            let failure = verdict(&progress(state, &none, &json!([])), "1", Duration::from_secs(60), wanted);
            failure.map_or_else(|failure| failure.exit(), |()| 0)
        };
        let states = [
            "PAUSED",
            "RUNNING",
            "PARTIAL",
            "PAUSING",
            "EXPIRED",
            "REPLACED",
            "DONE",
            "DREAMING",
            "APPLYING",
            "SWITCHING",
        ];
        assert_eq!(states.map(|state| ask(state, Wanted::Rest)), [0, 1, 3, 3, 1, 1, 1, 3, 3, 3]);
        assert_eq!(states.map(|state| ask(state, Wanted::Flow)), [0, 0, 3, 3, 1, 1, 1, 3, 3, 3]);
        assert_eq!(states.map(|state| ask(state, Wanted::Applied)), [1, 1, 3, 3, 1, 1, 0, 3, 3, 3]);
        assert_eq!(states.map(|state| ask(state, Wanted::Any)), [0, 0, 3, 3, 0, 0, 0, 3, 3, 3]);
    }

    #[test]
    fn who_is_missing_is_named_with_the_reason() {
        let partial = progress("PARTIAL", &json!({"b/g": "it has not heard of it yet"}), &json!([]));
        assert_eq!(stage(&partial), "PARTIAL: 1 of 2 confirmed; waiting for b/g: it has not heard of it yet");
        let failure = verdict(&partial, "op-1", Duration::from_secs(60), Wanted::Rest).unwrap_err();
        assert!(failure.to_string().ends_with("\n  b/g: it has not heard of it yet"), "{failure}");
        assert!(failure.next().contains("tidemark operations op-1"), "{}", failure.next());
        let text = picture(&partial, Some(Duration::from_secs(60)));
        assert!(
            text.contains("b         g      0-2,5               0         3  it has not heard of it yet"),
            "{text}"
        );
    }

    #[test]
    fn a_setting_is_confirmed_by_processes_that_have_no_partitions() {
        let api = json!({"id": "api-1", "confirmed": false});
        let answer = json!({"state": "PARTIAL", "confirmed": 1, "missing": {"api-1": "it is late"},
            "instances": [api, {"id": "consumers-1", "confirmed": true}]});
        let text = picture(&Progress::deserialize(answer).unwrap(), None);
        assert!(text.contains("api-1        -      -                   0         0  it is late"), "{text}");
        let done = json!({"state": "DONE", "confirmed": 2});
        let text = picture(&Progress::deserialize(done).unwrap(), Some(Duration::from_secs(2)));
        assert_eq!(text, "DONE: all 2 confirmed after 2.0s");
    }

    #[test]
    fn somebody_elses_hold_is_named() {
        let still = progress("PAUSED", &json!({}), &json!(["cutover"]));
        assert!(picture(&still, None).ends_with("PAUSED: taken back, and still held by cutover"));
    }

    #[test]
    fn numbers_are_drawn_together() {
        assert_eq!(ranges([].into_iter()), "");
        assert_eq!(ranges([0, 1, 2, 5, 7, 8].into_iter()), "0-2,5,7-8");
    }
}

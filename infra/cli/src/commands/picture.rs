//! What `status` shows, drawn from answers alone. It must not call quiet what nobody has said for a while.

use super::{holds, waiting::ranges};
use crate::{
    answers::{Consumers, Group, Partition, Report},
    limits, moment, screen,
    table::Table,
};
use std::{collections::BTreeMap, fmt::Write};

/// What waits for a person.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Dispatches that nobody tries any more, at most one page of them; or why that is not known.
    pub(super) failed_dispatches: Result<usize, String>,
    /// Topics with dead letters, and how many of the newest are of each; or why that is not known.
    pub(super) dead_letters: Result<BTreeMap<String, usize>, String>,
}

/// Draws everything; the pools are drawn already.
pub(super) fn paint(
    consumers: &Consumers,
    backlog: &Backlog,
    pools: &str,
    now_ms: i64,
    each: bool,
) -> String {
    let held = holds::paint(&consumers.holds, now_ms);
    let mut text = format!("{}\n{held}", groups(consumers, now_ms, each));
    for (heading, lines) in
        [("NOT CONFIRMED", unconfirmed(consumers, now_ms)), ("STOPPED", stopped(consumers))]
    {
        if !lines.is_empty() {
            let _ = write!(text, "\n{heading}\n{}\n", lines.join("\n"));
        }
    }
    let instances = instances(consumers, now_ms);
    if !instances.is_empty() {
        let _ = write!(text, "\n{instances}");
    }
    if !pools.is_empty() {
        let _ = write!(text, "\n{pools}");
    }
    text.extend(notes(consumers, backlog).iter().map(|line| format!("\n{line}")));
    text.trim_end().to_owned()
}

fn groups(consumers: &Consumers, now_ms: i64, each: bool) -> Table {
    let mut table = Table::new(&[
        "GROUP",
        "TOPIC",
        "PARTITIONS",
        "WANTED",
        "IS",
        "HELD BY",
        ">LAG",
        ">LAG TIME",
        ">DRAINED IN",
        "INSTANCE",
    ]);
    for (name, group) in &consumers.groups {
        for rows in alike(group, each) {
            let Some(first) = rows.first() else { continue };
            let sum = |value: fn(&Partition) -> Option<u64>| {
                rows.iter().map(|row| value(row)).sum::<Option<u64>>().map(moment::number)
            };
            let most = |value: fn(&Partition) -> Option<f64>| {
                let all = rows.iter().map(|row| value(row)).collect::<Option<Vec<f64>>>()?;
                all.into_iter().reduce(f64::max).map(moment::seconds)
            };
            table.row([
                name.clone(),
                group.topic.clone(),
                ranges(rows.iter().map(|row| row.partition)),
                first.desired.clone(),
                observed(first, is_heard(consumers, group, first, now_ms)),
                first.holders.join(" "),
                sum(|row| row.lag_records).unwrap_or_default(),
                most(|row| row.lag_seconds).unwrap_or_default(),
                most(|row| row.drain_eta_seconds).unwrap_or_default(),
                owner(consumers, group, first, now_ms),
            ]);
        }
    }
    table
}

/// Partitions in the same condition at the same place, side by side.
fn alike(group: &Group, each: bool) -> Vec<Vec<&Partition>> {
    let mut found: Vec<Vec<&Partition>> = Vec::new();
    for row in &group.partitions {
        let condition = |row: &Partition| {
            let reason = row.reason.clone();
            (row.instance.clone(), row.desired.clone(), row.observed.clone(), row.holders.clone(), reason)
        };
        let same = |rows: &&mut Vec<&Partition>| {
            rows.first().is_some_and(|first| condition(first) == condition(row))
        };
        match found.iter_mut().find(same).filter(|_| !each) {
            Some(rows) => rows.push(row),
            None => found.push(vec![row]),
        }
    }
    found
}

/// What was said long ago, or by somebody who has left, may not be so any more.
fn observed(row: &Partition, is_heard: bool) -> String {
    format!("{}{}", row.observed.as_deref().unwrap_or_default(), if is_heard { "" } else { "?" })
}

fn is_heard(consumers: &Consumers, group: &Group, row: &Partition, now_ms: i64) -> bool {
    row.instance.as_ref().is_some_and(|name| owner(consumers, group, row, now_ms) == *name)
}

fn owner(consumers: &Consumers, group: &Group, row: &Partition, now_ms: i64) -> String {
    let Some(name) = &row.instance else { return "nobody".into() };
    let report = consumers.instances.iter().find(|report| report.instance == *name);
    let is_listed = group.members.as_ref().is_none_or(|members| members.contains(name));
    match report.and_then(|report| silence(report, now_ms)) {
        _ if !is_listed => format!("{name} (gone)"),
        Some(silent) => format!("{name} (silent for {silent})"),
        None => name.clone(),
    }
}

fn silence(report: &Report, now_ms: i64) -> Option<String> {
    let age = std::time::Duration::from_millis((now_ms - report.at_ms).max(0).unsigned_abs());
    (age > limits::SILENT).then(|| moment::span(age))
}

/// Listed members whose word on a hold is missing: they may still write.
fn unconfirmed(consumers: &Consumers, now_ms: i64) -> Vec<String> {
    let mut found = Vec::new();
    for hold in &consumers.holds {
        for (name, group) in consumers.groups.iter().filter(|(name, group)| hold.concerns(name, &group.topic))
        {
            let about = format!("of {}/{}", hold.holder, hold.scope);
            let Some(members) = &group.members else {
                found.push(format!(
                    "  {name}: its coordinator does not answer, so nobody knows who may write {about}"
                ));
                continue;
            };
            for member in members {
                let report = consumers.instances.iter().find(|report| report.instance == *member);
                if let Some(why) = doubt(report, name, hold.epoch, now_ms) {
                    found.push(format!("  {member}/{name}: {why}, {about}"));
                }
            }
            let restless = group.partitions.iter().filter(|row| {
                row.desired == "PAUSED"
                    && row.observed.as_deref().is_some_and(|is| !matches!(is, "PAUSED" | "STOPPED"))
            });
            let restless = ranges(restless.map(|row| row.partition));
            if !restless.is_empty() {
                found.push(format!("  {name}: partitions {restless} do not rest yet, as far as is known"));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Partitions that wait for a person, and why. Whoever is silent is named among the instances: nothing is known of its
/// partitions, least of all that a record stops them.
fn stopped(consumers: &Consumers) -> Vec<String> {
    let mut found = Vec::new();
    for group in consumers.groups.values() {
        for row in group.partitions.iter().filter(|row| row.observed.as_deref() == Some("STOPPED")) {
            let Some(reason) = &row.reason else { continue };
            found.push(format!("  {}/{}: {}", group.topic, row.partition, screen::plain(reason)));
            let skip = row.unjudgeable.map(|offset| {
                let spot = format!("--topic {} --partition {} --offset {offset}", group.topic, row.partition);
                format!("a record of somebody else's may be passed over: tidemark skip {spot} --reason ...")
            });
            // Whoever passed over a sound record would lose it for ever.
            let advice = skip.unwrap_or_else(|| {
                "no case for `tidemark skip`: see docs/operations.md, \"A stopped partition\"".into()
            });
            found.push(format!("    {advice}"));
        }
    }
    found
}

fn doubt(report: Option<&Report>, group: &str, epoch: u64, now_ms: i64) -> Option<String> {
    let Some(report) = report else { return Some("it has never reported".into()) };
    // Who reports and does not name the group has left it.
    let own = report.groups.get(group)?;
    if own.applied <= epoch {
        return Some("it has not heard of it yet".into());
    }
    silence(report, now_ms).map(|silent| format!("it is silent for {silent}"))
}

/// What is said of a clock that is off by so much.
fn wrong_clock(offset_ms: i64) -> Option<String> {
    let side = if offset_ms < 0 { "behind" } else { "ahead of" };
    let off = std::time::Duration::from_millis(offset_ms.unsigned_abs());
    (off >= limits::CLOCK_OFFSET).then(|| format!("its CLOCK is {} {side} the brokers'", moment::span(off)))
}

fn instances(consumers: &Consumers, now_ms: i64) -> Table {
    let is_member = |name: &String| {
        consumers.groups.values().any(|group| group.members.as_ref().is_some_and(|all| all.contains(name)))
    };
    let mut table = Table::new(&["INSTANCE", ">GROUPS", "REPORTED", ">SESSIONS", ">IN FLIGHT", "CONDITION"]);
    for report in &consumers.instances {
        let silent = silence(report, now_ms);
        let wrong_clock = report.clock_offset_ms.and_then(wrong_clock);
        let is_idle = report.groups.is_empty() && wrong_clock.is_none();
        if !is_member(&report.instance) && (silent.is_some() || is_idle) {
            continue;
        }
        let mut condition: Vec<String> = Vec::new();
        condition.extend(silent.map(|silent| format!("SILENT for {silent}")));
        condition.extend(wrong_clock);
        for (group, own) in &report.groups {
            condition.extend(own.held.as_ref().map(|why| format!("{group} holds itself: {why}")));
        }
        if !report.unreadable.is_empty() {
            condition.push(format!("does not understand {}", report.unreadable.join(", ")));
        }
        let own = report.groups.values();
        table.row([
            report.instance.clone(),
            report.groups.len().to_string(),
            moment::relative(report.at_ms.min(now_ms), now_ms),
            own.clone().map(|own| own.database_sessions).sum::<u32>().to_string(),
            own.map(|own| own.in_flight).sum::<u32>().to_string(),
            if condition.is_empty() { "ok".into() } else { condition.join("; ") },
        ]);
    }
    table
}

fn notes(consumers: &Consumers, backlog: &Backlog) -> Vec<String> {
    let mut lines = Vec::new();
    match &backlog.failed_dispatches {
        Ok(0) => lines.push("dispatches: none failed".to_owned()),
        Ok(n) => {
            let more = if *n as u64 >= limits::DISPATCH_PAGE { " or more" } else { "" };
            lines.push(format!("dispatches: {n}{more} FAILED; `tidemark dead-letters list`"));
        }
        Err(why) => lines.push(format!("dispatches: not known ({why})")),
    }
    match &backlog.dead_letters {
        Ok(found) => lines.extend(found.iter().map(|(topic, n)| {
            format!(
                "dead letters of {topic}: {n} among the newest; `tidemark dead-letters list --topic {topic}`"
            )
        })),
        Err(why) => lines.push(format!("dead letters: not known ({why})")),
    }
    for (key, why) in &consumers.unreadable {
        lines.push(format!("control holds {key:?}, which the asked process does not understand: {why}"));
    }
    for (name, group) in &consumers.groups {
        if group.members.as_ref().is_some_and(Vec::is_empty) {
            lines.push(format!("{name} has no member: nobody consumes {}", group.topic));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    const NOW: i64 = 1_795_000_000_000;

    fn row(partition: i32, observed: &str) -> Value {
        json!({"partition": partition, "instance": "one", "desired": "PAUSED", "holders": ["operator"],
            "observed": observed, "reason": null, "committed": 5, "end": 1_005, "lag_records": 1_000,
            "lag_seconds": 12.0, "drain_eta_seconds": null})
    }

    fn seen(rows: &[Value], reports: &[Value]) -> Consumers {
        let hold = json!({"holder": "operator", "scope": "topic:coupon", "epoch": 7, "mode": "drain", "reason": "why",
            "actor": "me", "operation": "o", "created_at_ms": NOW - 60_000, "expires_at_ms": NOW + 120_000,
            "on_expiry": "stay_and_alert", "overdue": null});
        let group = json!({"topic": "coupon", "members": ["one", "two"], "partitions": rows});
        Consumers::deserialize(json!({"groups": {"g": group}, "holds": [hold], "instances": reports}))
            .unwrap()
    }

    fn report(instance: &str, age_ms: i64, applied: u64) -> Value {
        json!({"instance": instance, "at_ms": NOW - age_ms, "groups": {"g": {"applied": applied}}})
    }

    fn text(consumers: &Consumers, each: bool) -> String {
        let backlog =
            Backlog { failed_dispatches: Ok(2), dead_letters: Ok(BTreeMap::from([("coupon".into(), 3)])) };
        paint(consumers, &backlog, "PROCESS  POOL\n", NOW, each)
    }

    #[test]
    fn partitions_in_one_condition_are_one_line_unless_each_is_wanted() {
        let rows = [row(0, "PAUSED"), row(1, "PAUSED"), row(2, "BUSY"), row(3, "PAUSED")];
        let seen = seen(&rows, &[report("one", 0, 8), report("two", 0, 8)]);
        let drawn = text(&seen, false);
        assert!(
            drawn.contains("g      coupon  0-1,3       PAUSED  PAUSED  operator  3,000       12s"),
            "{drawn}"
        );
        assert!(drawn.contains("2           PAUSED  BUSY"), "{drawn}");
        assert!(drawn.contains("g: partitions 2 do not rest yet, as far as is known"), "{drawn}");
        assert!(drawn.contains("16:") || drawn.contains("(in 2m)"), "{drawn}");
        assert!(
            drawn.contains("dispatches: 2 FAILED") && drawn.contains("dead letters of coupon: 3"),
            "{drawn}"
        );
        assert_eq!(text(&seen, true).lines().filter(|line| line.starts_with("g ")).count(), 4);
    }

    #[test]
    fn who_has_not_confirmed_a_hold_is_named() {
        let rows = [row(0, "PAUSED")];
        let confirmed = seen(&rows, &[report("one", 0, 8), report("two", 0, 8)]);
        assert!(!text(&confirmed, false).contains("NOT CONFIRMED"));
        let late = text(&seen(&rows, &[report("one", 0, 8), report("two", 0, 7)]), false);
        assert!(late.contains("two/g: it has not heard of it yet, of operator/topic:coupon"), "{late}");
        let silent = text(&seen(&rows, &[report("one", 34_000, 8), report("two", 0, 8)]), false);
        assert!(silent.contains("one/g: it is silent for 34s"), "{silent}");
        assert!(silent.contains("one (silent for 34s)"), "{silent}");
        let unheard = text(&seen(&rows, &[report("one", 0, 8)]), false);
        assert!(unheard.contains("two/g: it has never reported"), "{unheard}");
    }

    #[test]
    fn a_clock_is_called_wrong_from_two_seconds_on() {
        for (offset_ms, said) in
            [(1_999, None), (-2_000, Some("2.0s behind")), (3_600_000, Some("1h ahead of"))]
        {
            let mut wrong = report("api", 0, 8);
            (wrong["clock_offset_ms"], wrong["groups"]) = (json!(offset_ms), json!({}));
            let drawn = text(&seen(&[row(0, "PAUSED")], &[wrong]), false);
            assert_eq!(drawn.contains("CLOCK is"), said.is_some(), "{drawn}");
            assert!(drawn.contains(said.unwrap_or_default()), "{drawn}");
        }
    }

    #[test]
    fn what_stopped_is_named_with_its_reason_and_what_to_press() {
        let mut row = row(3, "STOPPED");
        row["reason"] = json!("schema id 887 is not listed");
        row["unjudgeable"] = json!(7);
        let drawn = text(&seen(&[row], &[report("one", 0, 8), report("two", 0, 8)]), false);
        assert!(drawn.contains("STOPPED\n  coupon/3: schema id 887 is not listed"), "{drawn}");
        assert!(drawn.contains("tidemark skip --topic coupon --partition 3 --offset 7 --reason"), "{drawn}");
    }

    #[test]
    fn a_sound_record_is_no_case_for_skip_whatever_stopped_there() {
        let mut row = row(3, "STOPPED");
        row["reason"] = json!("the tables are newer than this binary");
        for unjudgeable in [None, Some(json!(null))] {
            row.as_object_mut().unwrap().extend(unjudgeable.map(|said| ("unjudgeable".into(), said)));
            let drawn = text(&seen(&[row.clone()], &[report("one", 0, 8), report("two", 0, 8)]), false);
            assert!(drawn.contains("STOPPED\n  coupon/3: the tables are newer"), "{drawn}");
            assert!(drawn.contains("no case for `tidemark skip`: see docs/operations.md"), "{drawn}");
            assert!(!drawn.contains("--offset"), "{drawn}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_not_taken_for_nothing() {
        let (consumers, why) = (seen(&[row(0, "PAUSED")], &[]), "no answer".to_owned());
        let backlog = Backlog { failed_dispatches: Err(why.clone()), dead_letters: Err(why) };
        let drawn = paint(&consumers, &backlog, "pools of a: not known (no answer)\n", NOW, false);
        for line in ["dispatches: not known (no answer)", "dead letters: not known (no answer)"] {
            assert!(drawn.contains(&format!("\n{line}")), "{drawn}");
        }
        assert!(drawn.contains("\n\npools of a: not known (no answer)\n\ndispatches"), "{drawn}");
    }

    #[test]
    fn silence_is_no_reason_to_pass_over_a_record() {
        let mut row = row(3, "RUNNING");
        (row["observed"], row["reason"]) = (json!(null), json!("one has been silent for 34 s"));
        let drawn = text(&seen(&[row], &[report("one", 34_000, 8), report("two", 0, 8)]), false);
        assert!(!drawn.contains("tidemark skip") && drawn.contains("SILENT"), "{drawn}");
    }

    #[test]
    fn an_instance_that_is_gone_is_not_listed_and_does_not_own_anything() {
        let rows = [row(0, "PAUSED")];
        let mut seen = seen(&rows, &[report("one", 60_000, 8), report("two", 0, 8)]);
        seen.groups.get_mut("g").unwrap().members = Some(vec!["two".into()]);
        let drawn = text(&seen, false);
        assert!(
            drawn.contains("PAUSED?") && drawn.contains("one (gone)") && !drawn.contains("SILENT"),
            "{drawn}"
        );
    }
}

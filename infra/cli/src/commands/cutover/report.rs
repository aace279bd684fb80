//! What a check says, and the way back, in words.

use crate::{
    answers::{Check, Database},
    limits, moment,
    table::Table,
};
use std::fmt::Write;

/// In one line, with a line for each warning.
pub(super) fn check(check: &Check) -> String {
    let version = check.version.as_deref().unwrap_or("of unknown version");
    let schema = check.schema.as_deref().unwrap_or("unknown");
    let writes = match (check.read_only, check.replicating) {
        (Some(true), Some(true)) => ", read-only, replicating",
        (Some(true), _) => ", read-only",
        (_, Some(true)) => ", replicating",
        _ => "",
    };
    let mut text = format!("{}: {version}, schema {schema}{writes}, {}", check.to, behind(check));
    for warning in &check.warnings {
        let _ = write!(text, "\n              warning: {warning}");
    }
    text
}

fn behind(check: &Check) -> String {
    match check.behind_records {
        None if check.schema.as_deref() == Some("empty") => "all is filled from the log".into(),
        // Nobody compared them.
        None if !check.findings.is_empty() => "not compared".into(),
        None => "the old server does not answer".into(),
        Some(0) => "nothing behind".into(),
        Some(n) => format!("{} records behind", moment::number(n)),
    }
}

/// All of it: for whoever only wants to know.
pub(super) fn check_in_full(seen: &Check) -> String {
    let mut text = check(seen);
    if let Some(from) = &seen.from {
        let _ = write!(text, "\ncompared with {from}");
    }
    let mut table = Table::new(&["GROUP", "TOPIC", ">PARTITION", ">THERE", ">HERE"]);
    let differ: Vec<_> = seen.partitions.iter().filter(|offsets| offsets.from != offsets.to).collect();
    for offsets in differ.iter().take(limits::CHECK_PARTITIONS) {
        let number = |offset: Option<u64>| offset.map(moment::number).unwrap_or_default();
        table.row([
            offsets.group.clone(),
            offsets.topic.clone(),
            offsets.partition.to_string(),
            number(offsets.to),
            number(offsets.from),
        ]);
    }
    if table.is_empty() {
        return text;
    }
    let _ = write!(text, "\n\n{table}");
    if differ.len() > limits::CHECK_PARTITIONS {
        let _ = writeln!(text, "and {} more (--json)", differ.len() - limits::CHECK_PARTITIONS);
    }
    text.push_str("What is missing there is filled from the log, or by its own replication within --wait.");
    text
}

/// Until when the way back is open, and how it is gone.
pub(in crate::commands) fn way_back(database: &Database, went_back: bool, now_ms: i64) -> String {
    let Database { previous: Some(previous), way_back_until_ms: Some(until), .. } = database else {
        return "there is no server before it".into();
    };
    let (at, relative) = (moment::clock(*until, now_ms), moment::relative(*until, now_ms));
    if *until <= now_ms {
        return format!("the way back to {previous} was open until {at} ({relative})");
    }
    let command = if went_back { format!("--to {previous}") } else { "--back".into() };
    format!(
        "keep {previous} until {at} ({relative}): `tidemark cutover {command} --reason ...` goes back to it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    const NOW: i64 = 1_795_000_000_000;

    fn seen(behind: Value, warnings: Value) -> Check {
        let offsets = |partition: i32, from: Value, to: Value| json!({"group": "order-projection", "topic": "order", "partition": partition, "from": from, "to": to});
        let partitions = [offsets(0, json!(5_204), json!(4_000)), offsets(1, json!(7), json!(7))];
        Check::deserialize(
            json!({"to": "mysql://b:3306/t", "from": "mysql://a:3306/t", "ok": true, "findings": [],
            "warnings": warnings, "version": "9.7.0", "schema": "current", "read_only": false,
            "behind_records": behind, "partitions": partitions}),
        )
        .unwrap()
    }

    #[test]
    fn a_check_is_one_line_and_one_for_each_warning() {
        let line = check(&seen(json!(1_204), json!([])));
        assert_eq!(line, "mysql://b:3306/t: 9.7.0, schema current, 1,204 records behind");
        let line = check(&seen(json!(0), json!(["the buffer pool is smaller"])));
        assert!(
            line.ends_with("nothing behind\n              warning: the buffer pool is smaller"),
            "{line}"
        );
        let mut away = seen(json!(null), json!([]));
        assert!(check(&away).ends_with("the old server does not answer"));
        away.schema = Some("empty".into());
        assert!(check(&away).ends_with("schema empty, all is filled from the log"));
        (away.schema, away.findings) = (None, vec!["it is the same server".into()]);
        assert!(check(&away).ends_with("schema unknown, not compared"));
    }

    #[test]
    fn a_full_report_names_partitions_that_differ() {
        let text = check_in_full(&seen(json!(1_204), json!([])));
        assert!(text.contains("order-projection  order          0  4,000  5,204"), "{text}");
        assert!(!text.contains("order          1"), "{text}");
    }

    #[test]
    fn the_way_back_has_an_end_and_a_command() {
        let database = |until: Value| {
            let said =
                json!({"address": "mysql://b:1/t", "previous": "mysql://a:1/t", "way_back_until_ms": until});
            Database::deserialize(said).unwrap()
        };
        let open = database(json!(NOW + 3_600_000));
        assert!(way_back(&open, false, NOW).contains("(in 1h): `tidemark cutover --back --reason"));
        assert!(way_back(&open, true, NOW).contains("`tidemark cutover --to mysql://a:1/t --reason"));
        assert!(way_back(&database(json!(NOW - 1_000)), false, NOW).contains("was open until"));
        assert!(way_back(&database(json!(null)), false, NOW).contains("no server before"));
    }
}

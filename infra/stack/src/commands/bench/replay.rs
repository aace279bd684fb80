//! The fold over a backlog: how fast a process is back after a restart.

use super::{BACKLOG, Measured, Row, parsed};
use crate::commands::system::System;
use serde::Deserialize;
use serde_json::json;
use stack::Result;
use stack::progress::Step;

/// Records a second.
const MIN_PER_SECOND: f64 = 400_000.0;
/// Measured replays, after one that fills the page cache.
const RUNS: usize = 3;

#[derive(Deserialize)]
struct Replayed {
    records: u64,
    digest: String,
    seconds: f64,
}

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let claims = BACKLOG.to_string();
    system.backlog(&format!("{claims} claims"), &["backlog", "--claims", &claims])?;
    let (_, expected) = replay(system)?;
    let (mut speeds, mut same) = (Vec::new(), true);
    for _ in 0..RUNS {
        let (speed, digests) = replay(system)?;
        speeds.push(speed);
        same &= digests == expected;
    }
    Ok(judged(&speeds, same))
}

/// Records a second, and the digests of all partitions.
fn replay(system: &mut System) -> Result<(f64, Vec<String>)> {
    let step = Step::start("replay");
    let log = system.log("tools");
    let replayed: Vec<Replayed> = parsed(&system.tool(&["replay"], &log)?, "replay")?;
    let records: u64 = replayed.iter().map(|partition| partition.records).sum();
    let seconds: f64 = replayed.iter().map(|partition| partition.seconds).sum();
    let speed = records as f64 / seconds;
    step.done(&format!("{speed:.0}/s"));
    Ok((speed, replayed.into_iter().map(|partition| partition.digest).collect()))
}

fn judged(speeds: &[f64], same: bool) -> Measured {
    let value = speeds.iter().sum::<f64>() / speeds.len() as f64;
    let ratio = value / MIN_PER_SECOND;
    let each: Vec<String> = speeds.iter().map(|speed| format!("{speed:.0}")).collect();
    let rows = vec![
        Row::judged(
            "replay",
            format!("{value:.0} records/s (goal {MIN_PER_SECOND:.0})"),
            value >= MIN_PER_SECOND,
        ),
        Row::shown("each run", each.join(", ")),
        Row::judged("digests", if same { "the same every time" } else { "DIFFER" }.to_owned(), same),
    ];
    let details = json!({ "claims": BACKLOG, "runs_per_second": speeds, "digests_same": same });
    Measured { value, unit: "records/s", limit: MIN_PER_SECOND, ratio, p99_ms: None, rows, details }
}

//! A backlog into MySQL, against plain inserts of as many rows into a table like it.

use super::{BACKLOG, Measured, Row, Took, parsed};
use crate::commands::system::{System, audit::Audit};
use serde::Deserialize;
use serde_json::json;
use stack::progress::Step;
use stack::{Error, Result, http};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Rows a second in proportion to plain inserts.
const MIN_RATIO: f64 = 0.4;
/// Pause between two looks at how far the projection is.
const POLL: Duration = Duration::from_millis(100);
/// A projection that takes longer has stopped.
const PATIENCE: Duration = Duration::from_secs(600);
pub(super) const GROUP: &str = "coupon-projection";
pub(super) const TOPIC: &str = "coupon";

#[derive(Deserialize)]
struct Replayed {
    topic: String,
    records: u64,
}

#[derive(Deserialize)]
struct Health {
    groups: BTreeMap<String, Progress>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    next_offsets: BTreeMap<String, u64>,
}

/// Seconds from the start of `consumers`.
pub(super) struct Caught {
    /// Until the first rows were there: start, group, assignment.
    pub(super) begun: f64,
    /// Until all rows were there.
    pub(super) ended: f64,
}

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let claims = BACKLOG.to_string();
    let inserts = ["raw-inserts", "--rows", &claims];
    system.backlog(&format!("{claims} claims"), &["backlog", "--claims", &claims])?;
    let records = records(system, TOPIC)?;
    let first = raw(system, &inserts)?;
    let step = Step::start("projection");
    let caught = project(system, GROUP, records)?;
    step.done(&format!("{:.0} rows/s", BACKLOG as f64 / caught.ended));
    let second = raw(system, &inserts)?;
    judge_rows(system, BACKLOG, "claims", |_, audit| {
        Ok(audit.coupons.iter().map(|coupon| coupon.mysql).sum())
    })?;
    let mut measured = judged([first, second], &caught, BACKLOG, MIN_RATIO);
    measured.details["claims"] = json!(BACKLOG);
    Ok(measured)
}

/// The end of a topic, over all its partitions.
pub(super) fn records(system: &mut System, topic: &str) -> Result<u64> {
    let log = system.log("tools");
    let replayed: Vec<Replayed> = parsed(&system.tool(&["replay"], &log)?, "replay")?;
    Ok(replayed.iter().filter(|p| p.topic.ends_with(topic)).map(|p| p.records).sum())
}

/// The yardstick: rows that are inserted with a tool.
pub(super) fn raw(system: &mut System, tool: &[&str]) -> Result<Took> {
    let step = Step::start("plain inserts");
    let took = system.timed(tool)?;
    step.done(&format!("{:.0} rows/s", took.per_second()));
    Ok(took)
}

/// Starts `consumers` and waits until a group has all records.
pub(super) fn project(system: &mut System, group: &str, records: u64) -> Result<Caught> {
    let since = Instant::now();
    system.start_consumers()?;
    let caught = follow(&system.consumers_admin(), group, 0..records, since)?;
    system.require_alive()?;
    Ok(caught)
}

/// Waits until a group has come from the first of these offsets to the last, over all its partitions.
pub(super) fn follow(admin: &str, group: &str, offsets: Range<u64>, since: Instant) -> Result<Caught> {
    let (url, records) = (format!("{admin}/health"), offsets.end);
    let mut begun = None;
    while since.elapsed() < PATIENCE {
        let at = http::get(&url).ok().and_then(|said| progress(&said.body, group)).unwrap_or_default();
        if at > offsets.start && begun.is_none() {
            begun = Some(since.elapsed().as_secs_f64());
        }
        if at >= records {
            let ended = since.elapsed().as_secs_f64();
            return Ok(Caught { begun: begun.unwrap_or(ended), ended });
        }
        std::thread::sleep(POLL);
    }
    Err(Error::prepare(format!("read the log of consumers: {records} records took over {PATIENCE:?}")))
}

fn progress(body: &str, group: &str) -> Option<u64> {
    let health: Health = serde_json::from_str(body).ok()?;
    Some(health.groups.get(group)?.next_offsets.values().sum())
}

/// The audit: every row is there, and right. Figures of wrong rows mean nothing.
pub(super) fn judge_rows(
    system: &mut System,
    wanted: u64,
    what: &str,
    found: impl FnOnce(&mut System, &Audit) -> Result<u64>,
) -> Result<()> {
    let step = Step::start("audit");
    let log = system.log("audit");
    let audit = system.audit(&log)?;
    let rows = found(system, &audit)?;
    if !audit.clean || rows != wanted {
        return Err(Error::failed(format!("find out why MySQL has {rows} of {wanted} {what}"), &log));
    }
    step.done("clean");
    Ok(())
}

/// Rows a second, against those of the plain inserts before and after.
pub(super) fn judged(raws: [Took; 2], caught: &Caught, rows: u64, min_ratio: f64) -> Measured {
    let raw = raws.iter().map(|took| took.per_second()).sum::<f64>() / 2.0;
    let value = rows as f64 / caught.ended;
    let ratio = value / raw;
    let rows = vec![
        Row::shown(
            "plain inserts",
            format!("{raw:.0} rows/s ({:.0}, {:.0})", raws[0].per_second(), raws[1].per_second()),
        ),
        Row::judged(
            "projection",
            format!("{value:.0} rows/s, {ratio:.2} of that (goal {min_ratio})"),
            ratio >= min_ratio,
        ),
        Row::shown(
            "seconds",
            format!("{:.1}, the first {:.1} of them for start and group", caught.ended, caught.begun),
        ),
    ];
    let details = json!({
        "limits": { "ratio": min_ratio },
        "raw_per_second": raws.map(Took::per_second),
        "seconds": caught.ended,
        "seconds_until_first_rows": caught.begun,
    });
    Measured { value, unit: "rows/s", limit: min_ratio * raw, ratio, p99_ms: None, rows, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_summed_over_the_partitions_of_the_group() {
        let body = r#"{"status":"ok","groups":{"coupon-projection":{"nextOffsets":{"0":5,"1":7},"stopped":{}},
            "signup-projection":{"nextOffsets":{"0":100}}}}"#;
        assert_eq!(progress(body, GROUP), Some(12));
        assert_eq!(progress("{}", GROUP), None);
    }
}

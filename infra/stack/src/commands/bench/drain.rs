//! A backlog that was paused, after its resume, against one that was never paused, while a few people claim coupons.

use super::pause::{pause, post};
use super::projection::{self, Caught, GROUP, TOPIC, follow, records};
use super::{BACKLOG, Measured, Row};
use crate::commands::system::System;
use crate::commands::system::k6::{Script, Summary};
use serde_json::json;
use stack::progress::Step;
use stack::{Error, Result};
use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

/// Records a second in proportion to those of a backlog that was never paused.
const MIN_RATIO: f64 = 0.9;
/// Latency of claims while it drains, p99, in proportion to that while nothing does.
const MAX_SLOWER: f64 = 2.0;
/// Claims a second meanwhile, and for how long: less than any drain takes.
const RATE: &str = "100";
const SECONDS: &str = "12s";
const SCRIPT: &str = "redis.issue-coupon.script.js";

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let claims = BACKLOG.to_string();
    system.backlog(&format!("{claims} claims"), &["backlog", "--claims", &claims])?;
    let first = records(system, TOPIC)?;
    let public = system.stack().state().ports.public[0];
    system.start_api(vec![public])?;
    let coupon = system.open_coupon(1_000_000)?;

    let step = Step::start("never paused");
    let since = Instant::now();
    system.start_consumers()?;
    let admin = system.consumers_admin();
    let (_, straight) = beside(system, coupon, || follow(&admin, GROUP, 0..first, since))?;
    step.done(&format!("{:.0} records/s", per_second(&straight)));

    pause(system, &admin)?;
    let step = Step::start("claims while nothing drains");
    let (idle, ()) = beside(system, coupon, || Ok(()))?;
    step.done(&format!("p99 {:.1} ms", p99(&idle)?));
    let passed = records(system, TOPIC)?;
    let next = (BACKLOG + 1).to_string();
    system.backlog(&format!("{claims} more"), &["backlog", "--claims", &claims, "--first-user", &next])?;
    let second = records(system, TOPIC)?;
    let step = Step::start("after a resume");
    let since = Instant::now();
    post(system, &format!("{admin}/admin/consumers/resume"), "{}")?;
    let (busy, drained) = beside(system, coupon, || follow(&admin, GROUP, passed..second, since))?;
    step.done(&format!("{:.0} records/s", BACKLOG as f64 / drained.ended));
    system.require_alive()?;
    projection::judge_rows(system, 2 * BACKLOG, "claims", |system, _| {
        system.number("SELECT COUNT(*) FROM user_coupons WHERE coupon_id <= 8")
    })?;
    Ok(judged(&straight, &drained, p99(&idle)?, p99(&busy)?))
}

/// Does something while people claim.
fn beside<T: Send>(
    system: &System,
    coupon: u64,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<(Summary, T)> {
    let variables = [
        ("SCENARIO", "load".to_owned()),
        ("RATE", RATE.to_owned()),
        ("DURATION", SECONDS.to_owned()),
        ("COUPON_ID", coupon.to_string()),
    ];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let log = system.log("claims");
    thread::scope(|scope| {
        let load = scope.spawn(|| system.k6(&Script { file: SCRIPT, variables }, &log, |_| ()));
        let done = work();
        let summary = load.join().map_err(|_| Error::prepare("report this: the load panicked"))??;
        Ok((summary, done?))
    })
}

fn p99(summary: &Summary) -> Result<f64> {
    let answered = summary.latency_ms.p99.filter(|_| summary.http_5xx == 0 && summary.socket_errors == 0);
    answered.ok_or_else(|| Error::prepare(format!("find out why claims failed: {summary:?}")))
}

/// Without the start of the process, which a resume does not need.
fn per_second(straight: &Caught) -> f64 {
    BACKLOG as f64 / (straight.ended - straight.begun)
}

fn judged(straight: &Caught, drained: &Caught, idle_ms: f64, busy_ms: f64) -> Measured {
    let (limit, value) = (MIN_RATIO * per_second(straight), BACKLOG as f64 / drained.ended);
    let (ratio, slower) = (value / per_second(straight), busy_ms / idle_ms);
    let rows = vec![
        Row::shown("never paused", format!("{:.0} records/s", per_second(straight))),
        Row::judged(
            "drained after a resume",
            format!("{value:.0} records/s, {ratio:.2} of that (goal {MIN_RATIO})"),
            ratio >= MIN_RATIO,
        ),
        Row::shown("first rows after a resume", format!("{:.2} s", drained.begun)),
        Row::judged(
            "claims meanwhile",
            format!("p99 {busy_ms:.1} ms, {slower:.1} times the {idle_ms:.1} ms without (goal {MAX_SLOWER})"),
            slower <= MAX_SLOWER,
        ),
    ];
    let details = json!({
        "limits": {"ratio": MIN_RATIO, "slower": MAX_SLOWER},
        "records": BACKLOG,
        "never_paused_seconds": straight.ended - straight.begun,
        "drained_seconds": drained.ended,
        "first_rows_seconds": drained.begun,
        "claims_per_second": RATE,
        "idle_p99_ms": idle_ms,
        "busy_p99_ms": busy_ms,
    });
    Measured { value, unit: "records/s", limit, ratio, p99_ms: Some(busy_ms), rows, details }
}

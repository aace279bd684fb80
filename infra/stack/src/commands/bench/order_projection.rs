//! A backlog of paid orders into MySQL, against plain inserts of the rows they come to.

use super::projection::{Caught, project, records};
use super::{Measured, Row, Took};
use crate::commands::system::System;
use serde_json::json;
use stack::progress::Step;
use stack::{Error, Result};

/// Orders of the backlog, each with its payment.
const ORDERS: u64 = 200_000;
/// Rows of one: the order, its item, the balance, its log, and the outbox's until it is published.
const ROWS_PER_ORDER: u64 = 5;
/// Rows a second in proportion to plain inserts.
const MIN_RATIO: f64 = 0.3;
const GROUP: &str = "order-projection";
const TOPIC: &str = "order";

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let log = system.log("tools");
    system.tool(&["init"], &log)?;
    let orders = ORDERS.to_string();
    let step = Step::start(format!("backlog of {orders} paid orders"));
    let backlog = system.timed(&["order-backlog", "--orders", &orders])?;
    step.done(&format!("{:.0}/s", backlog.per_second()));
    let records = records(system, TOPIC)?;
    let first = raw(system, &orders)?;
    let step = Step::start("projection");
    // Alone: the dispatches of the backlog are another measurement.
    system.set("TIDEMARK_GROUPS", GROUP);
    let caught = project(system, GROUP, records)?;
    step.done(&format!("{:.0} rows/s", rows_per_second(&caught)));
    let second = raw(system, &orders)?;
    take_the_rest(system)?;
    judge_rows(system)?;
    Ok(judged([first, second], &caught))
}

fn raw(system: &mut System, orders: &str) -> Result<Took> {
    let step = Step::start("plain inserts");
    let took = system.timed(&["raw-orders", "--orders", orders])?;
    step.done(&format!("{:.0} rows/s", took.per_second()));
    Ok(took)
}

fn rows_per_second(caught: &Caught) -> f64 {
    (ORDERS * ROWS_PER_ORDER) as f64 / caught.ended
}

/// The audit wants the rules of the other topics and every fact in MySQL too. Nobody is told of them.
fn take_the_rest(system: &mut System) -> Result<()> {
    system.set("TIDEMARK_GROUPS", "signup-projection,coupon-projection,external-platform");
    system.set("TIDEMARK_PLATFORM_URL", "");
    system.start_consumers_many(1).map(drop)
}

/// The audit: every row is there, and right. Figures of wrong rows mean nothing.
fn judge_rows(system: &mut System) -> Result<()> {
    let step = Step::start("audit");
    let log = system.log("audit");
    let audit = system.audit(&log)?;
    let paid = system.number("SELECT COUNT(*) FROM orders WHERE status = 1")?;
    if !audit.clean || paid != ORDERS {
        return Err(Error::failed(format!("find out why MySQL has {paid} of {ORDERS} paid orders"), &log));
    }
    step.done("clean");
    Ok(())
}

fn judged(raws: [Took; 2], caught: &Caught) -> Measured {
    let raw = raws.iter().map(|took| took.per_second()).sum::<f64>() / 2.0;
    let value = rows_per_second(caught);
    let ratio = value / raw;
    let rows = vec![
        Row::shown(
            "plain inserts",
            format!("{raw:.0} rows/s ({:.0}, {:.0})", raws[0].per_second(), raws[1].per_second()),
        ),
        Row::judged(
            "projection",
            format!("{value:.0} rows/s, {ratio:.2} of that (goal {MIN_RATIO})"),
            ratio >= MIN_RATIO,
        ),
        Row::shown("paid orders", format!("{:.0}/s", ORDERS as f64 / caught.ended)),
        Row::shown(
            "seconds",
            format!("{:.1}, the first {:.1} of them for start and group", caught.ended, caught.begun),
        ),
    ];
    let details = json!({
        "limits": { "ratio": MIN_RATIO },
        "orders": ORDERS,
        "rows_per_order": ROWS_PER_ORDER,
        "raw_per_second": raws.map(Took::per_second),
        "seconds": caught.ended,
        "seconds_until_first_rows": caught.begun,
    });
    Measured { value, unit: "rows/s", limit: MIN_RATIO * raw, ratio, p99_ms: None, rows, details }
}

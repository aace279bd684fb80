//! A backlog of paid orders into MySQL, against plain inserts of the rows they come to.

use super::projection::{judge_rows, judged, project, raw, records};
use super::{Measured, Row};
use crate::commands::system::System;
use serde_json::json;
use stack::Result;
use stack::progress::Step;

/// Orders of the backlog, each with its payment.
const ORDERS: u64 = 200_000;
/// Rows of one: the order, its item, the balance, its log, and the outbox's until it is published.
const ROWS_PER_ORDER: u64 = 5;
/// Rows a second in proportion to plain inserts.
const MIN_RATIO: f64 = 0.3;
const GROUP: &str = "order-projection";
const TOPIC: &str = "order";

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let orders = ORDERS.to_string();
    let inserts = ["raw-orders", "--orders", &orders];
    system.backlog(&format!("{orders} paid orders"), &["order-backlog", "--orders", &orders])?;
    let records = records(system, TOPIC)?;
    let first = raw(system, &inserts)?;
    let step = Step::start("projection");
    // Alone: the dispatches of the backlog are another measurement.
    system.set("TIDEMARK_GROUPS", GROUP);
    let caught = project(system, GROUP, records)?;
    let rows = ORDERS * ROWS_PER_ORDER;
    step.done(&format!("{:.0} rows/s", rows as f64 / caught.ended));
    let second = raw(system, &inserts)?;
    take_the_rest(system)?;
    let paid = "SELECT COUNT(*) FROM orders WHERE status = 1";
    judge_rows(system, ORDERS, "paid orders", |system, _| system.number(paid))?;
    let mut measured = judged([first, second], &caught, rows, MIN_RATIO);
    measured.rows.push(Row::shown("paid orders", format!("{:.0}/s", ORDERS as f64 / caught.ended)));
    measured.details["orders"] = json!(ORDERS);
    measured.details["rows_per_order"] = json!(ROWS_PER_ORDER);
    Ok(measured)
}

/// The audit wants the rules of the other topics and every fact in MySQL too. Nobody is told of them.
fn take_the_rest(system: &mut System) -> Result<()> {
    system.set("TIDEMARK_GROUPS", "signup-projection,coupon-projection,external-platform");
    system.set("TIDEMARK_PLATFORM_URL", "");
    system.start_consumers_many(1).map(drop)
}

//! The production scenario at full rate, k6 beside it on the same machine, and how soon MySQL has what is paid.

use super::{Measured, Row};
use crate::commands::system::System;
use crate::commands::system::k6::{Script, Summary};
use crate::commands::system::shop::{Heard, Spread, now_ms};
use serde_json::json;
use stack::Result;
use stack::progress::Step;

/// Iterations a second; an iteration asks four times and more.
const RATE: u64 = 1_000;
/// Latency of all requests at that rate, in ms.
const MAX_P95_MS: f64 = 100.0;
/// Orders a second of the second load: there every iteration orders.
const ORDERS: u64 = 200;
/// From a payment in the log to its row in MySQL, in ms.
const MAX_PAID_P99_MS: f64 = 1_000.0;
const SCRIPT: &str = "production-operation.scenario.script.js";

/// The runs, and what came of them.
struct Runs {
    full: Summary,
    orders: Summary,
    paid_in_mysql: Spread,
    heard: Heard,
    clean: bool,
}

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    let log = system.log("tools");
    system.tool(&["init"], &log)?;
    system.tool(&["seed"], &log)?;
    system.start_consumers()?;
    let public = system.stack().state().ports.public;
    system.start_api(public.to_vec())?;
    // Kafka is Java: it needs some thousand requests until it is compiled.
    load(system, "warm-up", [("RATE", RATE / 5), ("ORDER_EVERY", 20)], "10s")?;
    let full = load(system, "full", [("RATE", RATE), ("ORDER_EVERY", 20)], "30s")?;
    let began_ms = now_ms();
    let orders = load(system, "orders", [("RATE", ORDERS), ("ORDER_EVERY", 1)], "30s")?;
    system.require_alive()?;
    let step = Step::start("audit");
    let heard = system.heard()?;
    let clean = system.audit(&system.log("audit"))?.complaint(1).is_none();
    step.done(if clean { "clean" } else { "NOT CLEAN" });
    let paid_in_mysql = system.paid_in_mysql(began_ms)?;
    Ok(judged(&Runs { full, orders, paid_in_mysql, heard, clean }))
}

fn load(system: &System, what: &str, numbers: [(&str, u64); 2], duration: &str) -> Result<Summary> {
    let step = Step::start(format!("{what}: {} iterations/s", numbers[0].1));
    let mut variables = numbers.map(|(name, value)| (name.to_owned(), value.to_string())).to_vec();
    variables
        .extend([("SCENARIO".to_owned(), "load".to_owned()), ("DURATION".to_owned(), duration.to_owned())]);
    let script = Script { file: SCRIPT, variables: variables.into_iter().collect() };
    let summary = system.k6(&script, &system.log(&format!("k6-{what}")), |_| ())?;
    step.done(&format!("{:.0} requests/s", per_second(&summary)));
    Ok(summary)
}

fn per_second(summary: &Summary) -> f64 {
    summary.requests as f64 / summary.seconds
}

fn judged(runs: &Runs) -> Measured {
    let Runs { full, orders, paid_in_mysql, heard, clean } = runs;
    let p95 = full.latency_ms.p95.unwrap_or(f64::INFINITY);
    let paid_p99 = paid_in_mysql.p99.unwrap_or(f64::INFINITY);
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let (a, b) = (full.latency_ms, orders.latency_ms);
    let none = |name, count: u64| Row::judged(name, count.to_string(), count == 0);
    let rows = vec![
        Row::shown("requests", format!("{:.0}/s at {RATE} iterations/s", per_second(full))),
        Row::shown("p50", format!("{} ms", ms(a.p50))),
        Row::judged("p95", format!("{} ms (goal {MAX_P95_MS})", ms(a.p95)), p95 < MAX_P95_MS),
        Row::shown("p99", format!("{} ms", ms(a.p99))),
        none("dropped iterations", full.dropped_iterations + orders.dropped_iterations),
        none("5xx", full.http_5xx + orders.http_5xx),
        none("socket errors", full.socket_errors + orders.socket_errors),
        Row::shown("p95, p99 of 200 orders/s", format!("{}, {} ms", ms(b.p95), ms(b.p99))),
        Row::judged(
            "order to PAID in MySQL",
            format!(
                "p50 {}, p99 {} ms (goal {MAX_PAID_P99_MS})",
                ms(paid_in_mysql.p50),
                ms(paid_in_mysql.p99)
            ),
            paid_p99 < MAX_PAID_P99_MS,
        ),
        Row::judged(
            "dispatched exactly once",
            format!("{} effects of {} paid orders", heard.partner.effects, heard.paid),
            heard.once(),
        ),
        Row::judged("audit", if *clean { "clean" } else { "NOT CLEAN" }.to_owned(), *clean),
    ];
    let details = json!({
        "limits": { "p95_ms": MAX_P95_MS, "paid_in_mysql_p99_ms": MAX_PAID_P99_MS },
        "iterations_per_second": RATE,
        "orders_per_second": ORDERS,
        "latency_ms": full.latency_ms,
        "requests": full.requests,
        "dropped_iterations": full.dropped_iterations,
        "http_5xx": full.http_5xx,
        "socket_errors": full.socket_errors,
        "latency_of_orders_ms": orders.latency_ms,
        "paid_in_mysql_ms": paid_in_mysql,
    });
    let ratio = p95 / MAX_P95_MS;
    Measured { value: p95, unit: "ms (p95)", limit: MAX_P95_MS, ratio, p99_ms: a.p99, rows, details }
}

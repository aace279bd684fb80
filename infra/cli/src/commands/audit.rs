//! `tidemark audit`: has a process compare log, MySQL and all processes, and shows the report.

use crate::{admin::Answer, failure::Failure, limits, moment, screen, settings::Desk, table::Table};
use serde::Deserialize;
use serde_json::Value;
use std::{fmt::Write, sync::mpsc, thread, time::Instant};

/// What of the report is drawn; sums that must come out are printed as they are named.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    clean: bool,
    findings: Vec<String>,
    #[serde(default)]
    more_findings: u64,
    partitions: Vec<Partition>,
    #[serde(default)]
    coupons: Vec<Coupon>,
    users: (u64, u64),
    #[serde(default)]
    processes: Vec<String>,
    #[serde(default)]
    digests_agree: u64,
    #[serde(default)]
    orders: Value,
    #[serde(default)]
    money: Value,
    #[serde(default)]
    stock: Value,
    #[serde(default)]
    facts: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    topic: String,
    partition: i32,
    appended: u64,
    applied: u64,
    dead: u64,
    in_flight: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Coupon {
    coupon_id: u64,
    total: u64,
    log: u64,
    mysql: u64,
}

/// Does it.
///
/// # Errors
/// Something was found, or the audit could not be made.
pub(crate) fn run(desk: &Desk) -> Result<(), Failure> {
    let answer = ask(desk)?;
    let report: Report = answer.read()?;
    if desk.json {
        screen::print_json(&answer.body)?;
    } else {
        screen::print(&picture(&report))?;
    }
    match report.differences() {
        0 => Ok(()),
        n => Err(Failure::failed(
            format!("the audit found {n} differences"),
            "keep a dump of MySQL, then docs/operations.md, \"Reading an audit\"; what only waits for MySQL is no finding",
        )),
    }
}

/// The audit alone: what it found, and what it looked at.
///
/// # Errors
/// It could not be made.
pub(super) fn look(desk: &Desk) -> Result<(Vec<String>, String), Failure> {
    let report: Report = ask(desk)?.read()?;
    let mut found = report.findings.clone();
    let unnamed = report.differences().saturating_sub(found.len() as u64);
    if unnamed > 0 {
        found.push(format!("and {unnamed} more"));
    }
    let rows: u64 = report.partitions.iter().map(|of| of.applied).sum();
    let says = format!(
        "{} records applied, {} processes asked, {} digests agree",
        moment::number(rows),
        report.processes.len(),
        report.digests_agree
    );
    Ok((found, says))
}

fn ask(desk: &Desk) -> Result<Answer, Failure> {
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel::<()>();
        if !desk.json {
            scope.spawn(move || {
                let (began, mut line) = (Instant::now(), screen::Progress::default());
                while told.recv_timeout(limits::STEP) == Err(mpsc::RecvTimeoutError::Timeout) {
                    line.tick(&format!("replaying the log: {}", moment::span(began.elapsed())));
                }
            });
        }
        let answer = desk.admin.get("/api/audit/conservation", limits::AUDIT);
        drop(tell);
        answer
    })
}

impl Report {
    /// How many; one at least where it calls itself unclean.
    fn differences(&self) -> u64 {
        let named = self.findings.len() as u64 + self.more_findings;
        if self.clean { 0 } else { named.max(1) }
    }
}

fn picture(report: &Report) -> String {
    let mut partitions = Table::new(&["PARTITION", ">APPENDED", ">APPLIED", ">DEAD", ">IN FLIGHT"]);
    for of in &report.partitions {
        let numbers = [of.appended, of.applied, of.dead, of.in_flight].map(moment::number);
        let [appended, applied, dead, in_flight] = numbers;
        partitions.row([format!("{}-{}", of.topic, of.partition), appended, applied, dead, in_flight]);
    }
    let mut text = partitions.to_string();
    let mut coupons = Table::new(&["COUPON", ">PIECES", ">LOG", ">MYSQL"]);
    for of in report.coupons.iter().take(limits::AUDIT_COUPONS) {
        let [total, log, mysql] = [of.total, of.log, of.mysql].map(moment::number);
        coupons.row([of.coupon_id.to_string(), total, log, mysql]);
    }
    if !coupons.is_empty() {
        let _ = write!(text, "\n{coupons}");
    }
    if report.coupons.len() > limits::AUDIT_COUPONS {
        let _ = writeln!(text, "and {} more coupons (--json)", report.coupons.len() - limits::AUDIT_COUPONS);
    }
    let _ = writeln!(text, "\nusers: {} by the log, {} in MySQL", report.users.0, report.users.1);
    let parts = [
        ("orders", &report.orders),
        ("money", &report.money),
        ("stock", &report.stock),
        ("facts", &report.facts),
    ];
    for (name, part) in parts {
        if let Some(line) = sums(part) {
            let _ = writeln!(text, "{name}: {line}");
        }
    }
    let _ =
        writeln!(text, "{} processes asked, {} digests agree", report.processes.len(), report.digests_agree);
    for finding in &report.findings {
        let _ = writeln!(text, "FINDING {finding}");
    }
    if report.more_findings > 0 {
        let _ = writeln!(text, "and {} more findings", report.more_findings);
    }
    text.push_str(if report.clean { "clean" } else { "NOT CLEAN" });
    text
}

/// `{"placed": 3, "balanced": true}` as `3 placed, balanced`.
fn sums(part: &Value) -> Option<String> {
    let says = |(name, value): (&String, &Value)| match value {
        Value::Bool(true) => name.clone(),
        Value::Bool(false) => format!("NOT {name}"),
        other => format!("{other} {name}"),
    };
    Some(part.as_object()?.iter().map(says).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_says_at_its_end_whether_it_is_clean() {
        let report = |clean: bool, findings: Value| {
            let partition = json!({"topic": "coupon", "partition": 0, "appended": 12_004, "applied": 12_004,
                "dead": 0, "inFlight": 0});
            let coupon = json!({"couponId": 1, "total": 10, "log": 4, "mysql": 4});
            let report = json!({"clean": clean, "findings": findings, "moreFindings": 2, "partitions": [partition],
                "coupons": [coupon], "users": [3, 3], "money": {"captured": -1, "balanced": false}});
            picture(&Report::deserialize(report).unwrap())
        };
        let text = report(true, json!([]));
        assert!(text.contains("coupon-0     12,004   12,004     0          0"), "{text}");
        assert!(text.contains("money: NOT balanced, -1 captured") && text.ends_with("\nclean"), "{text}");
        let text = report(false, json!(["coupon 1 is oversold"]));
        assert!(text.ends_with("FINDING coupon 1 is oversold\nand 2 more findings\nNOT CLEAN"), "{text}");
    }
}

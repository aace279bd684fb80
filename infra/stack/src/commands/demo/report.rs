//! What the demonstration found: a table for people, `report.json` for programs, and whether all of it holds.

use crate::commands::system::audit::Audit;
use crate::commands::system::k6::Summary;
use crate::commands::system::machine;
use serde_json::{Value, json};
use std::fmt;
use std::path::PathBuf;

/// Everything that was counted.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) summary: Summary,
    pub(super) audit: Audit,
    /// Requests that the API counted.
    pub(super) server_requests: u64,
    /// From the end of the load until MySQL had everything, in seconds.
    pub(super) caught_up: Option<f64>,
    /// The coupon that was to be sold out.
    pub(super) small: u64,
    /// What k6 said.
    pub(super) log: PathBuf,
}

/// The findings, judged.
#[derive(Debug)]
pub(super) struct Report {
    findings: Findings,
    pieces: u64,
    winners: Winners,
    rows: Vec<Row>,
}

/// Winners of the small coupon as three witnesses know them.
#[derive(Debug, Clone, Copy)]
struct Winners {
    k6: u64,
    log: u64,
    mysql: u64,
}

/// One line of the table.
#[derive(Debug)]
struct Row {
    name: &'static str,
    said: String,
    /// Nothing is demanded where there is no verdict.
    holds: Option<bool>,
}

impl Winners {
    fn of(findings: &Findings) -> Self {
        let coupon = findings.audit.coupon(findings.small);
        Self {
            k6: findings.summary.answers("issue_small", "201"),
            log: coupon.map_or(0, |coupon| coupon.log),
            mysql: coupon.map_or(0, |coupon| coupon.mysql),
        }
    }

    fn all_are(self, pieces: u64) -> bool {
        [self.k6, self.log, self.mysql] == [pieces; 3]
    }
}

impl Report {
    pub(super) fn new(findings: Findings, pieces: u64) -> Self {
        let winners = Winners::of(&findings);
        let rows = rows(&findings, winners, pieces);
        Self { findings, pieces, winners, rows }
    }

    /// Whether every row holds.
    pub(super) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.holds != Some(false))
    }

    /// The content of `report.json`.
    pub(super) fn json(&self) -> Value {
        let Findings { summary, audit, server_requests, caught_up, .. } = &self.findings;
        let failed: Vec<&str> =
            self.rows.iter().filter(|row| row.holds == Some(false)).map(|row| row.name).collect();
        json!({
            "passed": self.passed(),
            "failed": failed,
            "seconds": summary.seconds,
            "requests": summary.requests,
            "decided": summary.decided(),
            "server_requests": server_requests,
            "http_5xx": summary.http_5xx,
            "dropped_iterations": summary.dropped_iterations,
            "socket_errors": summary.socket_errors,
            "latency_ms": summary.latency_ms,
            "small_coupon": { "pieces": self.pieces, "winners": self.winners.k6,
                "winners_by_log": self.winners.log, "winners_by_mysql": self.winners.mysql },
            "audit": { "clean": audit.clean, "findings": audit.findings },
            "caught_up_seconds": caught_up,
            "machine": machine::machine(),
            "versions": machine::versions(),
        })
    }
}

fn rows(findings: &Findings, winners: Winners, pieces: u64) -> Vec<Row> {
    let Findings { summary, audit, server_requests, caught_up, .. } = findings;
    let row = |name, said, holds| Row { name, said, holds };
    let none = |name, count: u64| row(name, thousands(count), Some(count == 0));
    let latency = summary.latency_ms;
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let late = || "not within a minute".to_owned();
    let digests = format!("{} of {}", audit.digests_agree, audit.digests());
    vec![
        row(
            "requests",
            format!("{} in {:.1} s", thousands(summary.requests), summary.seconds),
            Some(summary.requests > 0),
        ),
        row("counted by the server", thousands(*server_requests), Some(*server_requests == summary.requests)),
        row("decided", thousands(summary.decided()), Some(summary.decided() == summary.requests)),
        row(
            "winners of the small coupon",
            format!(
                "{} of {} (log {}, MySQL {})",
                thousands(winners.k6),
                thousands(pieces),
                thousands(winners.log),
                thousands(winners.mysql)
            ),
            Some(winners.all_are(pieces)),
        ),
        row(
            "latency p50 / p95 / p99",
            format!("{} / {} / {} ms", ms(latency.p50), ms(latency.p95), ms(latency.p99)),
            None,
        ),
        none("5xx", summary.http_5xx),
        none("dropped iterations", summary.dropped_iterations),
        none("socket errors", summary.socket_errors),
        row("k6's gates", gates(summary), Some(summary.passed)),
        row("log = MySQL", log_equals_mysql(audit), Some(audit.clean && caught_up.is_some())),
        row("digests agree", digests, Some(audit.digests_agree(1))),
        row(
            "MySQL had caught up after",
            caught_up.map_or_else(late, |seconds| format!("{seconds:.1} s")),
            Some(caught_up.is_some()),
        ),
    ]
}

fn gates(summary: &Summary) -> String {
    match summary.broken()[..] {
        [] => "all held".to_owned(),
        [first] => format!("broken: {first}"),
        [first, ..] => format!("{} broken, among them {first}", summary.broken().len()),
    }
}

fn log_equals_mysql(audit: &Audit) -> String {
    match &audit.findings[..] {
        [] => "yes".to_owned(),
        [first, ..] => {
            format!("{} findings, the first: {first}", audit.findings.len() as u64 + audit.more_findings)
        }
    }
}

/// `12,345`
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for Row { name, said, holds } in &self.rows {
            let mark = match holds {
                Some(true) => "ok",
                Some(false) => "FAILED",
                None => "",
            };
            writeln!(f, "{}", format!("  {name:<28} {mark:<7} {said}").trim_end())?;
        }
        writeln!(f)?;
        match self.passed() {
            true => write!(f, "  everything holds"),
            false => write!(f, "  NOT EVERYTHING HOLDS: read {}", self.findings.log.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
    }

    fn findings(won: u64, mysql: u64) -> Findings {
        let summary = json!({
            "passed": true, "seconds": 30.0, "requests": 3000, "http_5xx": 0, "dropped_iterations": 0,
            "socket_errors": 0, "latency_ms": {"p50": 1.0, "p95": 2.0, "p99": 3.0}, "thresholds": {},
            "endpoints": {"issue_small": {"status": {"201": won, "422": 3000 - won}}},
        });
        let audit = json!({
            "clean": true, "findings": [], "moreFindings": 0, "caughtUpSeconds": 0.1, "partitions": [{}],
            "coupons": [{"couponId": 7, "log": 1000, "mysql": mysql}], "processes": ["a"], "digestsAgree": 1,
        });
        Findings {
            summary: serde_json::from_value(summary).unwrap(),
            audit: serde_json::from_value(audit).unwrap(),
            server_requests: 3000,
            caught_up: Some(0.2),
            small: 7,
            log: "/l".into(),
        }
    }

    #[test]
    fn a_sell_out_holds_only_when_all_three_witnesses_agree() {
        assert!(Report::new(findings(1000, 1000), 1000).passed());
        for (won, mysql) in [(999, 1000), (1000, 1001), (1001, 1001)] {
            let report = Report::new(findings(won, mysql), 1000);
            assert!(!report.passed(), "{report}");
            assert_eq!(report.json()["failed"][0], "winners of the small coupon");
        }
    }

    #[test]
    fn a_late_database_fails_the_report_and_is_null_for_programs() {
        let late = Findings { caught_up: None, ..findings(1000, 1000) };
        let report = Report::new(late, 1000);
        assert!(!report.passed());
        assert!(report.json()["caught_up_seconds"].is_null());
    }
}

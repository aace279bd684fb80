//! What the demonstration found: a table for people, `report.json` for programs, and whether all of it holds.

use super::table::{Row, rows};
use crate::commands::system::audit::Audit;
use crate::commands::system::k6::Summary;
use crate::commands::system::machine;
use crate::commands::system::shop::{Heard, Orders, Spread};
use serde_json::{Value, json};
use std::fmt;
use std::path::PathBuf;

/// Everything that was counted.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) summary: Summary,
    pub(super) audit: Audit,
    pub(super) shop: Shop,
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

/// What became of the orders.
#[derive(Debug)]
pub(super) struct Shop {
    /// Orders of the load, by MySQL.
    pub(super) stored: Orders,
    pub(super) paid_in_mysql: Spread,
    pub(super) heard: Heard,
}

/// Winners of the small coupon as three witnesses know them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Winners {
    pub(super) k6: u64,
    pub(super) log: u64,
    pub(super) mysql: u64,
}

impl Findings {
    /// Orders of the load, by k6.
    pub(super) fn answered(&self) -> Orders {
        let created = |endpoint| self.summary.answers(endpoint, "201");
        Orders { placed: created("order"), paid: created("payment") }
    }
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

    pub(super) fn all_are(self, pieces: u64) -> bool {
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
        let Findings { summary, audit, shop, server_requests, caught_up, .. } = &self.findings;
        let orders = self.findings.answered();
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
            "orders": { "placed": orders.placed, "paid": orders.paid },
            "money_balanced": audit.money_balanced(),
            "stock_balanced": audit.stock_balanced(),
            "dispatched_once": shop.heard.once(),
            "paid_in_mysql_ms": shop.paid_in_mysql,
            "audit": { "clean": audit.clean, "findings": audit.findings },
            "caught_up_seconds": caught_up,
            "machine": machine::machine(),
            "versions": machine::versions(),
        })
    }
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
    use stack::platform::Totals;

    /// A shop with those orders of the load and, with the sample data, so many paid ones at the partner.
    fn shop(placed: u64, paid: u64, heard: u64) -> Shop {
        let partner =
            Totals { orders: heard, effects: heard, calls: heard, max_effects_per_key: 1, followed: 0 };
        Shop {
            stored: Orders { placed, paid },
            paid_in_mysql: Spread { p50: Some(5.0), p99: Some(20.0) },
            heard: Heard { paid: 17, partner },
        }
    }

    fn findings(won: u64, mysql: u64) -> Findings {
        let summary = json!({
            "passed": true, "seconds": 30.0, "requests": 3000, "http_5xx": 0, "dropped_iterations": 0,
            "socket_errors": 0, "latency_ms": {"p50": 1.0, "p95": 2.0, "p99": 3.0}, "thresholds": {},
            "endpoints": {"issue_small": {"status": {"201": won, "422": 2985 - won}},
                "order": {"status": {"201": 8}}, "payment": {"status": {"201": 7}}},
        });
        let audit = json!({
            "clean": true, "findings": [], "moreFindings": 0, "caughtUpSeconds": 0.1, "partitions": [{}],
            "coupons": [{"couponId": 7, "log": 1000, "mysql": mysql}], "processes": ["a"], "digestsAgree": 1,
            "money": {"balanced": true}, "stock": {"balanced": true},
        });
        Findings {
            summary: serde_json::from_value(summary).unwrap(),
            audit: serde_json::from_value(audit).unwrap(),
            shop: shop(8, 7, 17),
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

    #[test]
    fn an_order_that_got_lost_on_its_way_fails_the_report() {
        for (lost, row) in [
            (shop(7, 7, 17), "orders placed"),
            (shop(8, 6, 17), "orders paid"),
            (shop(8, 7, 16), "dispatched exactly once"),
            (shop(8, 7, 18), "dispatched exactly once"),
        ] {
            let report = Report::new(Findings { shop: lost, ..findings(1000, 1000) }, 1000);
            assert_eq!(report.json()["failed"], json!([row]), "{report}");
        }
        let report = Report::new(findings(1000, 1000), 1000).json();
        assert_eq!(report["orders"], json!({"placed": 8, "paid": 7}));
        assert_eq!(report["paid_in_mysql_ms"], json!({"p50": 5.0, "p99": 20.0}));
        for key in ["money_balanced", "stock_balanced", "dispatched_once"] {
            assert_eq!(report[key], true, "{key}");
        }
    }

    #[test]
    fn an_audit_that_says_nothing_of_money_does_not_pass_for_balanced() {
        let mut silent = findings(1000, 1000);
        let audit = r#"{"clean":true,"findings":[],"moreFindings":0,"caughtUpSeconds":0.1,"partitions":[{}],
            "coupons":[{"couponId":7,"log":1000,"mysql":1000}],"processes":["a"],"digestsAgree":1}"#;
        silent.audit = serde_json::from_str(audit).unwrap();
        let report = Report::new(silent, 1000);
        assert_eq!(report.json()["failed"], json!(["money in = money out", "stock + sold = listed"]));
    }
}

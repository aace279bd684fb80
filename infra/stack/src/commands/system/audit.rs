//! `consumers audit`: the log, MySQL and every process, compared.

use super::System;
use serde::Deserialize;
use stack::error::Doing;
use stack::{Error, Result};
use std::io::Write;
use std::path::Path;

/// How long MySQL may take to catch up before the audit, in seconds.
const SETTLE_S: &str = "60";

/// What `consumers audit --json` prints, as far as it is judged here.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Audit {
    pub(in crate::commands) clean: bool,
    pub(in crate::commands) findings: Vec<String>,
    pub(in crate::commands) more_findings: u64,
    pub(in crate::commands) caught_up_seconds: Option<f64>,
    pub(in crate::commands) partitions: Vec<Partition>,
    pub(in crate::commands) coupons: Vec<Coupon>,
    pub(in crate::commands) processes: Vec<String>,
    pub(in crate::commands) digests_agree: u64,
    /// Absent where nothing of a shop is in the log.
    money: Option<Sum>,
    stock: Option<Sum>,
}

/// A sum that must come out: money in = money out, stock + sold = listed. The amounts are the audit's own business.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Sum {
    balanced: bool,
}

/// One partition; the counts are the audit's own business.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::commands) struct Partition {}

/// Winners of one coupon.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Coupon {
    coupon_id: u64,
    /// By the log.
    pub(in crate::commands) log: u64,
    /// Rows in MySQL.
    pub(in crate::commands) mysql: u64,
}

impl Audit {
    /// Digests to compare: one per process and partition.
    pub(in crate::commands) fn digests(&self) -> u64 {
        (self.processes.len() * self.partitions.len()) as u64
    }

    /// Whether that many processes were asked and all of them hold what the log says.
    pub(in crate::commands) fn digests_agree(&self, processes: usize) -> bool {
        self.processes.len() == processes && self.digests() > 0 && self.digests_agree == self.digests()
    }

    /// Whether money in = money out; nothing where the audit does not say.
    pub(in crate::commands) fn money_balanced(&self) -> Option<bool> {
        self.money.map(|sum| sum.balanced)
    }

    /// Whether stock + sold = listed; nothing where the audit does not say.
    pub(in crate::commands) fn stock_balanced(&self) -> Option<bool> {
        self.stock.map(|sum| sum.balanced)
    }

    pub(in crate::commands) fn coupon(&self, id: u64) -> Option<&Coupon> {
        self.coupons.iter().find(|coupon| coupon.coupon_id == id)
    }

    /// What is wrong, for people; `None` when nothing is.
    pub(in crate::commands) fn complaint(&self, processes: usize) -> Option<String> {
        let mut all = self.findings.clone();
        if self.more_findings > 0 {
            all.push(format!("and {} more findings", self.more_findings));
        }
        if self.caught_up_seconds.is_none() {
            all.push(format!("MySQL had not caught up after {SETTLE_S} s"));
        }
        if !self.digests_agree(processes) {
            all.push(format!(
                "{} of {} digests agree, of {} of {processes} processes",
                self.digests_agree,
                self.digests(),
                self.processes.len()
            ));
        }
        for (what, balanced) in [("money", self.money_balanced()), ("stock", self.stock_balanced())] {
            if balanced == Some(false) {
                all.push(format!("the {what} does not add up"));
            }
        }
        if all.is_empty() && !self.clean {
            all.push("the audit is not clean and does not say why".to_owned());
        }
        (!all.is_empty()).then(|| all.join("\n"))
    }
}

impl System {
    /// Waits until MySQL has caught up, then audits. What it finds is in the result, not an error.
    pub(in crate::commands) fn audit(&mut self, log: &Path) -> Result<Audit> {
        let (printed, _) = self.ask(&["audit", "--json", "--settle", SETTLE_S], log)?;
        std::fs::OpenOptions::new()
            .append(true)
            .open(log)
            .and_then(|mut log| log.write_all(printed.as_bytes()))
            .doing(|| format!("write {}", log.display()))?;
        serde_json::from_str(&printed).map_err(|error| {
            Error::failed(format!("repair `consumers audit`: it prints no report ({error})"), log)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"{"clean":true,"findings":[],"moreFindings":0,"caughtUpSeconds":0.2,
        "partitions":[{"topic":"signup"},{"topic":"coupon"}],"users":[1,1],
        "coupons":[{"couponId":7,"total":3,"log":2,"mysql":2}],
        "processes":["http://127.0.0.1:1"],"digestsAgree":2}"#;

    #[test]
    fn a_clean_report_has_no_complaint() {
        let audit: Audit = serde_json::from_str(PRINTED).unwrap();
        assert_eq!(audit.complaint(1), None);
        assert_eq!(audit.coupon(7).map(|coupon| (coupon.log, coupon.mysql)), Some((2, 2)));
    }

    #[test]
    fn money_that_does_not_add_up_is_a_complaint() {
        let wrong = PRINTED.replacen(
            '{',
            r#"{"money":{"balanced":false,"captured":1},"stock":{"balanced":true},"#,
            1,
        );
        let audit: Audit = serde_json::from_str(&wrong).unwrap();
        assert_eq!((audit.money_balanced(), audit.stock_balanced()), (Some(false), Some(true)));
        assert!(audit.complaint(1).unwrap().contains("money does not add up"));
    }

    #[test]
    fn a_process_that_was_not_asked_and_a_late_database_are_complaints() {
        let audit: Audit = serde_json::from_str(PRINTED).unwrap();
        assert!(audit.complaint(2).unwrap().contains("of 1 of 2 processes"));
        let late = Audit { caught_up_seconds: None, ..audit };
        assert!(late.complaint(1).unwrap().contains("had not caught up"));
    }
}

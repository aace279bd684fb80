//! The audit's result, for people and programs.

use super::{
    expected::Replay,
    sections::{Facts, Money, Orders, Stock},
};
use domain::Header;
use migrations::entity::projection_offset;
use serde::Serialize;
use std::{fmt, time::Duration};

/// Findings kept with their text; the rest is counted.
const MAX_FINDINGS: usize = 50;

/// One partition: appended = applied + dead + in flight.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionReport {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records in the log.
    pub appended: u64,
    /// Records whose effect is in MySQL.
    pub applied: u64,
    /// Records that are dead letters.
    pub dead: u64,
    /// Records that MySQL waits for.
    pub in_flight: u64,
}

/// One coupon.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponReport {
    /// Id.
    pub coupon_id: u64,
    /// Pieces.
    pub total: u64,
    /// Winners by the log.
    pub log: u64,
    /// Rows in MySQL.
    pub mysql: u64,
}

/// The result.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Nothing was found.
    pub clean: bool,
    /// What was found.
    pub findings: Vec<String>,
    /// Findings beyond those listed.
    pub more_findings: u64,
    /// Until MySQL had caught up; absent where it had not.
    pub caught_up_seconds: Option<f64>,
    /// All partitions.
    pub partitions: Vec<PartitionReport>,
    /// All coupons.
    pub coupons: Vec<CouponReport>,
    /// Users by the log and in MySQL.
    pub users: (u64, u64),
    /// Orders in MySQL.
    pub orders: Orders,
    /// Money in and out.
    pub money: Money,
    /// Units of all options.
    pub stock: Stock,
    /// What other systems were told.
    pub facts: Facts,
    /// Processes that were asked.
    pub processes: Vec<String>,
    /// Positions at which a process' digest equals the replay's.
    pub digests_agree: u64,
}

impl Report {
    pub(super) fn new(caught_up: Option<Duration>) -> Self {
        Self { caught_up_seconds: caught_up.map(|waited| waited.as_secs_f64()), ..Self::default() }
    }

    pub(super) fn finding(&mut self, text: String) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(text);
        } else {
            self.more_findings += 1;
        }
    }

    pub(super) fn process(&mut self, url: &str) {
        self.processes.push(url.to_owned());
    }

    pub(super) fn digest_agrees(&mut self) {
        self.digests_agree += 1;
    }

    pub(super) fn users(&mut self, log: usize, mysql: usize) {
        self.users = (log as u64, mysql as u64);
    }

    pub(super) fn coupon(&mut self, coupon_id: u64, total: u64, log: u64, mysql: u64) {
        if log > total || mysql > total {
            self.finding(format!(
                "coupon {coupon_id} is oversold: {total} pieces, {log} winners, {mysql} rows"
            ));
        }
        self.coupons.push(CouponReport { coupon_id, total, log, mysql });
    }

    pub(super) fn partition(&mut self, replay: &Replay, place: Option<&projection_offset::Model>) {
        let Replay { topic, partition, end, dead, digests, header, stopped, .. } = replay;
        let at = format!("{topic}-{partition}");
        if let Some(reason) = stopped {
            self.finding(format!("{at} cannot be replayed {reason}"));
        }
        let (next, dead_lettered) = place.map_or((0, 0), |place| (place.next_offset, place.dead_lettered));
        if next > *end {
            self.finding(format!("{at}: MySQL waits for offset {next}, the log ends at {end}"));
        }
        if dead_lettered != *dead {
            self.finding(format!("{at}: {dead} records are malformed, {dead_lettered} became dead letters"));
        }
        let stored = place.map_or(0, |place| u64::from_be_bytes(place.digest.0));
        if digests.get(&next).is_some_and(|digest| *digest != stored) {
            self.finding(format!("{at}: MySQL's digest at offset {next} is not the replay's"));
        }
        if let (Some(header), Some(place)) = (header, place) {
            for (name, says, stored) in carried(header, place).into_iter().filter(|(_, a, b)| a != b) {
                self.finding(format!(
                    "{at}: MySQL's {name} at offset {next} is {stored:?}, the replay's {says:?}"
                ));
            }
        }
        self.partitions.push(PartitionReport {
            topic: topic.clone(),
            partition: *partition,
            appended: *end,
            applied: next.saturating_sub(dead_lettered),
            dead: dead_lettered,
            in_flight: end.saturating_sub(next),
        });
    }

    pub(super) fn finish(&mut self) {
        self.clean = self.findings.is_empty();
    }
}

/// What a partition carries from record to record beside its digest: by the replay, and in MySQL.
fn carried(
    header: &Header,
    place: &projection_offset::Model,
) -> [(&'static str, Option<i128>, Option<i128>); 5] {
    let of = |value: u64| Some(i128::from(value));
    [
        ("clock_ms", Some(header.clock_ms.into()), Some(place.clock_ms.into())),
        ("earliest_due_ms", header.earliest_due_ms.map(i128::from), place.earliest_due_ms.map(i128::from)),
        ("next_seq", of(header.next_seq), of(place.next_seq)),
        ("rules", Some(header.rules.into()), Some(place.rules.into())),
        ("last_record_hash", of(header.last_record_hash), of(u64::from_be_bytes(place.last_record_hash.0))),
    ]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28} {:>10} {:>10} {:>6} {:>10}",
            "partition", "appended", "applied", "dead", "in flight"
        )?;
        for p in &self.partitions {
            let name = format!("{}-{}", p.topic, p.partition);
            writeln!(f, "{name:<28} {:>10} {:>10} {:>6} {:>10}", p.appended, p.applied, p.dead, p.in_flight)?;
        }
        writeln!(f, "{:<28} {:>10} {:>10} {:>17}", "coupon", "pieces", "log", "MySQL")?;
        for c in &self.coupons {
            writeln!(f, "{:<28} {:>10} {:>10} {:>17}", c.coupon_id, c.total, c.log, c.mysql)?;
        }
        writeln!(f, "users: {} by the log, {} in MySQL", self.users.0, self.users.1)?;
        writeln!(f, "{}\n{}\n{}\n{}", self.orders, self.money, self.stock, self.facts)?;
        writeln!(f, "{} processes asked, {} digests agree", self.processes.len(), self.digests_agree)?;
        for finding in &self.findings {
            writeln!(f, "FINDING {finding}")?;
        }
        if self.more_findings > 0 {
            writeln!(f, "and {} more findings", self.more_findings)?;
        }
        write!(f, "{}", if self.clean { "clean" } else { "NOT CLEAN" })
    }
}

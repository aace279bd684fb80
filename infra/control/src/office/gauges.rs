//! What a monitoring system is told of this instance's own partitions, and of every hold.

use super::Office;
use crate::limits;
use chassis::shutdown::CancellationToken;
use metrics::{Unit, describe_gauge, gauge};
use std::collections::BTreeSet;
use tokio::time::{MissedTickBehavior, interval};

/// Group, topic and partition.
type Labels = [(&'static str, String); 3];

/// 1 where somebody holds the partition.
const DESIRED: &str = "tidemark_pause_desired";
/// 1 where the partition rests because somebody holds it.
const OBSERVED: &str = "tidemark_pause_observed";
/// Records that the database lacks.
const LAG: &str = "tidemark_lag_records";
/// Age of the first record that the database lacks.
const LAG_SECONDS: &str = "tidemark_lag_seconds";
/// Until the database has caught up, by the pace of the last seconds.
const ETA: &str = "tidemark_drain_eta_seconds";
/// For how long the topic still keeps the first record that the database lacks; absent where for ever.
const HEADROOM: &str = "tidemark_retention_headroom_seconds";
/// Holds in force.
const HOLDS: &str = "tidemark_holds";
/// Age of the oldest hold.
const AGE: &str = "tidemark_pause_age_seconds";
/// Holds whose time has passed and that stay.
const OVERDUE: &str = "tidemark_holds_overdue";
/// Members that have not confirmed the newest operation.
const UNCONFIRMED: &str = "tidemark_unconfirmed_instances";

impl Office {
    /// Sets gauges until shutdown, of an instance's own partitions.
    pub async fn watch(self, instance: String, shutdown: CancellationToken) {
        describe();
        let mut tick = interval(limits::GAUGE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = BTreeSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => self.measure(&instance, &mut told).await,
            }
        }
    }

    /// What is not known is not a number: a 0 would say that there is no lag. Nor is what another instance has now.
    async fn measure(&self, instance: &str, told: &mut BTreeSet<Labels>) {
        let Some(wanted) = self.view.state() else { return };
        let reports = self.view.reports();
        let mut now_told = BTreeSet::new();
        for (group, rows) in self.rows(&wanted, &reports).await {
            let Some((topic, _)) = self.groups.get(&group) else { continue };
            for row in rows.into_iter().filter(|row| row.instance.as_deref() == Some(instance)) {
                let labels = [
                    ("group", group.clone()),
                    ("topic", topic.clone()),
                    ("partition", row.partition.to_string()),
                ];
                let paused = row.observed == Some(crate::acks::Flow::Paused);
                gauge!(DESIRED, &labels).set(if row.holders.is_empty() { 0.0 } else { 1.0 });
                gauge!(OBSERVED, &labels).set(if paused { 1.0 } else { 0.0 });
                gauge!(LAG, &labels).set(row.lag_records.map_or(f64::NAN, |records| records as f64));
                gauge!(LAG_SECONDS, &labels).set(row.lag_seconds.unwrap_or(f64::NAN));
                gauge!(ETA, &labels).set(row.drain_eta_seconds.unwrap_or(f64::NAN));
                if let (Some(headroom), Some(lag)) = (row.headroom_seconds, row.lag_seconds) {
                    gauge!(HEADROOM, &labels).set(headroom);
                    warn(&group, row.partition, lag / (headroom + lag));
                }
                now_told.insert(labels);
            }
        }
        for gone in told.difference(&now_told) {
            for name in [DESIRED, OBSERVED, LAG, LAG_SECONDS, ETA] {
                gauge!(name, gone).set(f64::NAN);
            }
        }
        *told = now_told;
        let live: Vec<_> = wanted.live().collect();
        let oldest = live.iter().map(|live| live.created_at_ms).min();
        gauge!(HOLDS).set(live.len() as f64);
        gauge!(OVERDUE).set(live.iter().filter(|live| live.overdue.is_some()).count() as f64);
        gauge!(AGE).set(oldest.map_or(0.0, |at| (self.now_ms() - at).max(0) as f64 / 1e3));
        let newest = self.view.operations(|all| all.newest().next().cloned());
        let missing = match newest {
            Some(operation) => self.progress(&operation).await.map_or(0, |progress| progress.missing.len()),
            None => 0,
        };
        gauge!(UNCONFIRMED).set(missing as f64);
    }
}

fn warn(group: &str, partition: i32, used: f64) {
    let passed = limits::HEADROOM_WARNINGS.into_iter().rev().find(|percent| used * 100.0 >= *percent as f64);
    if let Some(percent) = passed {
        tracing::warn!(group, partition, percent, "so much of the topic's retention is used up by the lag");
    }
}

fn describe() {
    describe_gauge!(DESIRED, "1 where somebody holds the partition");
    describe_gauge!(OBSERVED, "1 where the partition rests because somebody holds it");
    describe_gauge!(LAG, "Records that the database lacks");
    describe_gauge!(LAG_SECONDS, Unit::Seconds, "Age of the first record that the database lacks");
    describe_gauge!(ETA, Unit::Seconds, "Until the database has caught up, by its pace");
    describe_gauge!(
        HEADROOM,
        Unit::Seconds,
        "For how long the topic keeps the first record that the database lacks"
    );
    describe_gauge!(HOLDS, "Holds in force");
    describe_gauge!(AGE, Unit::Seconds, "Age of the oldest hold");
    describe_gauge!(OVERDUE, "Holds whose time has passed and that stay");
    describe_gauge!(UNCONFIRMED, "Members that have not confirmed the newest operation");
}

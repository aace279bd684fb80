//! What each instance really does: one JSON value per instance in `control.acks`, sent when it changes and now and then.

use crate::{Address, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an instance says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub instance: String,
    /// When it said so: as it is written by its own clock, as it is read by the brokers'.
    pub at_ms: i64,
    /// How far its clock was ahead when the brokers appended this; whoever says it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// Each group that it runs.
    pub groups: BTreeMap<String, GroupReport>,
    /// Offset in `control` before which all of it obeys everything; nothing from whoever has left.
    #[serde(default)]
    pub applied: Option<u64>,
    /// The server that it uses, once all of it does.
    #[serde(default)]
    pub database: Option<Address>,
    /// What it reads MySQL with besides, where it answers requests.
    #[serde(default)]
    pub readers: Option<Readers>,
    /// Keys of `control` that it does not understand.
    #[serde(default)]
    pub unreadable: Vec<String>,
}

impl Report {
    /// Whether the other report says more than how far the database is, and how many connections only read.
    #[must_use]
    pub fn is_news(&self, other: &Self) -> bool {
        (self.applied, &self.database, &self.unreadable)
            != (other.applied, &other.database, &other.unreadable)
            || !self.groups.keys().eq(other.groups.keys())
            || self.groups.values().zip(other.groups.values()).any(|(own, others)| own.is_news(others))
    }
}

/// Connections that only read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    /// Who they log in as.
    pub user: String,
    /// How many are open.
    pub sessions: u32,
}

/// What an instance does in a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Topic, without the deployment's prefix.
    pub topic: String,
    /// Offset in `control` before which it obeys everything.
    pub applied: u64,
    /// Its partitions.
    pub partitions: BTreeMap<i32, PartitionReport>,
    /// Work under way beside the partitions: relaying, dispatching.
    #[serde(default)]
    pub in_flight: u32,
    /// Connections that the group's writer pool holds open.
    #[serde(default)]
    pub database_sessions: u32,
    /// Why the instance holds the group by itself, such as a database that is away.
    #[serde(default)]
    pub held: Option<String>,
    /// Settings in force.
    #[serde(default)]
    pub batch_records: usize,
}

impl GroupReport {
    /// Whether the other report says more than how far the database is.
    #[must_use]
    pub fn is_news(&self, other: &Self) -> bool {
        let states = |report: &Self| -> Vec<(i32, Flow)> {
            report.partitions.iter().map(|(partition, at)| (*partition, at.state)).collect()
        };
        (self.applied, &self.held, self.in_flight, self.database_sessions, self.batch_records)
            != (other.applied, &other.held, other.in_flight, other.database_sessions, other.batch_records)
            || states(self) != states(other)
    }

    /// Whether somebody waits for the end of what is under way.
    #[must_use]
    pub fn is_pausing(&self) -> bool {
        self.partitions.values().any(|at| matches!(at.state, Flow::Paused | Flow::Busy))
    }
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// What happens to it.
    pub state: Flow,
    /// The offset that the database waits for, where it is known.
    #[serde(default)]
    pub committed: Option<u64>,
    /// Why it stopped, where it did.
    #[serde(default)]
    pub reason: Option<String>,
    /// Offset of the record that nobody can judge, where one stopped it.
    #[serde(default)]
    pub unjudgeable: Option<u64>,
}

/// What happens to a partition at an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Flow {
    /// It is claimed and checked.
    Opening,
    /// It flows; nothing is under way just now.
    Running,
    /// A transaction is under way, and somebody waits for its end.
    Busy,
    /// It rests because somebody asked for it, and nothing is under way.
    Paused,
    /// It rests because the instance holds itself.
    Held,
    /// It stopped at something that must not be skipped.
    Stopped,
}

impl Flow {
    /// Whether nothing of it can reach the database before somebody resumes it.
    #[must_use]
    pub const fn is_quiet(self) -> bool {
        matches!(self, Self::Paused | Self::Stopped)
    }

    /// Whether records flow.
    #[must_use]
    pub const fn flows(self) -> bool {
        matches!(self, Self::Running | Self::Busy)
    }
}

/// The newest report of every instance.
#[derive(Clone, Debug, Default)]
pub struct Reports(BTreeMap<String, Report>);

impl Reports {
    /// One record more, and when the brokers appended it; what is no report is as good as none.
    pub fn apply(&mut self, key: &str, value: Option<&[u8]>, appended_ms: i64) {
        let report = value.and_then(|value| serde_json::from_slice::<Report>(value).ok());
        match report.filter(|report| report.instance == key) {
            Some(report) => {
                let clock_offset_ms = Some(report.at_ms.saturating_sub(appended_ms));
                let report = Report { at_ms: appended_ms, clock_offset_ms, ..report };
                self.0.insert(key.to_owned(), report);
            }
            None => drop(self.0.remove(key)),
        }
    }

    /// The newest report of an instance.
    #[must_use]
    pub fn of(&self, instance: &str) -> Option<&Report> {
        self.0.get(instance)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Report> {
        self.0.values()
    }

    /// Those that were heard of a moment ago by the brokers' time, and have not said that they leave.
    pub fn live(&self, now_ms: i64) -> impl Iterator<Item = &Report> {
        let stale = i64::try_from(limits::REPORT_STALE.as_millis()).unwrap_or(i64::MAX);
        self.iter().filter(move |report| report.applied.is_some() && now_ms - report.at_ms <= stale)
    }

    /// Whether some instance said, obeying everything before `applied`, that this partition rests; then whoever takes it
    /// over need not fence anybody.
    #[must_use]
    pub fn is_known_quiet(&self, group: &str, partition: i32, epoch: u64) -> bool {
        self.0.values().filter_map(|report| report.groups.get(group)).any(|group| {
            group.applied > epoch
                && group.in_flight == 0
                && group.partitions.get(&partition).is_some_and(|at| at.state == Flow::Paused)
        })
    }
}

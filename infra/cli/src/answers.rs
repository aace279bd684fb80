//! What the admin API says, as far as it is shown. Fields and words of a newer version are passed over.

use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// `GET /admin/consumers`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Consumers {
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) instances: Vec<Report>,
    #[serde(default)]
    pub(crate) unreadable: BTreeMap<String, String>,
}

impl Consumers {
    /// The hold of `cutover` over everything, where there is one.
    pub(crate) fn cutover(self) -> Option<Hold> {
        self.holds.into_iter().find(|hold| hold.holder == "cutover" && hold.scope == "all")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) topic: String,
    /// Nothing where the coordinator does not answer.
    pub(crate) members: Option<Vec<String>>,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Partition {
    pub(crate) partition: i32,
    pub(crate) instance: Option<String>,
    pub(crate) desired: String,
    pub(crate) holders: Vec<String>,
    pub(crate) observed: Option<String>,
    pub(crate) reason: Option<String>,
    /// Offset of the record that stopped it and that nobody can judge: it may be passed over.
    pub(crate) unjudgeable: Option<u64>,
    pub(crate) lag_records: Option<u64>,
    pub(crate) lag_seconds: Option<f64>,
    pub(crate) drain_eta_seconds: Option<f64>,
}

/// A hold in force.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Hold {
    pub(crate) holder: String,
    pub(crate) scope: String,
    pub(crate) epoch: u64,
    pub(crate) mode: String,
    pub(crate) reason: String,
    pub(crate) actor: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: Option<i64>,
    pub(crate) on_expiry: String,
    pub(crate) overdue: Option<String>,
}

impl Hold {
    /// Whether some partition of that group is within.
    pub(crate) fn concerns(&self, group: &str, topic: &str) -> bool {
        match self.scope.split_once(':') {
            None => self.scope == "all",
            Some(("group", name)) => name == group,
            Some(("topic", name)) => name == topic,
            Some(("partition", name)) => name.rsplit_once('/').is_some_and(|(name, _)| name == topic),
            Some(_) => false,
        }
    }
}

/// What an instance says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) instance: String,
    pub(crate) at_ms: i64,
    /// How far its clock is ahead of the brokers'.
    #[serde(default)]
    pub(crate) clock_offset_ms: Option<i64>,
    pub(crate) groups: BTreeMap<String, GroupReport>,
    #[serde(default)]
    pub(crate) unreadable: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GroupReport {
    #[serde(default)]
    pub(crate) applied: u64,
    #[serde(default)]
    pub(crate) in_flight: u32,
    #[serde(default)]
    pub(crate) database_sessions: u32,
    #[serde(default)]
    pub(crate) held: Option<String>,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Standing {
    Pausing,
    Paused,
    Partial,
    Resuming,
    Running,
    Expired,
    Replaced,
    Applying,
    Switching,
    Done,
    /// Of a newer version; nobody can say whether it is an end.
    #[serde(other)]
    Other,
}

impl Standing {
    /// Whether there is nothing to wait for.
    pub(crate) const fn is_settled(self) -> bool {
        matches!(self, Self::Paused | Self::Running | Self::Expired | Self::Replaced | Self::Done)
    }
}

/// `GET /admin/operations/{id}`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Progress {
    pub(crate) state: Standing,
    #[serde(default)]
    pub(crate) confirmed: usize,
    #[serde(default)]
    pub(crate) missing: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) held_by: BTreeSet<String>,
    #[serde(default)]
    pub(crate) instances: Vec<Instance>,
    #[serde(default)]
    pub(crate) operation: Option<Operation>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    /// Nothing where no group has to do with it.
    #[serde(default)]
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) partitions: BTreeSet<i32>,
    #[serde(default)]
    pub(crate) in_flight: u32,
    #[serde(default)]
    pub(crate) database_sessions: u32,
    pub(crate) confirmed: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) at_ms: i64,
    pub(crate) actor: String,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) holder: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// What it changed, as it was.
    #[serde(default)]
    pub(crate) before: Value,
}

/// `GET /admin/operations`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Operations {
    pub(crate) operations: Vec<Operation>,
}

/// `GET /admin/dispatches`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dispatches {
    pub(crate) dispatches: Vec<Dispatch>,
}

/// What the external platform is told of one order.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dispatch {
    pub(crate) order_id: u64,
    pub(crate) state: String,
    pub(crate) attempts: u32,
    pub(crate) last_error: Option<String>,
    pub(crate) failed_at_ms: Option<i64>,
}

/// `GET /admin/dead-letters`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetters {
    pub(crate) dead_letters: Vec<DeadLetter>,
}

/// A copy of a record that no process understood.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: u64,
    #[serde(default)]
    pub(crate) reason: Value,
    #[serde(default)]
    pub(crate) attempts: Value,
    #[serde(default)]
    pub(crate) at_ms: Option<i64>,
    #[serde(default)]
    pub(crate) bytes: Option<u64>,
    #[serde(default)]
    pub(crate) payload_hex: Option<String>,
}

/// `GET /admin/pools`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pools {
    pub(crate) pools: Vec<Pool>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) max: u32,
    pub(crate) min: u32,
    pub(crate) acquire_timeout_ms: u64,
    pub(crate) open: u32,
    pub(crate) idle: u32,
}

/// `GET /admin/database`: which server counts.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Database {
    pub(crate) address: String,
    /// `control` says nothing, so it is the one that the asked process is configured with.
    #[serde(default)]
    pub(crate) configured: bool,
    #[serde(default)]
    pub(crate) since_ms: Option<i64>,
    /// That switched to it.
    #[serde(default)]
    pub(crate) operation: Option<String>,
    #[serde(default)]
    pub(crate) previous: Option<String>,
    #[serde(default)]
    pub(crate) way_back_until_ms: Option<i64>,
    #[serde(default)]
    pub(crate) instances: Vec<At>,
}

/// The server that a process uses, by its own word.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct At {
    pub(crate) id: String,
    pub(crate) address: Option<String>,
}

/// `POST /admin/database/check`: what another server is like.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Check {
    pub(crate) to: String,
    #[serde(default)]
    pub(crate) from: Option<String>,
    pub(crate) ok: bool,
    #[serde(default)]
    pub(crate) findings: Vec<String>,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    pub(crate) version: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) read_only: Option<bool>,
    /// Whether another server's transactions are applied to it; nothing where that cannot be seen.
    pub(crate) replicating: Option<bool>,
    /// Nothing where the server that counts now does not answer, or where there are no tables to compare yet.
    pub(crate) behind_records: Option<u64>,
    #[serde(default)]
    pub(crate) partitions: Vec<Offsets>,
}

/// The offset of one partition that either server waits for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Offsets {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
}

/// `GET /admin/database/sessions`: who is connected with the server that counts.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sessions {
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) sessions: u64,
    pub(crate) readers: u64,
    /// That no process which only reads accounts for: they may write.
    pub(crate) unaccounted: u64,
}

/// A text or a number as it stands; nothing for nothing.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

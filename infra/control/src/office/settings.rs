//! Settings of running groups and pools, and records that everybody passes over.

use super::{
    Office,
    changing::{Accepted, Body, body},
    refusal::{Refusal, bad},
    requests::text,
};
use crate::{
    Scope,
    acks::{Flow, Reports},
    audit::{Kind, Operation},
    limits,
    records::{Key, PoolSettings, Skip, Spot, Target, Tuning, Value},
};
use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Object, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Pools that can be tuned: that of each group, and that of the API's reads.
const POOLS: [&str; 2] = ["writer", "reader"];

/// A pool of this process, as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct PoolReport {
    /// `writer/GROUP`, or `reader`.
    pub name: String,
    /// What it may have.
    #[serde(flatten)]
    pub settings: PoolSettings,
    /// Connections that are open.
    pub open: u32,
    /// Of these, not in use.
    pub idle: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolChange {
    max: Option<u32>,
    min: Option<u32>,
    acquire_timeout_ms: Option<u64>,
    #[serde(default)]
    durable: bool,
    #[serde(default)]
    reason: String,
    #[serde(default = "super::requests::operator")]
    actor: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupChange {
    batch_records: Option<usize>,
    batch_wait_ms: Option<u64>,
    #[serde(default)]
    durable: bool,
    #[serde(default)]
    reason: String,
    #[serde(default = "super::requests::operator")]
    actor: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SkipRequest {
    topic: String,
    partition: i32,
    offset: u64,
    reason: String,
    #[serde(default = "super::requests::operator")]
    actor: String,
}

pub(super) async fn pools(State(office): State<Office>) -> Result<Json<Object>, Refusal> {
    let tunings: BTreeMap<String, Tuning> = office
        .wanted()?
        .tunings()
        .map(|(target, tuning)| (Key::Tuning(target.clone()).to_string(), tuning.clone()))
        .collect();
    Ok(Json(json!({"pools": (office.pools)(), "tunings": tunings})))
}

pub(super) async fn tune_pool(
    State(office): State<Office>,
    Path(name): Path<String>,
    sent: Body<PoolChange>,
) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    if !POOLS.contains(&name.as_str()) {
        let message = format!("there is no pool {name:?} to tune; there are {}", POOLS.join(", "));
        return Err(Refusal::unknown("UNKNOWN_POOL", message));
    }
    let within = |name: &str, value: Option<u64>, least: u64, most: u64| match value {
        Some(value) if !(least..=most).contains(&value) => Err(bad(format!("{name} is {least} to {most}"))),
        _ => Ok(()),
    };
    within("max", sent.max.map(u64::from), 1, limits::MAX_POOL)?;
    within("min", sent.min.map(u64::from), 0, sent.max.map_or(limits::MAX_POOL, u64::from))?;
    within("acquire_timeout_ms", sent.acquire_timeout_ms, 1, limits::MAX_ACQUIRE_MS)?;
    let tuning = Tuning {
        max: sent.max,
        min: sent.min,
        acquire_timeout_ms: sent.acquire_timeout_ms,
        durable: sent.durable,
        actor: sent.actor,
        reason: sent.reason,
        ..Tuning::default()
    };
    office.tune(Target::Pool(name), tuning, vec![Scope::All]).await
}

pub(super) async fn tune_group(
    State(office): State<Office>,
    Path(name): Path<String>,
    sent: Body<GroupChange>,
) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    let (target, scope) = if name == "all" {
        (Target::All, Scope::All)
    } else if office.topics.contains_key(&name) {
        (Target::Group(name.clone()), Scope::Group(name))
    } else {
        let known: Vec<&str> = office.topics.keys().map(String::as_str).collect();
        let message = format!("there is no group {name:?}; there are all, {}", known.join(", "));
        return Err(Refusal::unknown("UNKNOWN_GROUP", message));
    };
    if sent.batch_records.is_some_and(|records| !(1..=limits::MAX_BATCH_RECORDS).contains(&records)) {
        return Err(bad(format!("batch_records is 1 to {}", limits::MAX_BATCH_RECORDS)));
    }
    if sent.batch_wait_ms.is_some_and(|ms| ms > limits::MAX_BATCH_WAIT_MS) {
        return Err(bad(format!("batch_wait_ms is 0 to {}", limits::MAX_BATCH_WAIT_MS)));
    }
    let tuning = Tuning {
        batch_records: sent.batch_records,
        batch_wait_ms: sent.batch_wait_ms,
        durable: sent.durable,
        actor: sent.actor,
        reason: sent.reason,
        ..Tuning::default()
    };
    office.tune(target, tuning, vec![scope]).await
}

pub(super) async fn skips(State(office): State<Office>) -> Result<Json<Object>, Refusal> {
    let wanted = office.wanted()?;
    let skips: Vec<Object> = wanted.skips().map(|(spot, skip)| json!({"at": spot, "skip": skip})).collect();
    Ok(Json(json!({"skips": skips})))
}

pub(super) async fn skip(State(office): State<Office>, sent: Body<SkipRequest>) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    text("reason", &sent.reason, true)?;
    text("actor", &sent.actor, true)?;
    let SkipRequest { topic, partition, offset, reason, actor } = sent;
    let Some((group, _)) = office.topics.iter().find(|(_, consumed)| **consumed == topic) else {
        return Err(Refusal::unknown("UNKNOWN_TOPIC", format!("nobody consumes {topic:?}")));
    };
    let now = office.now_ms();
    not_stopped_at(&office.view.reports(), group, partition, offset, now).map_or(Ok(()), |there| {
        let message = format!(
            "{topic}/{partition} did not stop at a record at offset {offset} that nobody can judge; {there}. Only such a one can be passed over"
        );
        Err(Refusal::conflict("NOT_STOPPED_THERE", message))
    })?;
    let skip = Skip { actor: actor.clone(), reason: reason.clone(), at_ms: now };
    let spot = Spot { topic: topic.clone(), partition, offset };
    let operation = Operation {
        id: Uuid::new_v4(),
        kind: Kind::Skip,
        at_ms: now,
        actor,
        reason,
        holder: None,
        scopes: vec![Scope::Partition(topic, partition)],
        epoch: 0,
        before: Object::Null,
        after: json!(spot),
    };
    office
        .accept(vec![(Key::Skip(spot), Some(Value::Skip(skip)))], operation, json!({"state": "APPLYING"}))
        .await
}

/// Where, and of what, a partition stopped instead. Whoever is past a record has judged it already, and would never agree
/// with the others again; and a record is not to blame for a table or a binary that is too new or too old for it.
fn not_stopped_at(reports: &Reports, group: &str, partition: i32, offset: u64, now: i64) -> Option<String> {
    let mut there = Vec::new();
    for report in reports.live(now) {
        let at = report.groups.get(group).and_then(|group| group.partitions.get(&partition));
        let Some(at) = at.filter(|at| at.state == Flow::Stopped) else { continue };
        if at.unjudgeable == Some(offset) {
            return None;
        }
        there.push(format!("{} stopped {}", report.instance, at.reason.as_deref().unwrap_or_default()));
    }
    Some(if there.is_empty() { "nobody stopped there".to_owned() } else { there.join(", ") })
}

impl Office {
    async fn tune(&self, target: Target, tuning: Tuning, scopes: Vec<Scope>) -> Result<Accepted, Refusal> {
        text("reason", &tuning.reason, false)?;
        text("actor", &tuning.actor, true)?;
        let before = self.newest().await?.tuning(&target).map(|(_, tuning)| tuning.clone());
        let operation = Operation {
            id: Uuid::new_v4(),
            kind: Kind::Tune,
            at_ms: self.now_ms(),
            actor: tuning.actor.clone(),
            reason: tuning.reason.clone(),
            holder: None,
            scopes,
            epoch: 0,
            before: json!(before),
            after: json!(tuning),
        };
        let changes = vec![(Key::Tuning(target), Some(Value::Tuning(tuning)))];
        self.accept(changes, operation, json!({"state": "APPLYING"})).await
    }
}

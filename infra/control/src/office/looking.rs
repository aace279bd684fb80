//! What operators see: everything that is wanted and everything that is, per group and partition; operations.

use super::{
    Office,
    refusal::{Refusal, bad},
};
use crate::{
    State as Wanted,
    acks::{Flow, Report, Reports},
    audit::Operation,
    lag, limits, topics,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Where a partition stood when somebody looked.
pub(super) type Seen = BTreeMap<(String, i32), (Instant, u64)>;

/// Between two looks that make a pace.
const PACE_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) partition: i32,
    /// Who has it, by its own word.
    pub(super) instance: Option<String>,
    pub(super) desired: &'static str,
    pub(super) holders: Vec<&'static str>,
    pub(super) observed: Option<Flow>,
    pub(super) reason: Option<String>,
    /// Offset of the record that nobody can judge, where one stopped it: an operator may have it passed over.
    pub(super) unjudgeable: Option<u64>,
    pub(super) committed: Option<u64>,
    pub(super) end: Option<u64>,
    pub(super) lag_records: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    pub(super) drain_eta_seconds: Option<f64>,
    /// For how long the topic still keeps the first record that the database lacks; none where for ever.
    pub(super) headroom_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    wait: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    limit: Option<usize>,
}

pub(super) async fn operations(
    State(office): State<Office>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(paging) = paging.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = paging.limit.unwrap_or(20);
    if !(1..=limits::MAX_OPERATIONS).contains(&limit) {
        return Err(bad(format!("limit is 1 to {}", limits::MAX_OPERATIONS)));
    }
    // Where the brokers do not say how far that is, what is known here is better than nothing.
    if let Ok(end) = office.end_of(topics::AUDIT).await {
        office.until_listed(end).await?;
    }
    let newest: Vec<Operation> = office.view.operations(|all| all.newest().take(limit).cloned().collect());
    Ok(Json(json!({"operations": newest})))
}

pub(super) async fn operation(
    State(office): State<Office>,
    Path(id): Path<String>,
    waiting: Result<Query<Waiting>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(waiting) = waiting.map_err(|rejection| bad(rejection.body_text()))?;
    let unknown = || {
        Refusal::unknown("UNKNOWN_OPERATION", format!("there is no operation {id:?}; see /admin/operations"))
    };
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let wait = match waiting.wait.as_deref().map(humantime::parse_duration) {
        None => Duration::ZERO,
        Some(Ok(wait)) => wait.min(limits::MAX_WAIT),
        Some(Err(error)) => return Err(bad(format!("wait: {error}; write it as in 30s"))),
    };
    let deadline = Instant::now() + wait;
    let known_by = deadline.max(Instant::now() + limits::KNOWN_HERE);
    let mut changes = office.view.changes();
    let mut end = None;
    loop {
        changes.mark_unchanged();
        let now = Instant::now();
        match office.view.operations(|all| all.find(id).cloned().ok_or(all.next())) {
            // Whoever was answered 202 a moment ago must not be told that there is no such operation.
            Err(read) if now >= deadline => match end {
                Some(end) if read >= end => return Err(unknown()),
                Some(_) if now >= known_by => return Err(Refusal::behind()),
                Some(_) => {}
                None => {
                    end = Some(office.end_of(topics::AUDIT).await?);
                    continue;
                }
            },
            // It must be obeyed here too before anybody's word on it counts: what could be said would be of another state.
            Ok(operation) if office.wanted()?.next() <= operation.epoch && now >= known_by => {
                return Err(Refusal::behind());
            }
            Ok(operation) if office.wanted()?.next() > operation.epoch => {
                let progress = office.progress(&operation).await?;
                if progress.is_settled() || now >= deadline {
                    return Ok(Json(flatten(json!({"operation": operation, "progress": progress}))));
                }
            }
            _ => {}
        }
        // Reports wake this; members that leave do not.
        let _ = tokio::time::timeout(limits::WAIT_POLL, changes.changed()).await;
    }
}

/// The progress' fields, with the operation beside them.
fn flatten(mut answer: Value) -> Value {
    let Some(operation) = answer.get_mut("operation").map(Value::take) else { return answer };
    let mut flat = answer.get_mut("progress").map(Value::take).unwrap_or_default();
    if let Some(flat) = flat.as_object_mut() {
        flat.insert("operation".to_owned(), operation);
    }
    flat
}

pub(super) async fn consumers(State(office): State<Office>) -> Result<Json<Value>, Refusal> {
    let (wanted, reports) = (office.wanted()?, office.view.reports());
    let members = office.members(office.topics.keys().cloned().collect()).await;
    let rows = office.rows(&wanted, &reports).await;
    let mut groups = BTreeMap::new();
    for (group, (topic, _)) in office.groups.iter() {
        let listed = members
            .get(group)
            .map(|members| members.members.iter().map(|member| member.instance.clone()).collect::<Vec<_>>());
        let rows = rows.get(group);
        groups.insert(group, json!({"topic": topic, "members": listed, "partitions": rows}));
    }
    let holds: Vec<_> = wanted.live().collect();
    let instances: Vec<&Report> = reports.iter().collect();
    Ok(Json(json!({
        "groups": groups, "holds": holds, "instances": instances, "unreadable": wanted.unreadable(),
        "control_next": wanted.next(),
    })))
}

fn is_stale(report: &Report, now: i64) -> bool {
    now - report.at_ms > i64::try_from(limits::REPORT_STALE.as_millis()).unwrap_or(i64::MAX)
}

/// Why a partition stopped; or that nothing was heard of it for a while.
fn said((report, at): &(&Report, &crate::acks::PartitionReport), now: i64) -> Option<String> {
    if is_stale(report, now) {
        return Some(format!("{} has been silent for {} s", report.instance, (now - report.at_ms) / 1_000));
    }
    at.reason.clone()
}

/// What an instance says of a partition.
fn place<'a>(
    report: &'a Report,
    group: &str,
    partition: i32,
) -> Option<(&'a Report, &'a crate::acks::PartitionReport)> {
    report.groups.get(group)?.partitions.get(&partition).map(|at| (report, at))
}

/// End, and of a partition that is behind when the first record was appended that the database lacks; none where there is
/// no such record.
type Depth = BTreeMap<(String, i32), (Option<u64>, Option<Option<i64>>)>;

impl Office {
    /// Waits until every operation before this offset of `control.audit` is known here.
    async fn until_listed(&self, end: u64) -> Result<(), Refusal> {
        let mut changes = self.view.changes();
        let known_by = Instant::now() + limits::KNOWN_HERE;
        while self.view.operations(|all| all.next()) < end {
            if Instant::now() >= known_by {
                return Err(Refusal::behind());
            }
            let _ = tokio::time::timeout(limits::WAIT_POLL, changes.changed()).await;
        }
        Ok(())
    }

    /// Every partition of every group.
    pub(super) async fn rows(&self, wanted: &Wanted, reports: &Reports) -> BTreeMap<String, Vec<Row>> {
        let (depth, kept_ms) = (self.depth().await, self.kept_ms().await);
        let now = self.now_ms();
        let mut groups = BTreeMap::new();
        for (group, (topic, partitions)) in self.groups.iter() {
            let row = |partition| {
                let (end, appended_at) = depth.get(&(topic.clone(), partition)).copied().unwrap_or_default();
                let desired = wanted.desired(group, topic, partition);
                let at = reports.iter().filter_map(|report| place(report, group, partition));
                let at = at.max_by_key(|at| at.0.at_ms);
                let committed = at.as_ref().and_then(|(_, at)| at.committed);
                let lag = committed.zip(end).map(|(committed, end)| match appended_at {
                    // Nothing but the mark of a transaction.
                    Some(None) => 0,
                    _ => end.saturating_sub(committed),
                });
                let lag_seconds = match (lag, appended_at) {
                    (Some(0), _) => Some(0.0),
                    (_, Some(Some(at))) => Some((now - at).max(0) as f64 / 1e3),
                    _ => None,
                };
                let kept = kept_ms.get(topic).map(|ms| *ms as f64 / 1e3);
                Row {
                    partition,
                    instance: at.as_ref().map(|(report, _)| report.instance.clone()),
                    desired: if desired.is_paused() { "PAUSED" } else { "RUNNING" },
                    holders: desired.holders.iter().map(|holder| holder.name()).collect(),
                    observed: at.as_ref().filter(|at| !is_stale(at.0, now)).map(|(_, at)| at.state),
                    reason: at.as_ref().and_then(|at| said(at, now)),
                    unjudgeable: at.as_ref().and_then(|(_, at)| at.unjudgeable),
                    committed,
                    end,
                    lag_records: lag,
                    lag_seconds,
                    headroom_seconds: kept.zip(lag_seconds).map(|(kept, lag)| (kept - lag).max(0.0)),
                    drain_eta_seconds: committed
                        .zip(lag)
                        .and_then(|(at, lag)| self.eta(topic, partition, at, lag)),
                }
            };
            groups.insert(group.clone(), (0..*partitions).map(row).collect());
        }
        groups
    }

    /// Of every partition its end, and when the first record was appended that the database lacks.
    async fn depth(&self) -> Depth {
        let office = self.clone();
        tokio::task::spawn_blocking(move || office.ask_depth()).await.unwrap_or_default()
    }

    fn ask_depth(&self) -> Depth {
        let mut depth = Depth::new();
        let spots: Vec<_> =
            self.groups.values().flat_map(|(topic, n)| (0..*n).map(move |p| (topic.clone(), p))).collect();
        let named = |(topic, partition): &(String, i32)| (topics::name(&self.prefix, topic), *partition);
        let ends =
            lag::ends(&self.settings, &spots.iter().map(named).collect::<Vec<_>>()).unwrap_or_default();
        let reports = self.view.reports();
        let mut behind = BTreeMap::new();
        for (group, (topic, partitions)) in self.groups.iter() {
            for partition in 0..*partitions {
                let at = reports.iter().filter_map(|report| place(report, group, partition));
                let committed = at.filter_map(|(_, at)| at.committed).max();
                let spot = (topics::name(&self.prefix, topic), partition);
                if let (Some(committed), Some(end)) = (committed, ends.get(&spot))
                    && committed < *end
                {
                    behind.insert(spot, lag::Behind { committed, end: *end });
                }
            }
        }
        let times = lag::append_times(&self.settings, &behind).unwrap_or_default();
        for spot in spots {
            let named = named(&spot);
            depth.insert(spot, (ends.get(&named).copied(), times.get(&named).copied()));
        }
        depth
    }

    /// Until the database has caught up, by the pace since the look before.
    fn eta(&self, topic: &str, partition: i32, committed: u64, lag: u64) -> Option<f64> {
        if lag == 0 {
            return Some(0.0);
        }
        let mut seen = self.seen.lock();
        let now = Instant::now();
        let before = seen.get(&(topic.to_owned(), partition)).copied();
        if before.is_none_or(|(at, _)| now - at >= PACE_INTERVAL) {
            seen.insert((topic.to_owned(), partition), (now, committed));
        }
        let (at, from) = before?;
        let pace = committed.saturating_sub(from) as f64 / (now - at).as_secs_f64();
        (pace > 0.0).then(|| lag as f64 / pace)
    }
}

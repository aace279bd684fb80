//! Tables `external_dispatches` and `platform_events` against topic `external-platform`: a delivery dominates, else the
//! later of a failure and of an operator's request counts. Attempts and leases are the dispatcher's own.

use super::{
    database::Snapshot,
    report::Report,
    told::{At, End, Ended, Told},
};
use crate::{dispatch::Dispatches, group::Work};
use migrations::entity::{
    external_dispatches::{self as rows, DELIVERED, FAILED, PENDING},
    platform_events,
};
use schemas::{
    FactTopic,
    facts::{DispatchRequested, PlatformEventReceived},
};
use std::collections::{BTreeMap, BTreeSet};

/// The offset that MySQL waits for, by partition.
type Applied = BTreeMap<i32, u64>;

/// Compares both tables, each as far as its partition was applied.
pub fn compare(told: &Told, snapshot: &Snapshot, prefix: &str, report: &mut Report) {
    let topic = FactTopic::ExternalPlatform.name(prefix);
    let mut applied = Applied::new();
    for partition in 0..FactTopic::ExternalPlatform.partitions() {
        let place = snapshot.place(Dispatches::GROUP, &topic, partition);
        let (next, dead) = place.map_or((0, 0), |place| (place.next_offset, place.dead_lettered));
        let end = told.bounds.get(&partition).copied().unwrap_or(0);
        if next > end {
            report.finding(format!(
                "{topic}-{partition}: MySQL waits for offset {next}, the topic ends at {end}"
            ));
        }
        let malformed = told.malformed.get(&partition).into_iter().flatten();
        let malformed = malformed.filter(|offset| **offset < next).count() as u64;
        if malformed > dead {
            report.finding(format!(
                "{topic}-{partition}: {malformed} are no facts, {dead} became dead letters"
            ));
        }
        applied.insert(partition, next);
    }
    let orders: BTreeSet<u64> =
        told.requests.keys().chain(told.ends.keys()).chain(snapshot.dispatches.keys()).copied().collect();
    for order_id in orders {
        if let Some(wrong) = wrong_dispatch(order_id, told, snapshot, &applied) {
            report.finding(format!("external_dispatches {order_id}: {wrong}"));
        }
    }
    compare_events(told, snapshot, &applied, report);
}

fn wrong_dispatch(order_id: u64, told: &Told, snapshot: &Snapshot, applied: &Applied) -> Option<String> {
    let partitions = FactTopic::ExternalPlatform.partitions().unsigned_abs() as u64;
    let partition = (order_id.wrapping_sub(1) % partitions) as i32;
    let end = applied.get(&partition).copied().unwrap_or(0);
    let row = snapshot.dispatches.get(&order_id);
    let requests = told.requests.get(&order_id);
    let first = requests.into_iter().flat_map(|all| &all.first).find(|(offset, _)| *offset < end);
    let redriven = requests.into_iter().flat_map(|all| &all.redriven).rfind(|(offset, _)| *offset < end);
    let ends = told.ends.get(&order_id).into_iter().flatten().filter(|ended| ended.offset < end);
    let ends: Vec<Ended> = ends.copied().collect();
    let asked = first.or(redriven).map(|(_, asked)| asked);
    if asked.is_none() && ends.is_empty() {
        // Compaction may have taken away what this row came from, for the sake of what stands beyond.
        let known = requests.is_some() || told.ends.contains_key(&order_id);
        return row.filter(|_| !known).map(|row| format!("the topic knows nothing of {row:?}"));
    }
    let state = told.state(order_id, end);
    match row {
        None => Some(format!("MySQL lacks it, the topic says state {state}")),
        Some(row) if row.state != state => Some(format!("the topic says state {state}, MySQL {row:?}")),
        Some(row) if asked.is_some_and(|asked| !is_what_was_asked(row, asked)) => {
            Some(format!("the topic asks {asked:?}, MySQL says {row:?}"))
        }
        Some(row) if !is_when_it_ended(row, &ends) => Some(format!("the topic says {ends:?}, MySQL {row:?}")),
        Some(row) if row.partition_id != partition => {
            Some(format!("it belongs to partition {partition}: {row:?}"))
        }
        Some(_) => None,
    }
}

fn is_what_was_asked(row: &rows::Model, asked: &DispatchRequested) -> bool {
    let rows::Model { source_offset, user_id, total, discount, paid, paid_at_ms, .. } = row;
    let numbers = [asked.source_offset, asked.user_id, asked.total, asked.discount, asked.paid];
    let found = [*source_offset, *user_id, *total, *discount, *paid];
    found == numbers.map(|n| u64::try_from(n).ok()) && *paid_at_ms == Some(asked.at_ms)
}

/// Of several deliveries any may stand there, of several failures the last.
fn is_when_it_ended(row: &rows::Model, ends: &[Ended]) -> bool {
    let mut delivered = ends.iter().filter(|ended| ended.end == End::Delivered);
    let failed = ends.iter().rfind(|ended| ended.end == End::Failed);
    match (row.state, row.delivered_at_ms, row.failed_at_ms) {
        (DELIVERED, Some(at_ms), None) => delivered.any(|ended| ended.at_ms == at_ms),
        (FAILED, None, Some(at_ms)) => failed.is_some_and(|ended| ended.at_ms == at_ms),
        (PENDING, None, None) => true,
        _ => false,
    }
}

/// Of an event that was told twice the later telling of either partition may stand there.
fn compare_events(told: &Told, snapshot: &Snapshot, applied: &Applied, report: &mut Report) {
    for (event_id, tellings) in &told.events {
        let within = |at: &At| applied.get(&at.partition).is_some_and(|end| at.offset < *end);
        let mut seen = tellings.iter().filter(|(at, _)| within(at)).peekable();
        if seen.peek().is_none() {
            continue;
        }
        let row = snapshot.events.get(event_id);
        if !seen.any(|(at, event)| row.is_some_and(|row| is_event(row, at, event))) {
            report
                .finding(format!("platform_events {event_id:?}: the topic says {tellings:?}, MySQL {row:?}"));
        }
    }
    for (event_id, row) in snapshot.events.iter().filter(|(id, _)| !told.events.contains_key(*id)) {
        report.finding(format!("platform_events {event_id:?}: the topic knows nothing of {row:?}"));
    }
}

fn is_event(row: &platform_events::Model, at: &At, event: &PlatformEventReceived) -> bool {
    Some(row.order_id) == u64::try_from(event.order_id).ok()
        && row.kind == event.kind
        && row.occurred_at_ms == event.occurred_at_ms
        && at.appended_at_ms.is_none_or(|appended| row.received_at_ms == appended)
}

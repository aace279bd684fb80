//! What other systems were told, against what the log decided: each decided payment once, nothing else; what the outbox
//! still holds is not told yet.

use super::{
    database::Snapshot,
    expected::Expected,
    report::Report,
    told::{Requests, Told},
};
use migrations::entity::{
    external_dispatches::{DELIVERED, FAILED},
    outbox::{self, CAPTURED, DECLINED},
};
use schemas::facts::DispatchRequested;
use std::collections::BTreeMap;

/// Compares both topics with the log; `applied` is the offset that the order projection waits for.
pub fn compare(told: &Told, snapshot: &Snapshot, expected: &Expected, applied: u64, report: &mut Report) {
    let decided: BTreeMap<u64, &outbox::Model> =
        expected.decided().map(|row| (row.source_offset, row)).collect();
    let paid: BTreeMap<u64, &outbox::Model> =
        decided.values().filter(|row| row.kind == CAPTURED).map(|row| (row.order_id, *row)).collect();
    report.facts.captured = told.payments_of(CAPTURED);
    report.facts.declined = told.payments_of(DECLINED);
    report.facts.requested = told.requests.len() as u64;
    let ended = |state| told.ends.keys().filter(|id| told.state(**id, u64::MAX) == state).count() as u64;
    (report.facts.delivered, report.facts.failed) = (ended(DELIVERED), ended(FAILED));
    told.strange.iter().for_each(|text| report.finding(text.clone()));
    for (offset, found) in &told.payments {
        once(found.len(), &format!("the payment of offset {offset}"), report);
        match decided.get(offset) {
            Some(row) => found.iter().filter(|found| found != row).for_each(|found| {
                report.finding(format!("the payment of offset {offset} was {row:?}, told was {found:?}"));
            }),
            None => {
                report
                    .finding(format!("the payment of offset {offset} was told, the log knows nothing of it"));
            }
        }
    }
    for (order_id, requests) in &told.requests {
        once(requests.first.len(), &format!("the dispatch of order {order_id}"), report);
        match paid.get(order_id) {
            Some(row) => asked_rightly(row, requests, report),
            None => report.finding(format!("the dispatch of order {order_id}: the order is not paid")),
        }
    }
    for order_id in told.ends.keys().filter(|id| !told.requests.contains_key(*id)) {
        report.finding(format!("the dispatch of order {order_id} ended and was never requested"));
    }
    for row in decided.values().filter(|row| row.source_offset < applied) {
        untold(row, told.lacks(row), snapshot, report);
    }
}

fn once(times: usize, what: &str, report: &mut Report) {
    if times > 1 {
        report.facts.twice += times as u64 - 1;
        report.finding(format!("{what} was told {times} times"));
    }
}

fn asked_rightly(row: &outbox::Model, requests: &Requests, report: &mut Report) {
    for (_, found) in requests.first.iter().chain(&requests.redriven) {
        let wanted = DispatchRequested {
            source_offset: row.source_offset as i64,
            order_id: row.order_id as i64,
            user_id: row.user_id as i64,
            total: row.total as i64,
            discount: row.discount as i64,
            paid: row.paid as i64,
            at_ms: row.at_ms,
            redriven: found.redriven,
        };
        if *found != wanted {
            report.finding(format!(
                "the dispatch of order {} must ask {wanted:?}, it asks {found:?}",
                row.order_id
            ));
        }
    }
}

fn untold(row: &outbox::Model, lacks: Vec<&str>, snapshot: &Snapshot, report: &mut Report) {
    let outbox::Model { source_offset, order_id, .. } = row;
    if snapshot.shop.outbox.contains_key(source_offset) {
        report.facts.waiting += lacks.len() as u64;
        return;
    }
    report.facts.missing += lacks.len() as u64;
    for topic in lacks {
        report.finding(format!(
            "the payment of offset {source_offset} for order {order_id} stands neither in topic {topic} nor in the outbox"
        ));
    }
}

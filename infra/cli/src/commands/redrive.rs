//! `tidemark dead-letters redrive`: has failed dispatches tried again, and waits for what comes of it.

use super::scope::duration;
use crate::{
    answers::{Dispatch, Dispatches},
    failure::Failure,
    limits, screen,
    settings::Desk,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Orders whose dispatch failed.
    #[arg(required_unless_present = "all")]
    orders: Vec<u64>,
    /// All that failed, at most 1,000 of them.
    #[arg(long, conflicts_with = "orders")]
    all: bool,
    /// Return as soon as it is recorded.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait until the external platform has taken them.
    #[arg(long, default_value = "60s", value_parser = duration, conflicts_with = "no_wait")]
    timeout: Duration,
}

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// Nobody has answered it yet.
    Tried,
    Delivered,
    FailedAgain(String),
}

/// Does it.
///
/// # Errors
/// One was refused, failed again, or was not taken in time.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    let orders = if args.all { failed(desk)? } else { args.orders.clone() };
    let mut before = BTreeMap::new();
    for order in orders {
        let row = dispatch(desk, order)?;
        desk.admin.change("POST", &format!("/admin/dispatches/{order}/redrive"), &json!({}))?;
        before.insert(order, row.failed_at_ms);
    }
    if args.no_wait || before.is_empty() {
        return say(desk, &before.keys().map(|order| (*order, Fate::Tried)).collect());
    }
    let fates = follow(desk, &before, args.timeout)?;
    say(desk, &fates)?;
    verdict(&fates)
}

fn failed(desk: &Desk) -> Result<Vec<u64>, Failure> {
    let path = format!("/admin/dispatches?state=FAILED&limit={}", limits::DISPATCH_PAGE);
    let found: Dispatches = desk.admin.get(&path, limits::ASK)?.read()?;
    Ok(found.dispatches.into_iter().map(|dispatch| dispatch.order_id).collect())
}

fn dispatch(desk: &Desk, order: u64) -> Result<Dispatch, Failure> {
    desk.admin.get(&format!("/admin/dispatches/{order}"), limits::ASK)?.read()
}

fn follow(
    desk: &Desk,
    before: &BTreeMap<u64, Option<i64>>,
    timeout: Duration,
) -> Result<BTreeMap<u64, Fate>, Failure> {
    let deadline = Instant::now() + timeout;
    let mut line = screen::Progress::default();
    let mut fates: BTreeMap<u64, Fate> = before.keys().map(|order| (*order, Fate::Tried)).collect();
    loop {
        for (order, fate) in fates.iter_mut().filter(|(_, fate)| **fate == Fate::Tried) {
            let failed_before = before.get(order).copied().flatten();
            *fate = of(&dispatch(desk, *order)?, failed_before);
        }
        let open = fates.values().filter(|fate| **fate == Fate::Tried).count();
        if open == 0 || Instant::now() >= deadline {
            return Ok(fates);
        }
        if !desk.json {
            line.show(&format!("{} of {} answered", fates.len() - open, fates.len()));
        }
        thread::sleep(limits::RETRY);
    }
}

/// What a row says, next to when it had failed before.
fn of(row: &Dispatch, failed_before: Option<i64>) -> Fate {
    match row.state.as_str() {
        "DELIVERED" => Fate::Delivered,
        "FAILED" if row.failed_at_ms != failed_before => {
            Fate::FailedAgain(row.last_error.clone().unwrap_or_default())
        }
        _ => Fate::Tried,
    }
}

fn say(desk: &Desk, fates: &BTreeMap<u64, Fate>) -> Result<(), Failure> {
    let word = |fate: &Fate| match fate {
        Fate::Tried => "TRIED".to_owned(),
        Fate::Delivered => "DELIVERED".to_owned(),
        Fate::FailedAgain(_) => "FAILED".to_owned(),
    };
    if desk.json {
        let all: Vec<Value> =
            fates.iter().map(|(order, fate)| json!({"orderId": order, "state": word(fate)})).collect();
        return screen::print_json(&all);
    }
    let lines: Vec<String> = fates
        .iter()
        .map(|(order, fate)| match fate {
            Fate::FailedAgain(why) => format!("{order}: FAILED again: {why}"),
            other => format!("{order}: {}", word(other)),
        })
        .collect();
    screen::print(&if lines.is_empty() { "no failed dispatches".to_owned() } else { lines.join("\n") })
}

fn verdict(fates: &BTreeMap<u64, Fate>) -> Result<(), Failure> {
    let failed = fates.values().filter(|fate| matches!(fate, Fate::FailedAgain(_))).count();
    let open = fates.values().filter(|fate| **fate == Fate::Tried).count();
    if failed > 0 {
        return Err(Failure::Failed {
            message: format!("{failed} of {} failed again", fates.len()),
            next: "settle with the external platform why it refuses them; `tidemark dead-letters show ORDER` has its word"
                .into(),
        });
    }
    if open > 0 {
        return Err(Failure::Unconfirmed {
            message: format!("{open} of {} not answered in time; they are being tried", fates.len()),
            next: "`tidemark dead-letters show ORDER` says how far it is".into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, failed_at_ms: Option<i64>) -> Dispatch {
        Dispatch {
            order_id: 1,
            state: state.into(),
            attempts: 3,
            last_error: Some("no".into()),
            failed_at_ms,
        }
    }

    #[test]
    fn an_old_failure_is_not_taken_for_a_new_one() {
        assert_eq!(of(&row("FAILED", Some(5)), Some(5)), Fate::Tried);
        assert_eq!(of(&row("FAILED", Some(6)), Some(5)), Fate::FailedAgain("no".into()));
        assert_eq!(of(&row("PENDING", None), Some(5)), Fate::Tried);
        assert_eq!(of(&row("DELIVERED", None), Some(5)), Fate::Delivered);
    }

    #[test]
    fn the_worst_fate_decides() {
        let of = |fates: &[Fate]| {
            let fates = fates.iter().cloned().enumerate().map(|(n, fate)| (n as u64, fate)).collect();
            verdict(&fates).map_or_else(|failure| failure.exit(), |()| 0)
        };
        assert_eq!(of(&[Fate::Delivered]), 0);
        assert_eq!(of(&[Fate::Delivered, Fate::Tried]), 3);
        assert_eq!(of(&[Fate::Tried, Fate::FailedAgain(String::new())]), 1);
    }
}

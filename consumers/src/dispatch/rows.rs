//! Work of group `external-platform`: from facts to the rows of `external_dispatches` and `platform_events`.
//!
//! Every fact may come again and in any order: compaction leaves gaps, and whoever appended may have done so twice.

use crate::{
    config::Config,
    group::{
        Finished, Work,
        opening::{self, NotOpened},
        work::{Desk, NO_TIME, Source, Stop},
    },
    log, newest,
};
use chassis::{kafka, log_reader::RawRecord};
use chrono::DateTime;
use domain::digest::record_hash;
use migrations::entity::{
    Bytes, external_dispatches as dispatches, platform_events as events,
    projection_offset::{Model as Place, Progress},
};
use schemas::{
    Fact, FactTopic, OrderId, Topic, UserId,
    codec::{DecodeError, FactCodec},
    ids::ID_LIMIT,
    partition::home_of_fact,
};
use sea_orm::{DatabaseTransaction, DbErr};
use std::collections::BTreeMap;

/// The facts' own limits are those of the table.
const _: () = {
    assert!(schemas::facts::EVENT_ID_MAX_CHARS == events::EVENT_ID_MAX_CHARS);
    assert!(schemas::facts::KIND_MAX_CHARS == events::KIND_MAX_CHARS);
};

/// A partition between two transactions.
pub struct Dispatches {
    codec: FactCodec,
    partition: i32,
    next_offset: u64,
    clock_ms: i64,
    last_record_hash: u64,
    dead_lettered: u64,
    caught_up_at: u64,
}

/// What a fact does to an order's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// It is to be told.
    Request,
    /// It is to be told again.
    Redrive,
    /// It was told.
    Deliver,
    /// It was given up.
    Fail,
}

/// What a fact changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// A row of `external_dispatches`.
    Dispatch(Act, Box<dispatches::Model>),
    /// A row of `platform_events`.
    Event(events::Model),
}

impl Work for Dispatches {
    const GROUP: &'static str = schemas::groups::EXTERNAL_PLATFORM;
    const SOURCE: Source = Source::Facts(FactTopic::ExternalPlatform);
    type Change = Change;

    async fn open(config: &Config, place: &Place) -> Result<Self, NotOpened> {
        let (config, place) = (config.clone(), place.clone());
        let opened = tokio::task::spawn_blocking(move || open(&config, &place)).await;
        opened.map_err(|error| NotOpened::Stop(error.to_string()))?
    }

    async fn take(
        &mut self,
        desk: &Desk,
        batch: &[RawRecord],
        changes: &mut Vec<Change>,
    ) -> Result<Option<Stop>, Finished> {
        for raw in batch {
            let Some(at_ms) = raw.append_time_ms else {
                return Ok(Some(Stop::because(format!("at offset {}: {NO_TIME}", raw.offset))));
            };
            let decoded = self.codec.decode(FactTopic::ExternalPlatform, raw.payload.as_deref());
            let bad = match decoded {
                Ok(fact) => match change_of(fact, self.partition, at_ms) {
                    Some(change) => {
                        changes.push(change);
                        None
                    }
                    None => {
                        Some("a fact that cannot be: its values are out of bounds, or not of this partition")
                    }
                },
                Err(_) if desk.is_skipped::<Self>(raw.offset) => None,
                Err(DecodeError::Malformed(_)) => Some("not a fact of its schema"),
                Err(unknown) => return Ok(Some(Stop::unjudgeable(raw.offset, &unknown))),
            };
            if let Some(reason) = bad {
                desk.bury(raw, reason).await?;
                self.dead_lettered += 1;
            }
            self.next_offset = raw.offset + 1;
            self.clock_ms = self.clock_ms.max(at_ms);
            self.last_record_hash = record_hash(raw.payload.as_deref());
        }
        Ok(None)
    }

    fn progress(&self) -> Progress {
        Progress {
            next_offset: self.next_offset,
            // No digest: what compaction took away cannot be part of it.
            digest: Bytes([0; 8]),
            last_record_hash: Bytes(self.last_record_hash.to_be_bytes()),
            clock_ms: self.clock_ms,
            dead_lettered: self.dead_lettered,
            ..Progress::default()
        }
    }

    async fn write(transaction: &DatabaseTransaction, changes: &[Change]) -> Result<(), DbErr> {
        let (mut waves, mut told) = (Vec::new(), BTreeMap::new());
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Dispatch(act, row) => {
                    // Of one order the first facts of all, then the second ones, and so on: in its own order.
                    let wave = seen.entry(row.order_id).or_default();
                    if waves.len() == *wave {
                        waves.push(BTreeMap::<Act, BTreeMap<u64, dispatches::Model>>::new());
                    }
                    waves[*wave].entry(*act).or_default().insert(row.order_id, (**row).clone());
                    *wave += 1;
                }
                Change::Event(row) => drop(told.insert(&row.event_id, row)),
            }
        }
        for (act, rows) in waves.into_iter().flatten() {
            let rows: Vec<_> = rows.into_values().collect();
            write(transaction, act, &rows).await?;
        }
        let told: Vec<_> = told.into_values().cloned().collect();
        events::upsert_many(transaction, &told).await
    }

    fn settle(&mut self) {}

    fn caught_up_at(&self) -> u64 {
        self.caught_up_at
    }
}

async fn write(transaction: &DatabaseTransaction, act: Act, rows: &[dispatches::Model]) -> Result<(), DbErr> {
    match act {
        Act::Request => dispatches::request(transaction, rows).await,
        Act::Redrive => dispatches::redrive(transaction, rows).await,
        Act::Deliver => dispatches::deliver(transaction, rows).await,
        Act::Fail => dispatches::fail(transaction, rows).await,
    }
}

fn open(config: &Config, place: &Place) -> Result<Dispatches, NotOpened> {
    let stop = |error: &dyn std::fmt::Display| NotOpened::Stop(error.to_string());
    let reader = log::reader(config).map_err(|error| stop(&error))?;
    // Where MySQL stands may hold no record any more: only that it is within the log can be checked.
    let held = opening::check_bounds(&reader, place)?;
    let founding = log::founding(&reader, &Topic::Order.name(&config.topic_prefix), 0);
    let rules = founding.map_err(|error| match error {
        log::LogError::Read(error) => NotOpened::LogUnavailable(error),
        other => stop(&other),
    })?;
    let rules = rules.ok_or_else(|| stop(&"the log has no rules yet: run `consumers init`"))?;
    let codec = FactCodec::new(&rules.schemas).map_err(|error| stop(&error))?;
    let settings = kafka::reader(&config.kafka, &config.instance);
    let take = |_, last: &mut Option<u64>, raw: &RawRecord<&[u8]>| *last = Some(raw.offset).max(*last);
    let from = [(place.partition_id, place.next_offset)];
    let last = newest::search(&settings, &place.topic, &from, take, Option::is_some);
    let last = last.map_err(|error| held.unreadable(place, error))?.remove(&place.partition_id).flatten();
    Ok(Dispatches {
        codec,
        partition: place.partition_id,
        next_offset: place.next_offset,
        clock_ms: place.clock_ms,
        last_record_hash: u64::from_be_bytes(place.last_record_hash.0),
        dead_lettered: place.dead_lettered,
        caught_up_at: last.map_or(place.next_offset, |last| last + 1),
    })
}

/// Whether a fact can be in a partition; one that cannot is a dead letter.
#[must_use]
pub fn is_possible(fact: &Fact, partition: i32) -> bool {
    change_of(fact.clone(), partition, 0).is_some()
}

/// What a fact changes; `None` where it cannot be.
fn change_of(fact: Fact, partition: i32, appended_at_ms: i64) -> Option<Change> {
    if home_of_fact(&fact) != partition {
        return None;
    }
    let order = |id| OrderId::from_wire(id).map(OrderId::get);
    let row = |order_id, state| dispatches::Model {
        order_id,
        partition_id: partition,
        state,
        ..Default::default()
    };
    let dispatch = |act, row| Some(Change::Dispatch(act, Box::new(row)));
    match fact {
        Fact::DispatchRequested(fact) => {
            let act = if fact.redriven { Act::Redrive } else { Act::Request };
            // The partner is told a date; a row without one could never be told.
            DateTime::from_timestamp_millis(fact.at_ms)?;
            let asked = dispatches::Model {
                source_offset: Some(u64::try_from(fact.source_offset).ok()?),
                user_id: Some(UserId::from_wire(fact.user_id)?.get()),
                total: Some(money(fact.total)?),
                discount: Some(money(fact.discount)?),
                paid: Some(money(fact.paid)?),
                paid_at_ms: Some(fact.at_ms),
                ..row(order(fact.order_id)?, dispatches::PENDING)
            };
            dispatch(act, asked)
        }
        Fact::DispatchDelivered(fact) => {
            let delivered = dispatches::Model {
                attempts: u32::try_from(fact.attempts).ok()?,
                delivered_at_ms: Some(fact.at_ms),
                ..row(order(fact.order_id)?, dispatches::DELIVERED)
            };
            dispatch(Act::Deliver, delivered)
        }
        Fact::DispatchFailed(fact) => {
            let failed = dispatches::Model {
                attempts: u32::try_from(fact.attempts).ok()?,
                last_error: Some(fact.reason.chars().take(dispatches::ERROR_MAX_CHARS).collect()),
                failed_at_ms: Some(fact.at_ms),
                ..row(order(fact.order_id)?, dispatches::FAILED)
            };
            dispatch(Act::Fail, failed)
        }
        Fact::PlatformEventReceived(fact) => {
            let fits = |text: &str, limit| (1..=limit).contains(&text.chars().count());
            let fits =
                fits(&fact.event_id, events::EVENT_ID_MAX_CHARS) && fits(&fact.kind, events::KIND_MAX_CHARS);
            let order_id = order(fact.order_id).filter(|_| fits)?;
            Some(Change::Event(events::Model {
                event_id: fact.event_id,
                order_id,
                kind: fact.kind,
                occurred_at_ms: fact.occurred_at_ms,
                received_at_ms: appended_at_ms,
            }))
        }
        // Foreign here: the codec has said so.
        Fact::PaymentCaptured(_) | Fact::PaymentDeclined(_) => None,
    }
}

fn money(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value < ID_LIMIT)
}

//! Opening a partition: claim its place in MySQL, check that place against the log, refill the replay window.
//!
//! Done on every assignment and on every resume, because the database may have been replaced meanwhile.

use crate::{
    config::Config,
    limits,
    log::{self, Decoder, MustStop},
    projection::Projection,
};
use chassis::log_reader::{LogReadError, is_wrong_offset};
use domain::{
    Fold, Header, Scope,
    digest::record_hash,
    replays::Sighting,
    rules::{ActiveRules, REPLAY_REACH},
};
use migrations::{
    Failure, MigrationError,
    entity::{
        Bytes,
        projection_offset::{self, Expected, Key, Model, Progress},
    },
};
use schemas::{Fingerprint, Record, Uuid};
use sea_orm::{DatabaseConnection, DbErr};
use std::ops::ControlFlow;

/// A partition that may be followed.
#[derive(Debug)]
pub struct Opened {
    /// Where MySQL stands.
    pub place: Model,
}

/// A partition's working state.
pub struct Place<S: Projection> {
    /// The fold.
    pub fold: Fold<S>,
    /// Its decoder.
    pub decoder: Decoder,
    /// What the row in MySQL must say for the next transaction.
    pub expected: Expected,
    /// Dead letters so far.
    pub dead_lettered: u64,
}

/// Why a partition was not opened.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// The database is away: hold, probe, try again.
    #[error("the database is away: {0}")]
    Outage(String),
    /// Kafka did not answer: try again.
    #[error("the log cannot be read: {0}")]
    LogUnavailable(LogReadError),
    /// Something that must not be passed over; the partition stops.
    #[error("{0}")]
    Stop(String),
    /// The log is not the one that MySQL was filled from; the process must end.
    #[error("{0}")]
    AnotherHistory(String),
}

impl From<MustStop> for NotOpened {
    fn from(stop: MustStop) -> Self {
        Self::Stop(stop.0)
    }
}

/// The key of a partition's place.
#[must_use]
pub fn key<S: Projection>(config: &Config, partition: i32) -> Key {
    Key {
        group_name: S::GROUP.to_owned(),
        topic: S::TOPIC.name(&config.topic_prefix),
        partition_id: partition,
    }
}

/// Claims and checks a place.
///
/// # Errors
/// See [`NotOpened`].
pub async fn open<S: Projection>(
    config: &Config,
    db: &DatabaseConnection,
    partition: i32,
) -> Result<(Opened, Place<S>), NotOpened> {
    let claimed = tokio::time::timeout(limits::DATABASE_TIMEOUT, claim::<S>(config, db, partition)).await;
    let place = claimed.map_err(|_| NotOpened::Outage("no answer in time".to_owned()))??;
    let (decoder, rules) = Decoder::with_rules(&place.active_rules)?;
    let rules = rules.as_ref().and_then(ActiveRules::of);
    let mut fold = Fold::resume(partition, S::empty(Scope::Partial), header_of(&place), rules);
    let replays = {
        let (config, decoder, place) = (config.clone(), decoder.clone(), place.clone());
        let look = move || look_back::<S>(&config, &decoder, &place);
        tokio::task::spawn_blocking(look).await.map_err(|error| NotOpened::Stop(error.to_string()))??
    };
    for (envelope, sighting) in replays {
        fold.remember_raw(envelope, sighting);
    }
    let expected = place.expected();
    let dead_lettered = place.dead_lettered;
    Ok((Opened { place }, Place { fold, decoder, expected, dead_lettered }))
}

async fn claim<S: Projection>(
    config: &Config,
    db: &DatabaseConnection,
    partition: i32,
) -> Result<Model, NotOpened> {
    migrations::verify(db).await.map_err(|error| match error {
        MigrationError::Database(error) => failed(&error),
        other => NotOpened::Stop(other.to_string()),
    })?;
    let key = key::<S>(config, partition);
    projection_offset::create_if_absent(db, &key, &Progress::default()).await.map_err(|e| failed(&e))?;
    let claimed = projection_offset::claim(db, &key).await.map_err(|e| failed(&e))?;
    claimed.ok_or_else(|| NotOpened::Outage("the place that was just made is gone".to_owned()))
}

fn failed(error: &DbErr) -> NotOpened {
    match Failure::of(error) {
        Failure::Retry | Failure::Outage => NotOpened::Outage(error.to_string()),
        Failure::Constraint | Failure::Bug => NotOpened::Stop(error.to_string()),
    }
}

/// The fold's header as MySQL keeps it.
#[must_use]
pub fn header_of(place: &Model) -> Header {
    Header {
        next_offset: place.next_offset,
        clock_ms: place.clock_ms,
        rules: place.rules as i32,
        next_seq: place.next_seq,
        earliest_due_ms: place.earliest_due_ms,
        digest: u64::from_be_bytes(place.digest.0),
        last_record_hash: u64::from_be_bytes(place.last_record_hash.0),
    }
}

/// The fold's header as MySQL keeps it, with the rules in force.
#[must_use]
pub fn progress_of(header: &Header, decoder: &Decoder, dead_lettered: u64) -> Progress {
    Progress {
        next_offset: header.next_offset,
        digest: Bytes(header.digest.to_be_bytes()),
        last_record_hash: Bytes(header.last_record_hash.to_be_bytes()),
        clock_ms: header.clock_ms,
        rules: header.rules.unsigned_abs(),
        active_rules: decoder.rules().to_vec(),
        next_seq: header.next_seq,
        earliest_due_ms: header.earliest_due_ms,
        dead_lettered,
    }
}

type Remembered = Vec<((Uuid, Option<Fingerprint>), Sighting)>;

/// Checks the last record that MySQL has seen, and reads the raw records that a replay may reach.
fn look_back<S: Projection>(
    config: &Config,
    decoder: &Decoder,
    place: &Model,
) -> Result<Remembered, NotOpened> {
    let Model { topic, partition_id: partition, next_offset: next, last_record_hash: hash, .. } = place;
    let (partition, next) = (*partition, *next);
    let reader = log::reader(config).map_err(|error| NotOpened::Stop(error.to_string()))?;
    let (low, high) = reader.bounds(topic, partition).map_err(|e| NotOpened::LogUnavailable(e.into()))?;
    let another = |what: &str| {
        NotOpened::AnotherHistory(format!(
            "{topic}-{partition}: {what}. MySQL stands at offset {next}, the log holds {low} to {high}. \
             Restore the log, or set the database back to match it"
        ))
    };
    if next < low || next > high {
        return Err(another("MySQL is not within the log"));
    }
    let Some(last) = next.checked_sub(1) else { return Ok(Vec::new()) };
    let found = reader.record(topic, partition, last).map_err(|error| unavailable(error, &another))?;
    if record_hash(found.payload.as_deref()).to_be_bytes() != hash.0 {
        return Err(another("the last applied record is another one in this log"));
    }
    let mut remembered = Vec::new();
    let mut founded = false;
    let from = next.saturating_sub(REPLAY_REACH.keyed_offsets).max(low);
    let scanned = reader.scan(topic, partition, from..next, |raw| {
        // Before the first rules nothing is a record: see the fold.
        if let Ok(log::Decoded::Record(record)) = decoder.decode(S::TOPIC, raw.payload) {
            founded |= from > 0 || matches!(*record, Record::RulesActivated(_));
            if founded {
                let timestamp_ms = raw.append_time_ms.unwrap_or_default();
                remembered.push((record.envelope(), Sighting { offset: raw.offset, timestamp_ms }));
            }
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| unavailable(error, &another))?;
    Ok(remembered)
}

fn unavailable(error: LogReadError, another: &impl Fn(&str) -> NotOpened) -> NotOpened {
    match error {
        LogReadError::Unavailable(error) if is_wrong_offset(&error) => {
            another("the log is shorter than MySQL")
        }
        other => NotOpened::LogUnavailable(other),
    }
}

//! Opening a partition: claim its place in MySQL, check that place against the log, refill what work keeps in memory.
//!
//! Done on every assignment and on every resume, because the database may have been replaced meanwhile.

use super::work::Work;
use crate::{config::Config, limits, log::MustStop, pool::WriterPool};
use chassis::log_reader::{LogReadError, LogReader, is_wrong_offset};
use migrations::{
    Failure, MigrationError,
    entity::projection_offset::{self, Key, Model, Progress},
};
use sea_orm::{DatabaseConnection, DbErr};

/// A partition that may be followed.
#[derive(Debug)]
pub struct Opened {
    /// Where MySQL stands.
    pub place: Model,
    /// The offset from which on all that stood in the log at the opening has been seen.
    pub caught_up_at: u64,
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
pub fn key<W: Work>(config: &Config, partition: i32) -> Key {
    Key {
        group_name: W::GROUP.to_owned(),
        topic: W::SOURCE.name(&config.topic_prefix),
        partition_id: partition,
    }
}

/// Claims a place: from now on no former owner writes.
///
/// # Errors
/// See [`NotOpened`].
pub async fn claim<W: Work>(config: &Config, pool: &WriterPool, partition: i32) -> Result<Model, NotOpened> {
    let db = pool.get_or_open().await.map_err(|error| failed(&error))?;
    let claimed = tokio::time::timeout(limits::DATABASE_TIMEOUT, claim_in::<W>(config, &db, partition)).await;
    claimed.map_err(|_| NotOpened::Outage("no answer in time".to_owned()))?
}

/// Checks a claimed place against the log.
///
/// # Errors
/// See [`NotOpened`].
pub async fn open<W: Work>(config: &Config, place: Model) -> Result<(Opened, W), NotOpened> {
    let work = W::open(config, &place).await?;
    Ok((Opened { place, caught_up_at: work.caught_up_at() }, work))
}

async fn claim_in<W: Work>(
    config: &Config,
    db: &DatabaseConnection,
    partition: i32,
) -> Result<Model, NotOpened> {
    migrations::verify(db).await.map_err(|error| match error {
        MigrationError::Database(error) => failed(&error),
        // Somebody is migrating, or will: nobody is told to stop for good by a look at the wrong moment.
        behind @ MigrationError::Behind { .. } => NotOpened::Outage(behind.to_string()),
        other => NotOpened::Stop(other.to_string()),
    })?;
    let key = key::<W>(config, partition);
    projection_offset::create_if_absent(db, &key, &Progress::default()).await.map_err(|e| failed(&e))?;
    let claimed = projection_offset::claim(db, &key).await.map_err(|e| failed(&e))?;
    claimed.ok_or_else(|| NotOpened::Outage("the place that was just made is gone".to_owned()))
}

fn failed(error: &DbErr) -> NotOpened {
    match Failure::of(error) {
        Failure::Retry | Failure::Outage => NotOpened::Outage(error.to_string()),
        Failure::Contradiction => NotOpened::Stop(error.to_string()),
    }
}

/// What a partition's log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// First offset.
    pub low: u64,
    /// End offset.
    pub high: u64,
}

/// Checks that MySQL is within the log; blocking.
///
/// # Errors
/// See [`NotOpened`].
pub fn check_bounds(reader: &LogReader, place: &Model) -> Result<Held, NotOpened> {
    let bounds = reader.bounds(&place.topic, place.partition_id);
    let (low, high) = bounds.map_err(|error| NotOpened::LogUnavailable(error.into()))?;
    let held = Held { low, high };
    if place.next_offset < low || place.next_offset > high {
        return Err(held.another(place, "MySQL is not within the log"));
    }
    Ok(held)
}

impl Held {
    /// The log is not the one that MySQL was filled from.
    #[must_use]
    pub fn another(&self, place: &Model, what: &str) -> NotOpened {
        let Self { low, high } = self;
        let Model { topic, partition_id, next_offset, .. } = place;
        NotOpened::AnotherHistory(format!(
            "{topic}-{partition_id}: {what}. MySQL stands at offset {next_offset}, the log holds {low} to {high}. \
             Restore the log, or set the database back to match it"
        ))
    }

    /// What a read that failed comes to.
    #[must_use]
    pub fn unreadable(&self, place: &Model, error: LogReadError) -> NotOpened {
        match error {
            LogReadError::Unavailable(error) if is_wrong_offset(&error) => {
                self.another(place, "the log is shorter than MySQL")
            }
            other => NotOpened::LogUnavailable(other),
        }
    }
}

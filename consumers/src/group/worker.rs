//! One partition's batches, one at a time: decode, load what is missing, fold, write rows and offset in one
//! transaction.

use super::{
    DeadLetters,
    opening::{Place, progress_of},
};
use crate::{
    config::Config,
    limits,
    log::{Decoded, MustStop},
    metric,
    projection::Projection,
};
use chassis::log_reader::RawRecord;
use domain::{LogPosition, Undecided, Verdict, digest::record_hash};
use migrations::{
    Failure,
    entity::projection_offset::{self, Expected, Progress},
};
use sea_orm::{DatabaseConnection, DbErr, TransactionTrait};
use std::time::Instant;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Committed; MySQL waits for this offset now.
    Committed(u64),
    /// Committed up to this offset; what stands there must not be skipped.
    Stopped(u64, String),
    /// The database is away, or it is unknown whether the commit went through: hold, then open anew.
    Outage(String),
    /// Somebody else claimed the partition; nothing was written.
    Lost,
    /// A constraint refused rows that the fold made, or a bug: nothing was written, a person must look.
    Fatal(String),
}

/// Why a batch was not committed.
enum NotCommitted {
    Database(DbErr),
    /// The commit's own answer is missing.
    Unknown(DbErr),
    Lost,
}

/// Works for one partition.
pub struct Worker<S: Projection> {
    config: Config,
    db: DatabaseConnection,
    dead_letters: DeadLetters,
    partition: i32,
    place: Place<S>,
}

impl<S: Projection> Worker<S>
where
    S::Change: Send + Sync,
    S::Key: Send + Sync,
    S::Outcome: Send + Sync,
{
    /// With an opened place.
    pub fn new(
        config: Config,
        db: DatabaseConnection,
        dead_letters: DeadLetters,
        partition: i32,
        place: Place<S>,
    ) -> Self {
        Self { config, db, dead_letters, partition, place }
    }

    /// Applies a batch of consecutive records; afterwards the worker is fit for the next batch only if it committed.
    pub async fn apply(&mut self, batch: &[RawRecord]) -> Finished {
        let began = Instant::now();
        let work = tokio::time::timeout(limits::DATABASE_TIMEOUT, self.fold_and_commit(batch));
        let finished = work.await.unwrap_or_else(|_| Finished::Outage("no answer in time".to_owned()));
        metrics::histogram!(metric::BATCH, "group" => S::GROUP).record(batch.len() as f64);
        metrics::histogram!(metric::BATCH_SECONDS, "group" => S::GROUP).record(began.elapsed().as_secs_f64());
        finished
    }

    async fn fold_and_commit(&mut self, batch: &[RawRecord]) -> Finished {
        let mut changes = Vec::new();
        let stopped = match self.fold(batch, &mut changes).await {
            Ok(stopped) => stopped,
            Err(finished) => return finished,
        };
        let header = self.place.fold.header();
        let progress = progress_of(header, &self.place.decoder, self.place.dead_lettered);
        let next = progress.next_offset;
        if next > self.place.expected.next_offset {
            match self.commit(progress, changes).await {
                Ok(()) => {}
                Err(NotCommitted::Lost) => return Finished::Lost,
                Err(NotCommitted::Unknown(error)) => return Finished::Outage(error.to_string()),
                Err(NotCommitted::Database(error)) => {
                    return match Failure::of(&error) {
                        Failure::Retry | Failure::Outage => Finished::Outage(error.to_string()),
                        Failure::Constraint | Failure::Bug => Finished::Fatal(error.to_string()),
                    };
                }
            }
            self.place.expected.next_offset = next;
            self.place.fold.state_mut().settle();
        }
        stopped.map_or(Finished::Committed(next), |reason| Finished::Stopped(next, reason))
    }

    /// Folds the batch; returns why it must stop before its end, if it must.
    async fn fold(
        &mut self,
        batch: &[RawRecord],
        changes: &mut Vec<S::Change>,
    ) -> Result<Option<String>, Finished> {
        let outage = |error: DbErr| match Failure::of(&error) {
            Failure::Retry | Failure::Outage => Finished::Outage(error.to_string()),
            Failure::Constraint | Failure::Bug => Finished::Fatal(error.to_string()),
        };
        let mut decoded = self.decode(batch);
        self.load_ahead(&decoded).await.map_err(outage)?;
        for (n, raw) in batch.iter().enumerate() {
            let record = match &decoded[n] {
                Ok(record) => record,
                Err(stop) => return Ok(Some(stop.to_string())),
            };
            let Some(timestamp_ms) = raw.append_time_ms else {
                return Ok(Some("a record without an append time".to_owned()));
            };
            let record_hash = record_hash(raw.payload.as_deref());
            let at = LogPosition { offset: raw.offset, timestamp_ms, record_hash };
            let decision = loop {
                match self.place.fold.decide(at, record.input()) {
                    Ok(decision) => break decision,
                    Err(Undecided::Missing(keys)) => {
                        self.place.fold.state_mut().load(&self.db, &keys).await.map_err(outage)?;
                        if self.place.fold.decide(at, record.input()) == Err(Undecided::Missing(keys.clone()))
                        {
                            let reason = format!("offset {} needs rows that MySQL lost: {keys:?}", at.offset);
                            return Err(Finished::Fatal(reason));
                        }
                    }
                    Err(Undecided::UnknownRules(version)) => {
                        return Ok(Some(format!("rules version {version} is newer than this binary")));
                    }
                }
            };
            if decision.verdict == Verdict::Malformed {
                self.bury(raw).await?;
            }
            self.place.fold.evolve(&decision);
            self.place.fold.changes(&decision, changes);
            if matches!(decision.verdict, Verdict::RulesActivated(_)) {
                let payload = raw.payload.as_deref().unwrap_or_default();
                self.place.decoder.adopt(payload).map_err(|stop| Finished::Fatal(stop.to_string()))?;
                // What follows was decoded by the rules before these.
                decoded.truncate(n + 1);
                decoded.extend(self.decode(&batch[n + 1..]));
            }
        }
        Ok(None)
    }

    fn decode(&self, batch: &[RawRecord]) -> Vec<Result<Decoded, MustStop>> {
        batch.iter().map(|raw| self.place.decoder.decode(S::TOPIC, raw.payload.as_deref())).collect()
    }

    /// One round of loads for the whole batch instead of one for each record.
    async fn load_ahead(&mut self, decoded: &[Result<Decoded, MustStop>]) -> Result<(), DbErr> {
        let records: Vec<_> = decoded
            .iter()
            .filter_map(|decoded| match decoded {
                Ok(Decoded::Record(record)) => Some(record.as_ref()),
                Ok(Decoded::Malformed) | Err(_) => None,
            })
            .collect();
        let keys = self.place.fold.state().wanted(&records);
        if keys.is_empty() {
            return Ok(());
        }
        self.place.fold.state_mut().load(&self.db, &keys).await
    }

    async fn bury(&mut self, raw: &RawRecord) -> Result<(), Finished> {
        let kept = self
            .dead_letters
            .keep(self.partition, raw.offset, raw.payload.as_deref(), "not a record of its schema")
            .await;
        // Without the brokers' word the record must not be passed.
        kept.map_err(|error| Finished::Outage(format!("a dead letter was not taken: {error}")))?;
        self.place.dead_lettered += 1;
        Ok(())
    }

    /// Rows and offset in one transaction; what lost a deadlock is tried again as a whole.
    async fn commit(&self, progress: Progress, changes: Vec<S::Change>) -> Result<(), NotCommitted>
    where
        S::Change: Clone,
    {
        let mut pause = limits::RETRY_PAUSE;
        for attempt in 1.. {
            let result = self.try_commit(&progress, changes.clone()).await;
            let again = match &result {
                Err(NotCommitted::Database(error)) => Failure::of(error) == Failure::Retry,
                _ => false,
            };
            if !again || attempt == limits::MAX_TRANSACTION_ATTEMPTS {
                return result;
            }
            metrics::counter!(metric::RETRIES, "group" => S::GROUP).increment(1);
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(NotCommitted::Lost)
    }

    async fn try_commit(&self, progress: &Progress, changes: Vec<S::Change>) -> Result<(), NotCommitted> {
        let waited = Instant::now();
        let transaction = self.db.begin().await.map_err(NotCommitted::Database)?;
        metrics::histogram!(metric::POOL_WAIT_SECONDS, "pool" => "writer")
            .record(waited.elapsed().as_secs_f64());
        let key = super::opening::key::<S>(&self.config, self.partition);
        let Expected { next_offset, epoch } = self.place.expected;
        // First of all the row that only the owner may move: a zombie writes nothing.
        let moved =
            projection_offset::advance(&transaction, &key, Expected { next_offset, epoch }, progress).await;
        let written = match moved {
            Ok(true) => S::write(&transaction, changes).await.map_err(NotCommitted::Database),
            Ok(false) => Err(NotCommitted::Lost),
            Err(error) => Err(NotCommitted::Database(error)),
        };
        match written {
            Ok(()) => transaction.commit().await.map_err(NotCommitted::Unknown),
            Err(why) => {
                // Explicitly: a dropped transaction keeps its locks until its connection is used again.
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(%error, "rolling back failed; the server will do it");
                }
                Err(why)
            }
        }
    }
}

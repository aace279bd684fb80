//! One partition's batches, one at a time: work takes them in, rows and offset are written in one transaction.

use super::work::{Desk, Stop, Work, unloaded};
use crate::{config::Config, limits, metric, pool::roll_back};
use chassis::{log_reader::RawRecord, shutdown::CancellationToken};
use migrations::{
    Failure,
    entity::projection_offset::{self, Expected, Model as Place, Progress},
};
use sea_orm::{DbErr, TransactionTrait};
use std::time::Instant;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Committed; MySQL waits for this offset now.
    Committed(u64),
    /// Committed up to this offset; what comes next must not be skipped.
    Stopped(u64, Stop),
    /// The database is away, or it is unknown whether the commit went through: hold, then open anew.
    Outage(String),
    /// It was to stop at once; nothing was written.
    RolledBack,
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
    Stopped,
    Lost,
}

/// Works for one partition.
pub struct Worker<W: Work> {
    config: Config,
    desk: Desk,
    /// What the row in MySQL must say for the next transaction.
    expected: Expected,
    work: W,
}

impl<W: Work> Worker<W> {
    /// With work that was opened at `expected`.
    pub fn new(config: Config, desk: Desk, expected: Expected, work: W) -> Self {
        Self { config, desk, expected, work }
    }

    /// Takes a place over that was claimed anew; `false` where MySQL is not as this worker left it.
    pub fn goes_on_at(&mut self, place: &Place) -> bool {
        let left = self.work.progress() == place.progress();
        if left {
            self.expected = place.expected();
        }
        left
    }

    /// Applies a batch of consecutive records, unless it is to stop before the commit began; afterwards the worker is fit
    /// for the next batch only if it committed.
    pub async fn apply(&mut self, batch: &[RawRecord], stop: &CancellationToken) -> Finished {
        let began = Instant::now();
        let work = tokio::time::timeout(limits::DATABASE_TIMEOUT, self.take_and_commit(batch, stop));
        let finished = work.await.unwrap_or_else(|_| Finished::Outage("no answer in time".to_owned()));
        metrics::histogram!(metric::BATCH, "group" => W::GROUP).record(batch.len() as f64);
        metrics::histogram!(metric::BATCH_SECONDS, "group" => W::GROUP).record(began.elapsed().as_secs_f64());
        finished
    }

    async fn take_and_commit(&mut self, batch: &[RawRecord], stop: &CancellationToken) -> Finished {
        let mut changes = Vec::new();
        let stopped = match self.work.take(&self.desk, batch, &mut changes).await {
            Ok(stopped) => stopped,
            Err(finished) => return finished,
        };
        let progress = self.work.progress();
        let next = progress.next_offset;
        if next > self.expected.next_offset {
            match self.commit(progress, &changes, stop).await {
                Ok(()) => {}
                Err(NotCommitted::Lost) => return Finished::Lost,
                Err(NotCommitted::Stopped) => return Finished::RolledBack,
                Err(NotCommitted::Unknown(error)) => return Finished::Outage(error.to_string()),
                Err(NotCommitted::Database(error)) => return unloaded(&error),
            }
            self.expected.next_offset = next;
            self.work.settle();
        }
        stopped.map_or(Finished::Committed(next), |stop| Finished::Stopped(next, stop))
    }

    /// Rows and offset in one transaction; what lost a deadlock is tried again as a whole.
    async fn commit(
        &self,
        progress: Progress,
        changes: &[W::Change],
        stop: &CancellationToken,
    ) -> Result<(), NotCommitted> {
        let mut pause = limits::RETRY_PAUSE;
        for attempt in 1.. {
            let result = self.try_commit(&progress, changes, stop).await;
            let again = match &result {
                Err(NotCommitted::Database(error)) => Failure::of(error) == Failure::Retry,
                _ => false,
            };
            if !again || attempt == limits::MAX_TRANSACTION_ATTEMPTS {
                return result;
            }
            metrics::counter!(metric::RETRIES, "group" => W::GROUP).increment(1);
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(NotCommitted::Lost)
    }

    async fn try_commit(
        &self,
        progress: &Progress,
        changes: &[W::Change],
        stop: &CancellationToken,
    ) -> Result<(), NotCommitted> {
        let waited = Instant::now();
        let db = self.desk.pool.get().map_err(NotCommitted::Database)?;
        let transaction = db.begin().await.map_err(NotCommitted::Database)?;
        metrics::histogram!(metric::POOL_WAIT_SECONDS, "pool" => "writer")
            .record(waited.elapsed().as_secs_f64());
        let key = super::opening::key::<W>(&self.config, self.desk.partition);
        // First of all the row that only the owner may move: a zombie writes nothing.
        let moved = projection_offset::advance(&transaction, &key, self.expected, progress).await;
        let written = match moved {
            Ok(true) => tokio::select! {
                biased;
                () = stop.cancelled() => Err(NotCommitted::Stopped),
                written = W::write(&transaction, changes) => written.map_err(NotCommitted::Database),
            },
            Ok(false) => Err(NotCommitted::Lost),
            Err(error) => Err(NotCommitted::Database(error)),
        };
        match written {
            Ok(()) if stop.is_cancelled() => {
                roll_back(transaction).await;
                Err(NotCommitted::Stopped)
            }
            Ok(()) => transaction.commit().await.map_err(NotCommitted::Unknown),
            Err(why) => {
                roll_back(transaction).await;
                Err(why)
            }
        }
    }
}

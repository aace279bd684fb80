//! The reader pool: few connections, short waits, and no queue worth the name in front of them. Reads only.

use super::{HistoryError, projected::Projected};
use crate::{config::Config, limits, metric};
use migrations::Failure;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    TransactionTrait,
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

impl Config {
    /// The reader pool; connects when it is first used, because nobody needs MySQL in order to start.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn reader_pool(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(&self.database_url);
        options
            .max_connections(self.reader_pool_max)
            .min_connections(self.reader_pool_min)
            .acquire_timeout(Duration::from_millis(self.reader_pool_acquire_timeout_ms))
            .idle_timeout(Duration::from_millis(self.reader_pool_idle_timeout_ms))
            .max_lifetime(Duration::from_millis(self.reader_pool_max_lifetime_ms))
            .connect_lazy(true)
            .sqlx_logging(false);
        Database::connect(options).await
    }
}

pub(super) struct Reader {
    db: DatabaseConnection,
    places: Semaphore,
    projected: Arc<Projected>,
}

impl Reader {
    pub(super) fn new(db: DatabaseConnection, projected: Arc<Projected>) -> Self {
        Self { db, places: Semaphore::new(limits::HISTORY_READS), projected }
    }

    pub(super) const fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// All that is read in it was there at one moment.
    pub(super) async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        self.db.begin_with_config(Some(IsolationLevel::RepeatableRead), None).await
    }

    /// Reads within [`limits::HISTORY_READ`], and not at all while MySQL is known to be away.
    pub(super) async fn read<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, HistoryError> {
        let Ok(_place) = self.places.try_acquire() else {
            failed(what, "busy");
            return Err(HistoryError::Busy);
        };
        if self.projected.is_away() {
            failed(what, "away");
            return Err(HistoryError::Away);
        }
        let began = Instant::now();
        let read = tokio::time::timeout(limits::HISTORY_READ, work).await;
        metrics::histogram!(metric::HISTORY_SECONDS, "what" => what).record(began.elapsed().as_secs_f64());
        match read {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) if matches!(Failure::of(&error), Failure::Bug | Failure::Constraint) => {
                tracing::error!(%error, what, "MySQL's rows cannot be read");
                failed(what, "unreadable");
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, what, "MySQL is away");
                failed(what, "away");
            }
            Err(_) => failed(what, "slow"),
        }
        Err(HistoryError::Away)
    }

    pub(super) async fn close(&self) {
        // A server that does not answer is not waited for.
        let _ = tokio::time::timeout(limits::HISTORY_READ, self.db.close_by_ref()).await;
    }
}

fn failed(what: &'static str, reason: &'static str) {
    metrics::counter!(metric::HISTORY_FAILURES, "what" => what, "reason" => reason).increment(1);
}

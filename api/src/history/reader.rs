//! The reader pool: few connections, short waits, and no queue worth the name in front of them. Reads only. It may be
//! swapped for one with other settings, or on another server; who reads goes on with the one that it began with.

use super::{HistoryError, projected::Projected};
use crate::{config::Config, limits, metric, waits::Waits};
use control::{
    Address, State,
    acks::Readers,
    office::PoolReport,
    records::{PoolSettings, Target, Tuning},
};
use parking_lot::RwLock;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, RuntimeErr,
    TransactionTrait, sqlx::mysql::MySqlConnectOptions,
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Where a pool connects to, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aim {
    /// The server that counts, where it is not the configured one.
    pub(super) address: Option<Address>,
    /// Settings that are not as configured.
    tuning: Tuning,
}

impl Aim {
    /// As operators want it.
    pub(super) fn wanted(state: &State) -> Self {
        let tuning = state.tuning(&Target::Pool("reader".to_owned()));
        Self {
            address: state.database().map(|(_, database)| database.address.clone()),
            tuning: tuning.map(|(_, tuning)| tuning.clone()).unwrap_or_default(),
        }
    }

    /// A pool; connects when it is first used, because nobody needs MySQL in order to start.
    ///
    /// # Errors
    /// An address that is none.
    pub(super) async fn pool(&self, config: &Config) -> Result<DatabaseConnection, DbErr> {
        let url = self
            .address
            .as_ref()
            .map_or_else(|| Ok(config.database_url.clone()), |at| at.aim(&config.database_url));
        let url = url.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        let settings = self.settings(config);
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(settings.max)
            .min_connections(settings.min)
            .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
            .idle_timeout(Duration::from_millis(config.reader_pool_idle_timeout_ms))
            .max_lifetime(Duration::from_millis(config.reader_pool_max_lifetime_ms))
            .connect_lazy(true)
            .sqlx_logging(false);
        Database::connect(options).await
    }

    fn settings(&self, config: &Config) -> PoolSettings {
        self.tuning.of_pool(PoolSettings {
            max: config.reader_pool_max,
            min: config.reader_pool_min,
            acquire_timeout_ms: config.reader_pool_acquire_timeout_ms,
        })
    }
}

pub(super) struct Reader {
    config: Config,
    pub(super) waits: Waits,
    current: RwLock<(Aim, DatabaseConnection)>,
    places: Semaphore,
    projected: Arc<Projected>,
}

impl Reader {
    pub(super) async fn new(config: &Config, aim: Aim, projected: Arc<Projected>) -> Result<Self, DbErr> {
        let pool = aim.pool(config).await?;
        let current = RwLock::new((aim, pool));
        let places = Semaphore::new(limits::HISTORY_READS);
        let waits = Waits::adding(config.extra_wait_ms);
        Ok(Self { config: config.clone(), waits, current, places, projected })
    }

    pub(super) fn db(&self) -> DatabaseConnection {
        self.current.read().1.clone()
    }

    pub(super) fn aim(&self) -> Aim {
        self.current.read().0.clone()
    }

    /// Another pool from now on; the former is closed once nobody reads from it any more.
    pub(super) fn swap(&self, aim: Aim, pool: DatabaseConnection) {
        let (_, old) = std::mem::replace(&mut *self.current.write(), (aim, pool));
        let waits = self.waits;
        tokio::spawn(async move {
            // Closing refuses those who wait for a connection; they wait no longer than this.
            tokio::time::sleep(waits.history_read()).await;
            old.close().await
        });
    }

    /// A pool with this aim; not used yet.
    pub(super) async fn pool(&self, aim: &Aim) -> Result<DatabaseConnection, DbErr> {
        aim.pool(&self.config).await
    }

    /// The server that is read from, who reads there, and how many sessions that makes.
    pub(super) fn readers(&self) -> (Option<Address>, Readers) {
        let configured = Address::of_setting(&self.config.database_url).ok();
        let user = user_of(&self.config.database_url);
        let (aim, pool) = &*self.current.read();
        let sessions = pool.get_mysql_connection_pool().size();
        (aim.address.clone().or(configured), Readers { user, sessions })
    }

    /// As it is now.
    pub(super) fn report(&self) -> PoolReport {
        let (aim, pool) = &*self.current.read();
        let pool = pool.get_mysql_connection_pool();
        PoolReport {
            name: "reader".to_owned(),
            settings: aim.settings(&self.config),
            open: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
        }
    }

    /// All that is read in it was there at one moment.
    pub(super) async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        self.db().begin_with_config(Some(IsolationLevel::RepeatableRead), None).await
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
        let read = tokio::time::timeout(self.waits.history_read(), work).await;
        metrics::histogram!(metric::HISTORY_SECONDS, "what" => what).record(began.elapsed().as_secs_f64());
        match read {
            Ok(Ok(found)) => {
                self.projected.answered();
                return Ok(found);
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, what, "MySQL does not serve");
                failed(what, "away");
            }
            Err(_) => failed(what, "slow"),
        }
        Err(HistoryError::Away)
    }

    pub(super) async fn close(&self) {
        // A server that does not answer is not waited for.
        let _ = tokio::time::timeout(limits::HISTORY_READ, self.db().close()).await;
    }
}

/// Who a setting logs in as.
fn user_of(setting: &str) -> String {
    let options: Option<MySqlConnectOptions> = setting.parse().ok();
    options.map(|options| options.get_username().to_owned()).unwrap_or_default()
}

fn failed(what: &'static str, reason: &'static str) {
    metrics::counter!(metric::HISTORY_FAILURES, "what" => what, "reason" => reason).increment(1);
}

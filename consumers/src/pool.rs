//! The writer pool of one group: it can be let go of, so that no session is left on the server, and comes back, perhaps
//! with other settings, when it is asked for again.

use crate::{config::Config, limits};
use control::{office::PoolReport, records::Tuning};
use parking_lot::RwLock;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr,
    sqlx::{self, AssertSqlSafe, Executor, MySqlConnection},
};
use std::{sync::Arc, time::Duration};

/// See the module.
#[derive(Clone)]
pub struct WriterPool {
    config: Config,
    tuning: Arc<RwLock<Tuning>>,
    current: Arc<RwLock<Option<DatabaseConnection>>>,
}

impl WriterPool {
    /// Connects when it is first used, because a database that is away stops nobody from starting.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn open(config: &Config) -> Result<Self, DbErr> {
        let pool = Self { config: config.clone(), tuning: Arc::default(), current: Arc::default() };
        let opened = pool.connect().await?;
        *pool.current.write() = Some(opened);
        Ok(pool)
    }

    async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        let tuning = self.tuning.read().clone();
        let config = &self.config;
        let acquire = tuning.acquire_timeout_ms.unwrap_or(config.pool_acquire_timeout_ms);
        let mut options = ConnectOptions::new(&config.database_url);
        options
            .max_connections(tuning.max.unwrap_or(config.pool_max))
            .min_connections(tuning.min.unwrap_or(config.pool_min))
            .acquire_timeout(Duration::from_millis(acquire))
            .idle_timeout(Duration::from_millis(config.pool_idle_timeout_ms))
            .max_lifetime(Duration::from_millis(config.pool_max_lifetime_ms))
            .connect_lazy(true)
            .sqlx_logging(false)
            .map_sqlx_mysql_pool_opts(|options| {
                options.after_connect(|session, _| Box::pin(limit_silence(session)))
            });
        Database::connect(options).await
    }

    /// The pool as it is now.
    ///
    /// # Errors
    /// It was let go of.
    pub fn get(&self) -> Result<DatabaseConnection, DbErr> {
        let released = || DbErr::Conn(RuntimeErr::Internal("the writer pool was released".to_owned()));
        self.current.read().clone().ok_or_else(released)
    }

    /// The pool, opened anew where it was let go of.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn get_or_open(&self) -> Result<DatabaseConnection, DbErr> {
        if let Ok(current) = self.get() {
            return Ok(current);
        }
        let opened = self.connect().await?;
        let mut current = self.current.write();
        // Somebody else may have been faster.
        Ok(current.get_or_insert(opened).clone())
    }

    /// Lets go: waits for connections that are in use, closes all of them.
    pub async fn release(&self) {
        let current = self.current.write().take();
        if let Some(current) = current
            && let Err(error) = current.close().await
        {
            tracing::warn!(%error, "the writer pool did not close in order");
        }
    }

    /// Other settings: a new pool is swapped in, the old one is closed when nobody uses it any more.
    ///
    /// # Errors
    /// An address that is none; the old pool stays.
    pub async fn tune(&self, tuning: &Tuning) -> Result<(), DbErr> {
        if *self.tuning.read() == *tuning {
            return Ok(());
        }
        *self.tuning.write() = tuning.clone();
        if self.get().is_err() {
            return Ok(()); // It begins with them when it comes back.
        }
        let opened = self.connect().await?;
        let old = self.current.write().replace(opened);
        if let Some(old) = old {
            old.close().await?;
        }
        Ok(())
    }

    /// Connections that are open, and of these the idle ones.
    #[must_use]
    pub fn sessions(&self) -> (u32, u32) {
        let current = self.current.read();
        let pool = current.as_ref().map(DatabaseConnection::get_mysql_connection_pool);
        pool.map_or((0, 0), |pool| (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX)))
    }

    /// As it is now, under its group's name.
    #[must_use]
    pub fn report(&self, group: &str) -> PoolReport {
        let (open, idle) = self.sessions();
        let tuning = self.tuning.read();
        PoolReport {
            name: format!("writer/{group}"),
            max: tuning.max.unwrap_or(self.config.pool_max),
            min: tuning.min.unwrap_or(self.config.pool_min),
            acquire_timeout_ms: tuning.acquire_timeout_ms.unwrap_or(self.config.pool_acquire_timeout_ms),
            open,
            idle,
        }
    }
}

/// See [`limits::SESSION_SILENCE_S`]. The pool looks whether a session is still there before it hands it out.
async fn limit_silence(session: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let set = format!("SET SESSION wait_timeout = {}", limits::SESSION_SILENCE_S);
    session.execute(AssertSqlSafe(set)).await.map(drop)
}

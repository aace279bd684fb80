//! The writer pool of one group: it can be let go of, so that no session is left on the server, and comes back, perhaps
//! with other settings, perhaps on another server, when it is asked for again.

use crate::{config::Config, limits};
use control::{Address, database::NotAnAddress, office::PoolReport, records::Tuning};
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
    /// The server that counts, where it is not the configured one.
    aim: Arc<RwLock<Option<Address>>>,
    tuning: Arc<RwLock<Tuning>>,
    current: Arc<RwLock<Option<DatabaseConnection>>>,
}

impl WriterPool {
    /// Connects when it is first used, because a database that is away stops nobody from starting.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn open(config: &Config) -> Result<Self, DbErr> {
        let config = config.clone();
        let pool = Self { config, aim: Arc::default(), tuning: Arc::default(), current: Arc::default() };
        let opened = pool.connect().await?;
        *pool.current.write() = Some(opened);
        Ok(pool)
    }

    async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        let tuning = self.tuning.read().clone();
        let config = &self.config;
        let acquire = tuning.acquire_timeout_ms.unwrap_or(config.pool_acquire_timeout_ms);
        let mut options = ConnectOptions::new(self.url()?);
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

    /// Where it connects to, and as whom.
    ///
    /// # Errors
    /// A setting that is no address.
    pub fn url(&self) -> Result<String, DbErr> {
        let configured = &self.config.database_url;
        let aim = self.aim.read();
        let aimed = aim.as_ref().map_or_else(|| Ok(configured.clone()), |aim| aim.aim(configured));
        aimed.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))
    }

    /// The server that it uses.
    ///
    /// # Errors
    /// A setting that is no address.
    pub fn address(&self) -> Result<Address, NotAnAddress> {
        let aim = self.aim.read().clone();
        aim.map_or_else(|| Address::of_setting(&self.config.database_url), Ok)
    }

    /// Aims at another server: what is open is let go of, what comes is opened there. Returns whether it is another one.
    pub fn aim(&self, address: Option<&Address>) -> bool {
        if self.aim.read().as_ref() == address {
            return false;
        }
        *self.aim.write() = address.cloned();
        if self.current.read().is_some() {
            let pool = self.clone();
            // Whatever still uses it belongs to a server that does not count any more.
            let old = pool.current.write().take();
            tokio::spawn(async move { close(old).await });
        }
        true
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
        close(current).await;
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

async fn close(pool: Option<DatabaseConnection>) {
    if let Some(pool) = pool
        && let Err(error) = pool.close().await
    {
        tracing::warn!(%error, "the writer pool did not close in order");
    }
}

/// See [`limits::SESSION_SILENCE_S`]. The pool looks whether a session is still there before it hands it out.
async fn limit_silence(session: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let set = format!("SET SESSION wait_timeout = {}", limits::SESSION_SILENCE_S);
    session.execute(AssertSqlSafe(set)).await.map(drop)
}

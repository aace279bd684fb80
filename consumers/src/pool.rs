//! The writer pool of one group: it can be let go of, so that no session is left on the server, and comes back, perhaps
//! with other settings, perhaps on another server, when it is asked for again.

use crate::{config::Config, limits};
use control::{
    Address,
    database::NotAnAddress,
    office::PoolReport,
    records::{PoolSettings, Tuning},
};
use parking_lot::RwLock;
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel, RuntimeErr,
    TransactionTrait,
    sqlx::{self, AssertSqlSafe, Executor, MySqlConnection},
};
use std::{sync::Arc, time::Duration};

/// See the module.
#[derive(Clone)]
pub struct WriterPool {
    config: Config,
    slot: Arc<RwLock<Slot>>,
}

/// What is wanted, and what there is. Under one lock: a pool is put into place only where it is still the one wanted.
#[derive(Default)]
struct Slot {
    wanted: Wanted,
    pool: Option<DatabaseConnection>,
    /// Let go of, and not closed yet: its sessions count.
    closing: Vec<DatabaseConnection>,
}

impl Slot {
    fn let_go(&mut self) -> Option<DatabaseConnection> {
        let pool = self.pool.take()?;
        self.closing.push(pool.clone());
        Some(pool)
    }
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Wanted {
    /// The server that counts, where it is not the configured one.
    aim: Option<Address>,
    tuning: Tuning,
}

impl WriterPool {
    /// Connects when it is first used, because a database that is away stops nobody from starting.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn open(config: &Config) -> Result<Self, DbErr> {
        let pool = Self { config: config.clone(), slot: Arc::default() };
        pool.get_or_open().await?;
        Ok(pool)
    }

    async fn connect(&self, wanted: &Wanted) -> Result<DatabaseConnection, DbErr> {
        let (settings, config) = (self.settings(&wanted.tuning), &self.config);
        let silence_s = config.session_timeout().as_millis().div_ceil(1_000);
        let mut options = ConnectOptions::new(self.url_of(wanted)?);
        options
            .max_connections(settings.max)
            .min_connections(settings.min)
            .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
            .idle_timeout(Duration::from_millis(config.pool_idle_timeout_ms))
            .max_lifetime(Duration::from_millis(config.pool_max_lifetime_ms))
            .connect_lazy(true)
            .sqlx_logging(false)
            .map_sqlx_mysql_pool_opts(move |options| {
                options.after_connect(move |session, _| Box::pin(limit_silence(session, silence_s)))
            });
        Database::connect(options).await
    }

    fn settings(&self, tuning: &Tuning) -> PoolSettings {
        tuning.of_pool(PoolSettings {
            max: self.config.pool_max,
            min: self.config.pool_min,
            acquire_timeout_ms: self.config.pool_acquire_timeout_ms,
        })
    }

    fn url_of(&self, wanted: &Wanted) -> Result<String, DbErr> {
        let configured = &self.config.database_url;
        let aimed = wanted.aim.as_ref().map_or_else(|| Ok(configured.clone()), |aim| aim.aim(configured));
        aimed.map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))
    }

    /// Where it connects to, and as whom.
    ///
    /// # Errors
    /// A setting that is no address.
    pub fn url(&self) -> Result<String, DbErr> {
        self.url_of(&self.slot.read().wanted)
    }

    /// The server that it uses.
    ///
    /// # Errors
    /// A setting that is no address.
    pub fn address(&self) -> Result<Address, NotAnAddress> {
        let aim = self.slot.read().wanted.aim.clone();
        aim.map_or_else(|| Address::of_setting(&self.config.database_url), Ok)
    }

    /// Aims at another server: what is open is let go of, what comes is opened there. Returns nothing where it is the same
    /// one, and else what closes the sessions on the former one.
    #[must_use]
    pub fn aim(&self, address: Option<&Address>) -> Option<impl Future<Output = ()> + Send + use<>> {
        if self.slot.read().wanted.aim.as_ref() == address {
            return None;
        }
        self.slot.write().wanted.aim = address.cloned();
        // Whatever still uses it belongs to a server that does not count any more.
        Some(self.release())
    }

    /// The pool as it is now.
    ///
    /// # Errors
    /// It was let go of.
    pub fn get(&self) -> Result<DatabaseConnection, DbErr> {
        let released = || DbErr::Conn(RuntimeErr::Internal("the writer pool was released".to_owned()));
        self.slot.read().pool.clone().ok_or_else(released)
    }

    /// The pool, opened anew where it was let go of.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn get_or_open(&self) -> Result<DatabaseConnection, DbErr> {
        loop {
            let wanted = match &*self.slot.read() {
                Slot { pool: Some(pool), .. } => return Ok(pool.clone()),
                Slot { wanted, .. } => wanted.clone(),
            };
            let opened = self.connect(&wanted).await?;
            let mut slot = self.slot.write();
            if slot.wanted == wanted {
                // Somebody else may have been faster.
                return Ok(slot.pool.get_or_insert(opened).clone());
            }
        }
    }

    /// Lets go at once, whoever asks for it next begins anew; what is returned waits for connections that are in use and
    /// closes all of them.
    pub fn release(&self) -> impl Future<Output = ()> + Send + use<> {
        let (pool, old) = (self.clone(), self.slot.write().let_go());
        async move {
            if let Some(old) = old {
                pool.close(old).await;
            }
        }
    }

    /// A server that hangs keeps no process from going on: what does not close in time is given up.
    async fn close(&self, pool: DatabaseConnection) {
        match tokio::time::timeout(limits::DRAIN, pool.clone().close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the writer pool did not close in order"),
            Err(_) => tracing::warn!("the writer pool did not close in time; its server hangs"),
        }
        self.slot.write().closing.retain(|closing| !closing.get_mysql_connection_pool().is_closed());
    }

    /// Other settings: a new pool is swapped in, the old one is closed when nobody uses it any more.
    ///
    /// # Errors
    /// An address that is none; the old pool stays.
    pub async fn tune(&self, tuning: &Tuning) -> Result<(), DbErr> {
        {
            let mut slot = self.slot.write();
            if slot.wanted.tuning == *tuning {
                return Ok(());
            }
            slot.wanted.tuning = tuning.clone();
        }
        if let Some(closing) = self.renew().await? {
            closing.await;
        }
        Ok(())
    }

    /// Other sessions: a new pool is swapped in; what is returned closes the old one when nobody uses it any more. A session
    /// that was made before a failover may still lead to the server that was demoted.
    ///
    /// # Errors
    /// An address that is none; the old pool stays.
    pub async fn renew(&self) -> Result<Option<impl Future<Output = ()> + Send + use<>>, DbErr> {
        let wanted = match &*self.slot.read() {
            Slot { pool: None, .. } => return Ok(None), // It begins anew when it comes back.
            Slot { wanted, .. } => wanted.clone(),
        };
        let opened = self.connect(&wanted).await?;
        let old = {
            let mut slot = self.slot.write();
            if slot.wanted != wanted || slot.pool.is_none() {
                return Ok(None); // Let go of, or wanted otherwise meanwhile.
            }
            let old = slot.let_go();
            slot.pool = Some(opened);
            old
        };
        let pool = self.clone();
        Ok(old.map(|old| async move { pool.close(old).await }))
    }

    /// Connections that are open, and of these the idle ones.
    #[must_use]
    pub fn sessions(&self) -> (u32, u32) {
        let slot = self.slot.read();
        let pools = slot.pool.iter().chain(&slot.closing).map(DatabaseConnection::get_mysql_connection_pool);
        pools.fold((0, 0), |(open, idle), pool| {
            (open + pool.size(), idle + u32::try_from(pool.num_idle()).unwrap_or(u32::MAX))
        })
    }

    /// As it is now, under its group's name.
    #[must_use]
    pub fn report(&self, group: &str) -> PoolReport {
        let (open, idle) = self.sessions();
        let settings = self.settings(&self.slot.read().wanted.tuning);
        PoolReport { name: format!("writer/{group}"), settings, open, idle }
    }
}

/// One connection, for a look at a server; whoever asks closes it.
///
/// # Errors
/// A server that does not let us in.
pub async fn connect_once(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(limits::CHECK_CONNECT)
        .connect_timeout(limits::CHECK_CONNECT)
        .sqlx_logging(false);
    Database::connect(options).await
}

/// Whether a server takes writes, asked by a connection of its own.
///
/// # Errors
/// A server that does not let us in, or does not answer.
pub async fn takes_writes(url: &str) -> Result<bool, DbErr> {
    let db = connect_once(url).await?;
    let takes = migrations::takes_writes(&db).await;
    db.close().await?;
    takes
}

/// One look, or one statement, of whoever works beside a group: a server that hangs is one that is away.
///
/// # Errors
/// The database's own, or no answer within [`limits::DATABASE_TIMEOUT`].
pub async fn in_time<T>(work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let late = |_| DbErr::Conn(RuntimeErr::Internal("no answer in time".to_owned()));
    tokio::time::timeout(limits::DATABASE_TIMEOUT, work).await.map_err(late)?
}

/// A transaction of whoever works beside a group, within [`in_time`]. Read committed: no gaps are locked, so that the
/// group inserts beside it.
///
/// # Errors
/// As [`in_time`], and what `work` says. Nothing is written then, unless it was the commit that was not answered.
pub async fn in_transaction<T>(
    pool: &WriterPool,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
) -> Result<T, DbErr> {
    let isolation = Some(IsolationLevel::ReadCommitted);
    in_time(async {
        let transaction = pool.get()?.begin_with_config(isolation, None).await?;
        match work(&transaction).await {
            Ok(done) => transaction.commit().await.map(|()| done),
            Err(error) => {
                roll_back(transaction).await;
                Err(error)
            }
        }
    })
    .await
}

/// Explicitly: what is dropped is rolled back some time later, and keeps its locks until then.
pub async fn roll_back(transaction: DatabaseTransaction) {
    if let Err(error) = transaction.rollback().await {
        tracing::debug!(%error, "rolling back failed; the server will do it");
    }
}

/// See [`limits::SESSION_TIMEOUT`]. The pool looks whether a session is still there before it hands it out.
async fn limit_silence(session: &mut MySqlConnection, silence_s: u128) -> Result<(), sqlx::Error> {
    let set = format!("SET SESSION wait_timeout = {silence_s}");
    session.execute(AssertSqlSafe(set)).await.map(drop)
}

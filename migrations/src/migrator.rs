//! Brings a schema to this binary's version, one process at a time, and says whether it is there.
//!
//! MySQL commits at every DDL statement, so a version may be left half done by a crash: every statement of a
//! version must be repeatable (`IF NOT EXISTS`).

use crate::{server, version};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    SqlxMySqlConnector,
};
use sea_orm::{Statement, TransactionTrait};
use sea_orm_migration::{
    IntoSchemaManagerConnection, MigrationTrait, MigratorTrait, SchemaManager, seaql_migrations,
};
use sqlx::mysql::MySqlPoolOptions;
use std::{collections::BTreeSet, time::Duration};

/// How long [`up`] waits for another process that migrates the same schema, in seconds.
pub const LOCK_WAIT_S: u32 = 60;

/// How long a DDL statement waits for readers of its table, in seconds (MySQL's default is a year).
const METADATA_LOCK_WAIT_S: u32 = 60;

/// How long to wait for the one connection that migrates, in seconds.
const CONNECT_TIMEOUT_S: u64 = 10;

/// Where sea-orm keeps the names of the applied versions.
const VERSIONS_TABLE: &str = "seaql_migrations";

/// The lock's name holds the schema's, as named locks are per server, and a digest of it, as they end at 64 characters.
const LOCK_NAME: &str = "CONCAT('tidemark.migrate.', LEFT(SHA2(DATABASE(), 256), 32))";

/// All versions of the schema, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        version::all()
    }
}

/// Why the schema is not at this binary's version.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Another process holds the lock; wait for it.
    #[error(
        "another process is still migrating this schema after {wait_s} s: wait until it has ended, then run `consumers init` again"
    )]
    Locked {
        /// How long was waited, in seconds.
        wait_s: u32,
    },
    /// Versions of this binary are not applied.
    #[error("the schema is behind this binary, it lacks {}: run `consumers init`", .missing.join(", "))]
    Behind {
        /// The versions not yet applied, in order.
        missing: Vec<String>,
    },
    /// A newer binary has been here.
    #[error("the schema is ahead of this binary, which does not know {}: start a binary that is at least as new", .unknown.join(", "))]
    Ahead {
        /// The applied versions that this binary does not know.
        unknown: Vec<String>,
    },
    /// The server cannot keep what the schema promises.
    #[error("this MySQL server cannot hold the schema: {0}")]
    Unfit(String),
    /// The url ends without a schema.
    #[error("the MySQL url names no schema (mysql://user@host:port/SCHEMA)")]
    NoSchema,
    /// The database failed; see [`crate::Failure::of`].
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Applies what is missing; nothing if all is there. Safe in any number of processes at once.
///
/// # Errors
/// All of [`MigrationError`] but `Behind`; [`MigrationError::Locked`] after [`LOCK_WAIT_S`].
pub async fn up(db: &DatabaseConnection) -> Result<(), MigrationError> {
    up_within(db, LOCK_WAIT_S).await
}

/// As [`up`], waiting `wait_s` seconds for another process.
///
/// # Errors
/// See [`up`].
pub async fn up_within(db: &DatabaseConnection, wait_s: u32) -> Result<(), MigrationError> {
    // A connection of its own, closed at the end: the lock belongs to the session, and a session that went back
    // to a pool (also when this future is dropped) would keep it.
    let options = db.get_mysql_connection_pool().connect_options();
    let pool = MySqlPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(CONNECT_TIMEOUT_S))
        .connect_lazy_with((*options).clone());
    let own = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
    let result = migrate(&own, wait_s).await;
    let closed = own.close().await;
    result?;
    Ok(closed?)
}

async fn migrate(own: &DatabaseConnection, wait_s: u32) -> Result<(), MigrationError> {
    // Never a real transaction, for DDL commits: it pins one session, where a pool would silently reconnect
    // without the lock.
    let session = own.begin().await?;
    session.execute_unprepared(&format!("SET SESSION lock_wait_timeout = {METADATA_LOCK_WAIT_S}")).await?;
    server::check(&session).await?;
    lock(&session, wait_s).await?;
    let (_, unknown) = difference(&session).await?;
    if !unknown.is_empty() {
        return Err(MigrationError::Ahead { unknown });
    }
    Migrator::up(&session, None).await?;
    Ok(session.commit().await?)
}

async fn lock(session: &DatabaseTransaction, wait_s: u32) -> Result<(), MigrationError> {
    let sql = format!(
        "SELECT DATABASE() IS NOT NULL AS named, GET_LOCK(COALESCE({LOCK_NAME}, 'tidemark.migrate.'), {wait_s}) AS got"
    );
    let row = session.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
    let row = row.ok_or_else(|| DbErr::Custom("no row came of GET_LOCK".to_owned()))?;
    if row.try_get::<i64>("", "named")? == 0 {
        return Err(MigrationError::NoSchema);
    }
    match row.try_get::<Option<i64>>("", "got")? {
        Some(1) => Ok(()),
        _ => Err(MigrationError::Locked { wait_s }),
    }
}

/// Says whether the schema is exactly at this binary's version. Only reads.
///
/// # Errors
/// [`MigrationError::Behind`], [`MigrationError::Ahead`], [`MigrationError::Unfit`] or [`MigrationError::Database`].
pub async fn verify(db: &DatabaseConnection) -> Result<(), MigrationError> {
    server::check(db).await?;
    let (missing, unknown) = difference(db).await?;
    if !unknown.is_empty() {
        return Err(MigrationError::Ahead { unknown });
    }
    if !missing.is_empty() {
        return Err(MigrationError::Behind { missing });
    }
    Ok(())
}

/// The versions known here and not applied there, and the other way round.
async fn difference<'c, C>(db: &'c C) -> Result<(Vec<String>, Vec<String>), DbErr>
where
    C: ConnectionTrait,
    &'c C: IntoSchemaManagerConnection<'c>,
{
    let mut applied = BTreeSet::new();
    if SchemaManager::new(db).has_table(VERSIONS_TABLE).await? {
        applied.extend(seaql_migrations::Entity::find().all(db).await?.into_iter().map(|row| row.version));
    }
    let known: Vec<String> = Migrator::migrations().iter().map(|m| m.name().to_owned()).collect();
    let unknown = applied.iter().filter(|v| !known.contains(v)).cloned().collect();
    let missing = known.into_iter().filter(|v| !applied.contains(v)).collect();
    Ok((missing, unknown))
}

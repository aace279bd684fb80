//! What a test asks MySQL by itself, and what it sees others ask there.

use crate::{patience::until_right, world::World};
use anyhow::Context;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

impl World {
    /// Runs SQL.
    pub(crate) async fn sql(&self, sql: &str) -> anyhow::Result<u64> {
        let done = self.db.execute_unprepared(sql).await.with_context(|| sql.to_owned())?;
        Ok(done.rows_affected())
    }

    /// The one whole number that a query returns, as `n`.
    pub(crate) async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        let row = self.db.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
        row.context("a row")?.try_get("", "n").with_context(|| sql.to_owned())
    }

    /// How often anybody on this server has waited for a locked row: for servers of a test's own.
    pub(crate) async fn lock_waits(&self) -> anyhow::Result<u64> {
        let status =
            Statement::from_string(DbBackend::MySql, "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_waits'");
        let row = self.db.query_one_raw(status).await?.context("a status")?;
        Ok(row.try_get::<String>("", "Value")?.parse()?)
    }

    /// Waits until somebody runs a statement in this world's schema that begins so. Where a row of it is locked, it stays
    /// there.
    pub(crate) async fn until_it_runs(&self, beginning: &str) -> anyhow::Result<()> {
        let look = async || {
            let running = self.statements().await?;
            let runs = running.iter().any(|statement| statement.starts_with(beginning));
            Ok(if runs { Ok(()) } else { Err(running) })
        };
        until_right(&format!("{beginning} .. is under way"), look).await
    }

    /// Sessions in this world's schema, of this test and of the processes.
    pub(crate) async fn sessions(&self) -> anyhow::Result<u32> {
        Ok(u32::try_from(self.statements().await?.len())?)
    }

    /// What each session in this world's schema does; nothing where it waits. (By SHOW: information_schema refuses to
    /// list anything, error 3854, while anybody's statement has bytes in it.)
    async fn statements(&self) -> anyhow::Result<Vec<String>> {
        let list = Statement::from_string(DbBackend::MySql, "SHOW PROCESSLIST");
        let mut statements = Vec::new();
        for row in self.db.query_all_raw(list).await? {
            if row.try_get::<Option<String>>("", "db")?.as_ref() == Some(&self.schema) {
                let statement = row.try_get::<Option<Vec<u8>>>("", "Info")?.unwrap_or_default();
                statements.push(String::from_utf8_lossy(&statement).into_owned());
            }
        }
        Ok(statements)
    }
}

/// Offsets that a database has passed, over all partitions.
pub(crate) async fn applied(db: &DatabaseConnection) -> anyhow::Result<i64> {
    let ask = "SELECT CAST(COALESCE(SUM(next_offset), 0) AS SIGNED) AS n FROM projection_offset";
    let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, ask)).await?;
    Ok(row.context("a sum")?.try_get("", "n")?)
}

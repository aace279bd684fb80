//! What a MySQL server says of itself.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) version: String,
    /// Two addresses with the same identity lead to one server. Not the UUID alone: a copied data folder has it too.
    identity: (String, String, u64, String),
    pub(super) read_only: bool,
    /// Whether another server's transactions are applied to it; `None` where we may not see that.
    pub(super) replicating: Option<bool>,
}

impl Server {
    pub(super) async fn look<C: ConnectionTrait>(db: &C) -> Result<Self, DbErr> {
        let row = one(
            db,
            "SELECT VERSION() AS version, @@server_uuid AS uuid, @@hostname AS host, \
             CAST(@@port AS UNSIGNED) AS port, @@datadir AS folder",
        )
        .await?;
        let text = |name: &str| row.try_get::<String>("", name);
        let identity = (text("uuid")?, text("host")?, row.try_get::<u64>("", "port")?, text("folder")?);
        let read_only = !migrations::takes_writes(db).await?;
        let ask = "SELECT COUNT(*) AS n FROM performance_schema.replication_applier_status WHERE service_state = 'ON'";
        let replicating = match one(db, ask).await {
            Ok(row) => Some(row.try_get::<i64>("", "n")? > 0),
            // Whoever may not look there is told so.
            Err(_) => None,
        };
        Ok(Self { version: text("version")?, identity, read_only, replicating })
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

/// The user of this connection, and how many other sessions it has in this schema. Anybody may see those of the same
/// user.
pub(super) async fn sessions<C: ConnectionTrait>(db: &C) -> Result<(String, u64), DbErr> {
    let own = one(db, "SELECT SUBSTRING_INDEX(USER(), '@', 1) AS name, DATABASE() AS place").await?;
    let (name, schema): (String, Option<String>) = (own.try_get("", "name")?, own.try_get("", "place")?);
    let mut with_this_one = 0_u64;
    // Not from information_schema: with bytes in anybody's statement it says nothing but error 3854.
    for session in all(db, "SHOW PROCESSLIST").await? {
        let same = session.try_get::<String>("", "User")? == name
            && session.try_get::<Option<String>>("", "db")? == schema;
        with_this_one += u64::from(same);
    }
    Ok((name, with_this_one.saturating_sub(1)))
}

/// What this user may not do with a table of this schema, in the server's words. Rights are checked before rows are
/// looked for, so nothing is touched.
pub(super) async fn lacking_rights<C: ConnectionTrait>(db: &C) -> Result<Option<String>, DbErr> {
    let ask = "SELECT t.table_name AS name, c.column_name AS first FROM information_schema.tables t \
               JOIN information_schema.columns c USING (table_schema, table_name) \
               WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND c.ordinal_position = 1";
    for row in all(db, ask).await? {
        let (table, first): (String, String) = (row.try_get("", "name")?, row.try_get("", "first")?);
        for statement in [
            format!("INSERT INTO `{table}` SELECT * FROM `{table}` WHERE 1 = 0"),
            format!("UPDATE `{table}` SET `{first}` = `{first}` WHERE 1 = 0"),
            format!("DELETE FROM `{table}` WHERE 1 = 0"),
        ] {
            if let Err(error) = db.execute_unprepared(&statement).await {
                return Ok(Some(error.to_string()));
            }
        }
    }
    Ok(None)
}

/// Tables of this schema.
pub(super) async fn tables<C: ConnectionTrait>(db: &C) -> Result<u64, DbErr> {
    let ask = "SELECT CAST(COUNT(*) AS UNSIGNED) AS n FROM information_schema.tables WHERE table_schema = DATABASE()";
    one(db, ask).await?.try_get("", "n")
}

/// Whether there are rows that only a projection writes.
pub(super) async fn has_rows<C: ConnectionTrait>(db: &C) -> Result<bool, DbErr> {
    let ask = "SELECT CAST(EXISTS(SELECT 1 FROM users) + EXISTS(SELECT 1 FROM coupons) + \
               EXISTS(SELECT 1 FROM products) + EXISTS(SELECT 1 FROM orders) AS SIGNED) AS n";
    Ok(one(db, ask).await?.try_get::<i64>("", "n")? > 0)
}

async fn all<C: ConnectionTrait>(db: &C, ask: &str) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(Statement::from_string(DbBackend::MySql, ask)).await
}

async fn one<C: ConnectionTrait>(db: &C, ask: &str) -> Result<QueryResult, DbErr> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, ask)).await?;
    row.ok_or_else(|| DbErr::Custom(format!("no row came of {ask}")))
}

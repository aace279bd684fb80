//! Whether a MySQL server can hold this schema at all, and whether it takes writes. Reads variables, changes nothing.

use crate::{MigrationError, mysql_error_code};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// The oldest server that knows `INSERT .. AS new ON DUPLICATE KEY UPDATE` without warnings (8.0.20), enforced
/// CHECKs (8.0.16), `utf8mb4_0900_bin` (8.0.17) and invisible columns (8.0.23).
const OLDEST: (u32, u32, u32) = (8, 0, 23);

/// ER_NO_SUCH_TABLE.
const NO_SUCH_TABLE: u16 = 1146;

/// Without one of these modes MySQL cuts and rounds values instead of refusing them. (`TRADITIONAL` implies them.)
const STRICT_MODES: [&str; 2] = ["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"];

pub(crate) async fn check<C: ConnectionTrait>(db: &C) -> Result<(), MigrationError> {
    let sql = "SELECT VERSION() AS version, @@sql_mode AS mode";
    let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
    let row = row.ok_or_else(|| DbErr::Custom(format!("no row came of {sql}")))?;
    judge(&row.try_get::<String>("", "version")?, &row.try_get::<String>("", "mode")?)
}

/// Whether the server takes writes: a replica, or one that is being handed over, does not. It updates no row, which any mode
/// that refuses writes refuses, and any lock of all tables holds up: then there is no answer until it is given back.
///
/// # Errors
/// The database's own.
pub async fn takes_writes<C: ConnectionTrait>(db: &C) -> Result<bool, DbErr> {
    let sql = "SELECT @@global.read_only + @@global.super_read_only AS locked";
    let row = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
    let row = row.ok_or_else(|| DbErr::Custom(format!("no row came of {sql}")))?;
    if row.try_get::<i64>("", "locked")? != 0 {
        return Ok(false);
    }
    match db.execute_unprepared("UPDATE projection_offset SET epoch = epoch WHERE group_name = ''").await {
        Ok(_) => Ok(true),
        // Whoever opens a partition says what to do about tables that are not there.
        Err(error) if mysql_error_code(&error) == Some(NO_SUCH_TABLE) => Ok(true),
        Err(error) => Err(error),
    }
}

fn judge(version: &str, sql_mode: &str) -> Result<(), MigrationError> {
    if version.contains("MariaDB") || parse(version).is_none_or(|v| v < OLDEST) {
        let (major, minor, patch) = OLDEST;
        return Err(MigrationError::Unfit(format!(
            "version {version} is not MySQL {major}.{minor}.{patch} or newer"
        )));
    }
    if !sql_mode.split(',').any(|mode| STRICT_MODES.contains(&mode)) {
        return Err(MigrationError::Unfit(format!("sql_mode '{sql_mode}' is not strict")));
    }
    Ok(())
}

fn parse(version: &str) -> Option<(u32, u32, u32)> {
    let digits = version.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = digits.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_foreign_and_lax_servers_are_refused() {
        let strict = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";
        for (version, mode, fit) in [
            ("9.7.4-2", strict, true),
            ("8.4.0", "STRICT_ALL_TABLES", true),
            ("8.0.23-log", strict, true),
            ("8.0.22", strict, false),
            ("5.7.44", strict, false),
            ("11.4.2-MariaDB-deb12", strict, false),
            ("8.0.11-TiDB-v7.5.0", strict, false),
            ("unknown", strict, false),
            ("9.7.4", "NO_ENGINE_SUBSTITUTION", false),
            ("9.7.4", "", false),
        ] {
            assert_eq!(judge(version, mode).is_ok(), fit, "{version} {mode}");
        }
    }
}

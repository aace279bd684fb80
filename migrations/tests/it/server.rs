//! A schema of one's own for one test, dropped whatever becomes of the test.

use migrations::{Failure, mysql_error_code, up};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use std::{future::Future, time::Duration};

/// Another server than the running stack's: a url, as `mysql://root@127.0.0.1:3306`; a schema it names is left alone.
/// The user must be allowed to make and drop schemas whose names start with `tidemark_test_`.
const URL_VARIABLE: &str = "TIDEMARK_TEST_MYSQL";

/// Between two looks at the server.
const POLL: Duration = Duration::from_millis(5);

/// For something that happens at once unless it never does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Connections of one test.
const MAX_CONNECTIONS: u32 = 4;

/// The url of a schema on the test server.
pub(crate) fn url(schema: &str) -> String {
    let url = std::env::var(URL_VARIABLE).unwrap_or_else(|_| stack::testing::endpoints().mysql.clone());
    let host = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let server = url[host..].find('/').map_or(&*url, |path| &url[..host + path]);
    format!("{server}/{schema}")
}

async fn connect(schema: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url(schema));
    options.max_connections(MAX_CONNECTIONS).sqlx_logging(false);
    Database::connect(options).await.unwrap_or_else(|e| panic!("no MySQL at {URL_VARIABLE}: {e}"))
}

async fn run(server: &DatabaseConnection, sql: &str) {
    server.execute_unprepared(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// Runs `test` in an empty schema.
pub(crate) async fn in_empty_schema<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(DatabaseConnection) -> F,
) {
    let schema = format!("tidemark_test_{}", uuid::Uuid::new_v4().simple());
    let server = connect("").await;
    run(&server, &format!("CREATE DATABASE {schema}")).await;
    let db = connect(&schema).await;
    let outcome = tokio::spawn(test(db.clone())).await;
    let closed = db.close().await;
    run(&server, &format!("DROP DATABASE {schema}")).await;
    server.close().await.expect("closed");
    if let Err(panicked) = outcome {
        std::panic::resume_unwind(panicked.into_panic());
    }
    closed.expect("closed");
}

/// Runs `test` in a schema at this binary's version.
pub(crate) async fn in_schema<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(DatabaseConnection) -> F + Send + 'static,
) {
    in_empty_schema(|db| async move {
        up(&db).await.expect("an empty schema is migrated");
        test(db).await;
    })
    .await;
}

/// Returns as soon as some session is inside an UPDATE in the schema of `db`; where the row is locked, it stays there.
pub(crate) async fn until_an_update_is_under_way(db: &DatabaseConnection) {
    // Not by performance_schema, which a small server may have switched off; not by INNODB_TRX, which is renewed
    // only when nobody has looked for 0.1 s; not by any of information_schema, which refuses to list anything (error
    // 3854) while anybody's statement has bytes in it.
    let mut seen = Vec::new();
    let waiting = async {
        loop {
            seen = statements(db).await.expect("the sessions");
            if seen.iter().any(|statement| statement.starts_with("UPDATE")) {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(
        waited.is_ok(),
        "not within {PATIENCE:?}: a session is inside an UPDATE; the last seen is {seen:?}"
    );
}

/// What each session in the schema of `db` does; nothing where it waits.
async fn statements(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let name = Statement::from_string(DbBackend::MySql, "SELECT DATABASE() AS name");
    let name = db.query_one_raw(name).await?.expect("a row").try_get::<String>("", "name")?;
    let list = Statement::from_string(DbBackend::MySql, "SHOW PROCESSLIST");
    let mut statements = Vec::new();
    for row in db.query_all_raw(list).await? {
        if row.try_get::<Option<String>>("", "db")?.as_ref() == Some(&name) {
            let statement = row.try_get::<Option<Vec<u8>>>("", "Info")?.unwrap_or_default();
            statements.push(String::from_utf8_lossy(&statement).into_owned());
        }
    }
    Ok(statements)
}

/// Says that `result` is refused by a constraint of this number.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(result: Result<T, DbErr>, code: u16) {
    let error = result.expect_err("refused");
    assert_eq!(mysql_error_code(&error), Some(code), "{error}");
    assert_eq!(Failure::of(&error), Failure::Contradiction, "{error}");
}

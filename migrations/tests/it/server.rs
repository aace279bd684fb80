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
const PATIENCE: Duration = Duration::from_secs(30);

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
    // only when nobody has looked for 0.1 s.
    let sql = "SELECT 1 FROM information_schema.PROCESSLIST \
               WHERE DB = DATABASE() AND COMMAND = 'Execute' AND INFO LIKE 'UPDATE%'";
    let statement = || Statement::from_string(DbBackend::MySql, sql);
    let waiting = async {
        loop {
            match db.query_one_raw(statement()).await {
                Ok(Some(_)) => break,
                Ok(None) => {}
                // Bytes in anybody's statement: MySQL fails to show it, and with it the whole list, while it runs.
                Err(error) => assert_eq!(mysql_error_code(&error), Some(3854), "{error}"),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("a session is inside an UPDATE");
}

/// Says that `result` is refused by a constraint of this number.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(result: Result<T, DbErr>, code: u16) {
    let error = result.expect_err("refused");
    assert_eq!(mysql_error_code(&error), Some(code), "{error}");
    assert_eq!(Failure::of(&error), Failure::Constraint, "{error}");
}

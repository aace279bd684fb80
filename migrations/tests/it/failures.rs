//! What really comes out of sea-orm when things go wrong, and how it is classified.

use crate::server::{PATIENCE, in_schema, until_an_update_is_under_way, url};
use migrations::entity::coupons;
use migrations::{Failure, MigrationError, mysql_error_code, up};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use sea_orm::{DatabaseTransaction, SqlxMySqlConnector, TransactionTrait};
use std::time::Duration;

fn coupon(id: u64) -> coupons::Model {
    let name = String::new();
    let (total, issued, rate_bp) = (10, 0, 0);
    coupons::Model { id, name, total, issued, rate_bp, expires_at_ms: 0, opened_at_ms: 0, closed_at_ms: None }
}

#[track_caller]
fn assert_class(error: &DbErr, code: Option<u16>, class: Failure) {
    assert_eq!((mysql_error_code(error), Failure::of(error)), (code, class), "{error:?}");
}

/// A transaction on a connection that may take longer to be made than [`lazily`] waits.
async fn begun(db: &DatabaseConnection) -> DatabaseTransaction {
    let beginning = async {
        loop {
            match db.begin().await {
                Ok(begun) => break begun,
                Err(error) => assert_eq!(Failure::of(&error), Failure::Outage, "{error:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, beginning).await.expect("a connection")
}

/// One connection, made when first needed, and waited for but shortly.
fn lazily(url: &str) -> DatabaseConnection {
    let pool = sqlx::mysql::MySqlPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(300))
        .connect_lazy(url)
        .expect("a url");
    SqlxMySqlConnector::from_sqlx_mysql_pool(pool)
}

#[tokio::test]
async fn one_of_two_that_lock_crosswise_may_retry() {
    in_schema(|db| async move {
        coupons::upsert_many(&db, &[coupon(1), coupon(2)]).await.unwrap();
        let (first, second) = (db.begin().await.unwrap(), db.begin().await.unwrap());
        coupons::set_issued(&first, &[(1, 1)]).await.unwrap();
        coupons::set_issued(&second, &[(2, 1)]).await.unwrap();
        let crossing = tokio::spawn(async move {
            let result = coupons::set_issued(&first, &[(2, 2)]).await;
            first.rollback().await.unwrap();
            result
        });
        until_an_update_is_under_way(&db).await;
        let result = coupons::set_issued(&second, &[(1, 2)]).await;
        second.rollback().await.unwrap();
        let errors: Vec<DbErr> =
            [result, crossing.await.unwrap()].into_iter().filter_map(Result::err).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_class(&errors[0], Some(1213), Failure::Retry);
    })
    .await;
}

#[tokio::test]
async fn a_lock_waited_for_too_long_may_be_retried() {
    in_schema(|db| async move {
        coupons::upsert_many(&db, &[coupon(1)]).await.unwrap();
        let (first, second) = (db.begin().await.unwrap(), db.begin().await.unwrap());
        coupons::set_issued(&first, &[(1, 1)]).await.unwrap();
        second.execute_unprepared("SET SESSION innodb_lock_wait_timeout = 1").await.unwrap();
        let error = coupons::set_issued(&second, &[(1, 2)]).await.unwrap_err();
        assert_class(&error, Some(1205), Failure::Retry);
        second.rollback().await.unwrap();
        first.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_connection_cut_inside_a_transaction_is_an_outage() {
    in_schema(|db| async move {
        let tx = db.begin().await.unwrap();
        let id = Statement::from_string(DbBackend::MySql, "SELECT CONNECTION_ID() AS id");
        let id: u64 = tx.query_one_raw(id).await.unwrap().unwrap().try_get("", "id").unwrap();
        db.execute_unprepared(&format!("KILL {id}")).await.unwrap();
        let error = coupons::upsert_many(&tx, &[coupon(1)]).await.unwrap_err();
        assert_eq!(Failure::of(&error), Failure::Outage, "{error:?}");
        let error = tx.commit().await.unwrap_err();
        assert_eq!(Failure::of(&error), Failure::Outage, "{error:?}");
        assert_eq!(coupons::all(&db).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_is_exhausted_is_an_outage_and_one_that_was_swapped_is_retried() {
    in_schema(|db| async move {
        let name = Statement::from_string(DbBackend::MySql, "SELECT DATABASE() AS name");
        let name = db.query_one_raw(name).await.unwrap().unwrap();
        let name: String = name.try_get("", "name").unwrap();
        let narrow = lazily(&url(&name));
        let held = begun(&narrow).await;
        assert_class(&coupons::all(&narrow).await.unwrap_err(), None, Failure::Outage);
        assert_class(&narrow.begin().await.map(drop).unwrap_err(), None, Failure::Outage);
        held.rollback().await.unwrap();
        narrow.close_by_ref().await.unwrap();
        assert_class(&coupons::all(&narrow).await.unwrap_err(), None, Failure::Retry);
        assert_class(&narrow.begin().await.map(drop).unwrap_err(), None, Failure::Retry);
    })
    .await;
}

#[tokio::test]
async fn a_server_or_schema_that_is_not_there_is_an_outage() {
    let absent = "tidemark_test_absent";
    let error = Database::connect(ConnectOptions::new(url(absent))).await.unwrap_err();
    assert_class(&error, Some(1049), Failure::Outage);
    let error = coupons::all(&lazily(&url(absent))).await.unwrap_err();
    assert_eq!(Failure::of(&error), Failure::Outage, "{error:?}");
    // Port 9 is discard: nobody listens.
    let error = coupons::all(&lazily("mysql://root@127.0.0.1:9/none")).await.unwrap_err();
    assert_eq!(Failure::of(&error), Failure::Outage, "{error:?}");
}

#[tokio::test]
async fn a_url_without_a_schema_is_not_migrated() {
    let error = up(&lazily(&url(""))).await.unwrap_err();
    assert!(matches!(error, MigrationError::NoSchema), "{error}");
}

//! The versions: up, twice, by many at once, half done, behind and ahead.

use crate::server::{in_empty_schema, in_schema};
use migrations::bulk::Row;
use migrations::entity::{
    Numbered, balance_logs, balances, campaigns, coupon_redemptions, coupons, order_items, orders, outbox,
    product_options, products, projection_offset, user_coupons, users,
};
use migrations::{Failure, MigrationError, Migrator, mysql_error_code, up, up_within, verify};
use sea_orm::{ConnectionTrait, DbBackend, IdenStatic, Iterable, Statement, TransactionTrait};
use sea_orm_migration::MigratorTrait;

/// Processes that start at the same time.
const PROCESSES: usize = 4;
/// Longer than a server takes to see that a client has left, in seconds.
const FREED_S: u32 = 60;

#[tokio::test]
async fn up_is_repeatable_and_verify_tells_what_to_do() {
    in_empty_schema(|db| async move {
        let behind = verify(&db).await.unwrap_err();
        assert!(matches!(&behind, MigrationError::Behind { missing } if missing.len() == Migrator::migrations().len()), "{behind}");
        assert!(behind.to_string().contains("run `consumers init`"), "{behind}");
        up(&db).await.unwrap();
        verify(&db).await.unwrap();
        up(&db).await.unwrap();
        verify(&db).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn many_processes_may_migrate_at_once() {
    in_empty_schema(|db| async move {
        let all: Vec<_> = (0..PROCESSES)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { up(&db).await })
            })
            .collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
        verify(&db).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_a_clear_error_and_is_not_left_behind() {
    in_empty_schema(|db| async move {
        let name = "CONCAT('tidemark.migrate.', LEFT(SHA2(DATABASE(), 256), 32))";
        let other = db.begin().await.unwrap();
        let sql = format!("SELECT GET_LOCK({name}, 0)");
        other.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await.unwrap();
        let locked = up_within(&db, 1).await.unwrap_err();
        assert!(matches!(locked, MigrationError::Locked { wait_s: 1 }), "{locked}");
        let sql = format!("SELECT RELEASE_LOCK({name})");
        other.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await.unwrap();
        // The server frees a session's lock a moment after its client has left; one that was left behind stays.
        up_within(&db, FREED_S).await.unwrap();
        up_within(&db, FREED_S).await.unwrap();
        other.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_version_left_half_done_by_a_crash_is_completed() {
    in_schema(|db| async move {
        db.execute_unprepared("DROP TABLE user_coupons").await.unwrap();
        db.execute_unprepared("DELETE FROM seaql_migrations WHERE version LIKE '%_coupons'").await.unwrap();
        up(&db).await.unwrap();
        assert_eq!(user_coupons::Entity::page(&db, 0, 1).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_schema_of_a_newer_binary_is_left_alone() {
    in_schema(|db| async move {
        db.execute_unprepared("INSERT INTO seaql_migrations VALUES ('m29991231_000001_later', 0)").await.unwrap();
        for result in [verify(&db).await, up(&db).await] {
            assert!(matches!(result, Err(MigrationError::Ahead { unknown }) if unknown == ["m29991231_000001_later"]));
        }
    })
    .await;
}

#[tokio::test]
async fn down_drops_all_it_made() {
    in_schema(|db| async move {
        Migrator::down(&db, None).await.unwrap();
        assert!(matches!(verify(&db).await, Err(MigrationError::Behind { .. })));
        let gone = users::Entity::page(&db, 0, 1).await.unwrap_err();
        assert_eq!((mysql_error_code(&gone), Failure::of(&gone)), (Some(1146), Failure::Outage));
    })
    .await;
}

fn of_entity<E: sea_orm::EntityTrait>() -> (String, Vec<String>) {
    let columns = E::Column::iter().map(|c| c.as_str().to_owned()).collect();
    (E::default().table_name().to_owned(), columns)
}

fn of_row<R: Row>() -> (String, Vec<String>) {
    (R::TABLE.to_owned(), R::COLUMNS.iter().map(|c| (*c).to_owned()).collect())
}

#[tokio::test]
async fn entities_rows_and_tables_have_the_same_columns() {
    assert_eq!(of_entity::<users::Entity>(), of_row::<users::Model>());
    assert_eq!(of_entity::<coupons::Entity>(), of_row::<coupons::Model>());
    assert_eq!(of_entity::<campaigns::Entity>(), of_row::<campaigns::Model>());
    assert_eq!(of_entity::<user_coupons::Entity>(), of_row::<user_coupons::Model>());
    assert_eq!(of_entity::<products::Entity>(), of_row::<products::Model>());
    assert_eq!(of_entity::<product_options::Entity>(), of_row::<product_options::Model>());
    assert_eq!(of_entity::<orders::Entity>(), of_row::<orders::Model>());
    assert_eq!(of_entity::<order_items::Entity>(), of_row::<order_items::Model>());
    assert_eq!(of_entity::<coupon_redemptions::Entity>(), of_row::<coupon_redemptions::Model>());
    assert_eq!(of_entity::<balances::Entity>(), of_row::<balances::Model>());
    assert_eq!(of_entity::<balance_logs::Entity>(), of_row::<balance_logs::Model>());
    assert_eq!(of_entity::<outbox::Entity>(), of_row::<outbox::Model>());
    in_schema(|db| async move {
        for (table, columns) in [
            of_entity::<users::Entity>(),
            of_entity::<coupons::Entity>(),
            of_entity::<campaigns::Entity>(),
            of_entity::<user_coupons::Entity>(),
            of_entity::<projection_offset::Entity>(),
            of_entity::<products::Entity>(),
            of_entity::<product_options::Entity>(),
            of_entity::<orders::Entity>(),
            of_entity::<order_items::Entity>(),
            of_entity::<coupon_redemptions::Entity>(),
            of_entity::<balances::Entity>(),
            of_entity::<balance_logs::Entity>(),
            of_entity::<outbox::Entity>(),
        ] {
            let sql = "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS \
                       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND EXTRA NOT LIKE '%INVISIBLE%' \
                       ORDER BY ORDINAL_POSITION";
            let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [table.clone().into()]);
            let rows = db.query_all_raw(statement).await.unwrap();
            let there: Vec<String> = rows.iter().map(|row| row.try_get("", "name").unwrap()).collect();
            assert_eq!(there, columns, "{table}");
        }
    })
    .await;
}

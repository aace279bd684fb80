//! Table `user_coupons`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::{Numbered, user_coupons};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};

fn won(coupon_id: u64, number: u64, user_id: u64) -> user_coupons::Model {
    user_coupons::Model {
        id: (coupon_id << 32) + number,
        coupon_id,
        number,
        user_id,
        issued_at_ms: 1_700_000_000_000,
    }
}

#[tokio::test]
async fn claims_are_found_by_coupon_and_user() {
    in_schema(|db| async move {
        let largest_coupon = (1 << 21) - 1;
        let coupons = [1, 2, largest_coupon];
        let rows: Vec<_> =
            coupons.into_iter().flat_map(|c| (1..=400).map(move |n| won(c, n, 5 * n + c % 4))).collect();
        user_coupons::insert_many(&db, &rows).await.unwrap();
        let asked: Vec<_> = (1..=2005).rev().flat_map(|user| [(2, user), (1, user), (3, user)]).collect();
        let mut found = user_coupons::find_claims(&db, &asked).await.unwrap();
        found.sort_by_key(|row| row.id);
        assert_eq!(found, rows[..800]);
        assert_eq!(user_coupons::find_claims(&db, &[(2, 7), (2, 6), (2, 7)]).await.unwrap(), [won(2, 1, 7)]);
        assert_eq!(user_coupons::find_claims(&db, &[]).await.unwrap(), []);
        assert_eq!(user_coupons::Entity::page(&db, rows[799].id, 1000).await.unwrap(), rows[800..]);
        assert_eq!(user_coupons::Entity::page(&db, 0, 500).await.unwrap(), rows[..500]);
    })
    .await;
}

#[tokio::test]
async fn a_second_claim_is_refused_and_its_whole_transaction_with_it() {
    in_schema(|db| async move {
        user_coupons::insert_many(&db, &[won(1, 1, 9)]).await.unwrap();
        let tx = db.begin().await.unwrap();
        // Three rows: the bucket of two is written, then the bucket of one is refused.
        assert_refused(
            user_coupons::insert_many(&tx, &[won(1, 2, 7), won(1, 3, 8), won(1, 4, 9)]).await,
            1062,
        );
        tx.rollback().await.unwrap();
        assert_refused(user_coupons::insert_many(&db, &[won(1, 1, 10)]).await, 1062);
        assert_eq!(user_coupons::Entity::page(&db, 0, 10).await.unwrap(), [won(1, 1, 9)]);
    })
    .await;
}

#[tokio::test]
async fn an_id_that_does_not_follow_from_coupon_and_number_is_refused() {
    in_schema(|db| async move {
        let wrong = user_coupons::Model { id: 5, ..won(1, 1, 9) };
        assert_refused(user_coupons::insert_many(&db, &[wrong]).await, 3819);
        assert_refused(user_coupons::insert_many(&db, &[won(1, 0, 9)]).await, 3819);
    })
    .await;
}

#[tokio::test]
async fn lookups_repeat_their_text_and_use_the_unique_key() {
    in_schema(|db| async move {
        let rows: Vec<_> = (1..=4000).map(|n| won(1, n, n)).collect();
        user_coupons::insert_many(&db, &rows).await.unwrap();
        let count = "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'";
        let count = || Statement::from_string(DbBackend::MySql, count);
        let prepared = async |tx: &sea_orm::DatabaseTransaction| -> u64 {
            let row = tx.query_one_raw(count()).await.unwrap().unwrap();
            row.try_get::<String>("", "Value").unwrap().parse().unwrap()
        };
        let tx = db.begin().await.unwrap();
        let before = prepared(&tx).await;
        for users in 1..=200 {
            let asked: Vec<_> = (1..=users).map(|user| (1, user)).collect();
            assert_eq!(user_coupons::find_claims(&tx, &asked).await.unwrap().len() as u64, users);
        }
        assert_eq!(prepared(&tx).await - before, 5, "one text per size of list");
        db.execute_unprepared("ANALYZE TABLE user_coupons").await.unwrap();
        let list = (1..=256).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let sql = format!("EXPLAIN FORMAT=TRADITIONAL SELECT id FROM user_coupons WHERE coupon_id = 1 AND user_id IN ({list})");
        let plan = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await.unwrap().unwrap();
        assert_eq!(plan.try_get::<String>("", "key").unwrap(), "user_coupons_claim");
        tx.rollback().await.unwrap();
    })
    .await;
}

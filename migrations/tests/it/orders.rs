//! Tables `orders`, `order_items` and `coupon_redemptions`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::{
    Numbered, coupon_redemptions, order_items,
    orders::{self, Closing, EXPIRED, PAID, PENDING},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

const TTL_MS: i64 = 600_000;

/// Users take turns; two orders at a time fall due at the same moment.
fn order(id: u64) -> orders::Model {
    let placed_at_ms = 1_700_000_000_000 + (id / 2) as i64;
    orders::Model {
        id,
        user_id: id % 5 + 1,
        status: PENDING,
        total: 1_000,
        discount: 0,
        paid: 0,
        user_coupon_id: None,
        placed_at_ms,
        expires_at_ms: placed_at_ms + TTL_MS,
        closed_at_ms: None,
    }
}

fn items(order_id: u64) -> Vec<order_items::Model> {
    let item = |i| order_items::Model {
        id: order_id * order_items::IDS_PER_ORDER + i,
        order_id,
        product_option_id: i + 1,
        product_id: 1,
        product_name: format!("\u{c2e0}\u{bc1c} {i}"),
        price: 10,
        quantity: i + 1,
    };
    (0..order_id % 4).map(item).collect()
}

fn paid(id: u64) -> Closing {
    let user_coupon_id = id.is_multiple_of(2).then_some(id << 32);
    Closing { id, status: PAID, discount: 150, paid: 850, user_coupon_id, closed_at_ms: 5 }
}

fn expired(id: u64) -> Closing {
    Closing { id, status: EXPIRED, discount: 0, paid: 0, user_coupon_id: None, closed_at_ms: 7 }
}

fn closed(row: orders::Model, closing: Closing) -> orders::Model {
    let Closing { status, discount, paid, user_coupon_id, closed_at_ms, .. } = closing;
    orders::Model { status, discount, paid, user_coupon_id, closed_at_ms: Some(closed_at_ms), ..row }
}

async fn place(db: &DatabaseConnection, ids: impl Iterator<Item = u64>) -> Vec<orders::Model> {
    let rows: Vec<_> = ids.map(order).collect();
    let lines: Vec<_> = rows.iter().flat_map(|row| items(row.id)).collect();
    orders::insert_many(db, &rows).await.expect("orders");
    order_items::insert_many(db, &lines).await.expect("their lines");
    rows
}

#[tokio::test]
async fn pending_orders_are_closed_once_many_at_a_time() {
    in_schema(|db| async move {
        let mut rows = place(&db, 1..=400).await;
        let closings: Vec<_> =
            (1..=301).rev().map(|id| if id % 3 > 0 { paid(id) } else { expired(id) }).collect();
        assert_eq!(orders::close(&db, &closings).await.unwrap(), 301);
        for (row, closing) in rows.iter_mut().zip(closings.iter().rev()) {
            *row = closed(row.clone(), *closing);
        }
        assert_eq!(orders::Entity::page(&db, 0, 1_000).await.unwrap(), rows);
        assert_eq!(
            orders::close(&db, &[paid(3), expired(350), paid(9_999)]).await.unwrap(),
            1,
            "closed, open, unknown"
        );
        rows[349] = closed(rows[349].clone(), expired(350));
        assert_eq!(
            orders::Entity::page(&db, 0, 1_000).await.unwrap(),
            rows,
            "what was closed stays as it was"
        );
        assert_eq!(orders::close(&db, &[]).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_order_is_found_with_its_lines_and_a_users_orders_newest_first() {
    in_schema(|db| async move {
        let rows = place(&db, 1..=400).await;
        orders::close(&db, &[paid(2), expired(7)]).await.unwrap();
        let second = closed(order(2), paid(2));
        assert_eq!(orders::find(&db, 2).await.unwrap(), Some((second.clone(), items(2))));
        assert_eq!(orders::find(&db, 401).await.unwrap(), None);
        // User 3 has 2, 7, 12 and so on.
        let all = orders::of_user(&db, 3, None, u64::MAX >> 1, 1_000).await.unwrap();
        assert_eq!(all.len(), 80);
        assert!(all.iter().map(|(row, _)| row.id).eq((0..80).rev().map(|n| 2 + 5 * n)));
        assert!(all.iter().all(|(row, lines)| *lines == items(row.id)), "{all:?}");
        let page = orders::of_user(&db, 3, None, 17, 2).await.unwrap();
        assert_eq!(page, [(order(12), items(12)), (closed(order(7), expired(7)), items(7))]);
        let of_status = async |status| orders::of_user(&db, 3, Some(status), u64::MAX >> 1, 9).await.unwrap();
        assert_eq!(of_status(PAID).await, [(second, items(2))]);
        assert_eq!(of_status(PENDING).await.len(), 9);
        let ids: Vec<u64> = (1..=600).rev().collect();
        assert_eq!(orders::Entity::find_by_ids(&db, &ids[590..]).await.unwrap()[2..6], rows[2..6]);
        let lines: Vec<_> = (1..=400).flat_map(items).collect();
        assert_eq!(order_items::of_orders(&db, &ids).await.unwrap(), lines);
        assert_eq!(order_items::of_orders(&db, &[]).await.unwrap(), []);
        assert_eq!(order_items::Entity::page(&db, lines[9].id, 5).await.unwrap(), lines[10..15]);
    })
    .await;
}

#[tokio::test]
async fn pending_orders_come_in_the_order_in_which_they_fall_due() {
    in_schema(|db| async move {
        place(&db, 1..=50).await;
        orders::close(&db, &[paid(4), expired(6)]).await.unwrap();
        let due = async |after, limit| -> Vec<u64> {
            let found = orders::pending_after(&db, after, limit).await.unwrap();
            assert!(found.iter().all(|(row, lines)| *lines == items(row.id)));
            found.iter().map(|(row, _)| row.id).collect()
        };
        assert_eq!(due((0, 0), 6).await, [1, 2, 3, 5, 7, 8]);
        // 2 and 3 fall due together.
        assert_eq!(due((order(2).expires_at_ms, 2), 3).await, [3, 5, 7]);
        assert_eq!(due((order(3).expires_at_ms, 3), 3).await, [5, 7, 8]);
        assert_eq!(due((order(3).expires_at_ms, 0), 3).await, [2, 3, 5]);
        assert_eq!(due((order(49).expires_at_ms, 49), 3).await, [50]);
        assert_eq!(due((order(50).expires_at_ms, 50), 3).await, [0; 0]);
    })
    .await;
}

#[tokio::test]
async fn reads_use_an_index() {
    in_schema(|db| async move {
        // Many users: for one of a few, going backwards through all orders would be as good.
        let rows: Vec<_> = (1..=4_000).map(|id| orders::Model { user_id: id % 800, ..order(id) }).collect();
        orders::insert_many(&db, &rows).await.unwrap();
        let lines: Vec<_> = rows.iter().flat_map(|row| items(row.id)).collect();
        order_items::insert_many(&db, &lines).await.unwrap();
        let closings: Vec<_> = (1..=3_900).map(paid).collect();
        orders::close(&db, &closings).await.unwrap();
        db.execute_unprepared("ANALYZE TABLE orders, order_items").await.unwrap();
        let ranges: Vec<_> = (1..=64).map(|n| format!("id BETWEEN {0} AND {0} + 127", n * 5 * 128)).collect();
        for (table, sql, key) in [
            ("orders", "user_id = 3 AND id < 1000000 ORDER BY id DESC LIMIT 20".to_owned(), "orders_user"),
            (
                "orders",
                "status = 0 AND expires_at_ms >= 1 AND (expires_at_ms > 1 OR id > 1) \
                 ORDER BY expires_at_ms, id LIMIT 1001"
                    .to_owned(),
                "orders_due",
            ),
            ("order_items", ranges.join(" OR "), "PRIMARY"),
        ] {
            let sql = format!("EXPLAIN FORMAT=TRADITIONAL SELECT * FROM {table} WHERE {sql}");
            let plan = db
                .query_one_raw(Statement::from_string(DbBackend::MySql, sql.clone()))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(plan.try_get::<Option<String>>("", "key").unwrap().as_deref(), Some(key), "{sql}");
            let extra: Option<String> = plan.try_get("", "Extra").unwrap();
            assert!(!extra.unwrap_or_default().contains("filesort"), "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    in_schema(|db| async move {
        place(&db, [1, 2].into_iter()).await;
        for wrong in [
            Closing { paid: 851, ..paid(1) },
            Closing { paid: 1, ..expired(1) },
            Closing { user_coupon_id: Some(9), ..expired(1) },
            Closing { status: PENDING, ..expired(1) },
            Closing { status: 4, ..expired(1) },
        ] {
            assert_refused(orders::close(&db, &[wrong]).await, 3819);
            let row = closed(order(3), wrong);
            assert_refused(orders::insert_many(&db, &[row]).await, 3819);
        }
        assert_refused(orders::insert_many(&db, &[order(2)]).await, 1062);
        let dear = orders::Model { total: 1 << 53, ..order(3) };
        assert_refused(orders::insert_many(&db, &[dear]).await, 3819);
        let line = items(3).remove(0);
        let elsewhere = order_items::Model { order_id: 4, ..line.clone() };
        assert_refused(order_items::insert_many(&db, &[elsewhere]).await, 3819);
        let nothing = order_items::Model { quantity: 0, ..line.clone() };
        assert_refused(order_items::insert_many(&db, &[nothing]).await, 3819);
        order_items::insert_many(&db, std::slice::from_ref(&line)).await.unwrap();
        assert_refused(order_items::insert_many(&db, &[line]).await, 1062);
        assert_eq!(orders::Entity::page(&db, 0, 9).await.unwrap(), [order(1), order(2)]);
    })
    .await;
}

#[tokio::test]
async fn a_coupon_and_an_order_are_redeemed_once() {
    in_schema(|db| async move {
        let redeemed = |n: u64| coupon_redemptions::Model {
            user_coupon_id: (1 << 32) + n,
            order_id: n,
            user_id: 7,
            at_ms: 5,
        };
        let rows: Vec<_> = (1..=300).map(redeemed).collect();
        coupon_redemptions::insert_many(&db, &rows).await.unwrap();
        let twice = coupon_redemptions::Model { order_id: 301, ..redeemed(9) };
        assert_refused(coupon_redemptions::insert_many(&db, &[twice]).await, 1062);
        let second = coupon_redemptions::Model { order_id: 9, ..redeemed(301) };
        assert_refused(coupon_redemptions::insert_many(&db, &[second]).await, 1062);
        let ids: Vec<u64> = (250..=400).rev().map(|n| (1 << 32) + n).collect();
        assert_eq!(coupon_redemptions::Entity::find_by_ids(&db, &ids).await.unwrap(), rows[249..]);
        assert_eq!(
            coupon_redemptions::Entity::page(&db, rows[9].user_coupon_id, 3).await.unwrap(),
            rows[10..13]
        );
    })
    .await;
}

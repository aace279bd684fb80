//! Tables `coupons` and `campaigns`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::{Numbered, campaigns, coupons};
use migrations::{Failure, mysql_error_code};

fn coupon(id: u64) -> coupons::Model {
    coupons::Model {
        id,
        name: format!("Coupon \u{1f39f} {id} "),
        total: (1 << 32) - 1,
        issued: 0,
        rate_bp: 10_000,
        expires_at_ms: 1_800_000_000_000,
        opened_at_ms: 1_700_000_000_000,
        closed_at_ms: None,
    }
}

#[tokio::test]
async fn a_newer_state_replaces_an_older_one() {
    in_schema(|db| async move {
        let mut rows: Vec<_> = (1..=600).map(coupon).collect();
        coupons::upsert_many(&db, &rows[..300]).await.unwrap();
        for (row, id) in rows.iter_mut().zip(1..) {
            (row.name, row.issued, row.closed_at_ms) = (format!("other {id}"), id, Some(5));
        }
        coupons::upsert_many(&db, &rows).await.unwrap();
        assert_eq!(coupons::all(&db).await.unwrap(), rows);
        assert_eq!(
            coupons::Entity::find_by_ids(&db, &[9, 3, 3, 7000]).await.unwrap(),
            [rows[2].clone(), rows[8].clone()]
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_issued_is_set_for_many_at_once() {
    in_schema(|db| async move {
        let mut rows: Vec<_> = (1..=300).map(coupon).collect();
        coupons::upsert_many(&db, &rows).await.unwrap();
        rows.iter_mut().skip(1).for_each(|row| row.issued = (1 << 32) - row.id);
        let issued: Vec<_> = rows[1..].iter().map(|row| (row.id, row.issued)).chain([(7000, 1)]).collect();
        assert_eq!(coupons::set_issued(&db, &issued).await.unwrap(), 299);
        assert_eq!(coupons::all(&db).await.unwrap(), rows);
        assert_eq!(coupons::set_issued(&db, &issued[..1]).await.unwrap(), 1, "matched, not changed");
    })
    .await;
}

#[tokio::test]
async fn more_than_there_are_is_refused_and_nothing_is_cut_silently() {
    in_schema(|db| async move {
        coupons::upsert_many(&db, &[coupons::Model { total: 10, ..coupon(1) }]).await.unwrap();
        assert_refused(coupons::set_issued(&db, &[(1, 11)]).await, 3819);
        let too_many = coupons::Model { total: 10, issued: 11, ..coupon(1) };
        assert_refused(coupons::upsert_many(&db, &[too_many]).await, 3819);
        let too_large = coupons::Model { total: 1 << 32, ..coupon(2) };
        assert_refused(coupons::upsert_many(&db, &[too_large]).await, 3819);
        let too_generous = coupons::Model { rate_bp: 10_001, ..coupon(2) };
        assert_refused(coupons::upsert_many(&db, &[too_generous]).await, 3819);
        let longest = coupons::Model { name: "\u{1f39f}".repeat(coupons::NAME_MAX_CHARS), ..coupon(2) };
        coupons::upsert_many(&db, std::slice::from_ref(&longest)).await.unwrap();
        let too_long = coupons::Model { name: longest.name + "x", ..coupon(3) };
        let error = coupons::upsert_many(&db, &[too_long]).await.unwrap_err();
        assert_eq!((mysql_error_code(&error), Failure::of(&error)), (Some(1406), Failure::Contradiction));
    })
    .await;
}

#[tokio::test]
async fn campaign_names_are_compared_byte_by_byte() {
    in_schema(|db| async move {
        let names = ["", " ", "A", "A ", "a", "a\u{308}", "\u{e4}", "\u{ffff}", "\u{1f39f}"];
        assert!(names.is_sorted());
        let mut rows: Vec<_> = names
            .iter()
            .zip(1..)
            .map(|(name, coupon_id)| campaigns::Model { name: (*name).to_owned(), coupon_id })
            .collect();
        campaigns::upsert(&db, &rows).await.unwrap();
        assert_eq!(campaigns::all(&db).await.unwrap(), rows, "MySQL's order is Rust's");
        rows[2].coupon_id = 77;
        campaigns::upsert(&db, &rows[2..3]).await.unwrap();
        assert_eq!(campaigns::all(&db).await.unwrap(), rows);
        assert_eq!(campaigns::find_by_names(&db, &["A", "b"]).await.unwrap(), rows[2..3]);
        assert_eq!(campaigns::find_by_names(&db, &["\u{e4}", "\u{1f39f} "]).await.unwrap(), rows[6..7]);
    })
    .await;
}

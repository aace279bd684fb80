//! `GET /api/users/{id}/coupons`.

use crate::{
    patience::until,
    run,
    server::{fresh_user, fresh_users, stage},
};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What did not happen by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_list_holds_every_piece_that_another_process_has_acknowledged() {
    run(async {
        let pair = stage().await;
        assert_eq!(pair.one.coupons_of(fresh_user()).await, Vec::<Value>::new());
        let user = fresh_user();
        // Eight ids in a row are all the partitions.
        for count in 1..=8 {
            let (claimed, asked) = (pair.either(count), pair.either(count + 1));
            let coupon = claimed.coupon(4).await;
            let mut piece = claimed.issue(coupon, user).expect(201).await.json();
            let seen = asked.coupons_of(user).await;
            piece["status"] = "AVAILABLE".into();
            assert!(seen.contains(&piece), "{piece} is not among {seen:?}");
            assert_eq!(seen.len() as u64, count);
            assert!(seen.is_sorted_by_key(|piece| piece["userCouponId"].as_u64()), "{seen:?}");
        }
    });
}

#[test]
fn a_list_at_one_process_sees_what_was_just_won_at_the_other_every_time() {
    run(async {
        let pair = stage().await;
        let coupon = pair.one.coupon(100).await;
        for user in fresh_users(100) {
            pair.either(user).issue(coupon, user).expect(201).await;
            assert_eq!(pair.either(user + 1).coupons_of(user).await.len(), 1);
        }
    });
}

#[test]
fn pieces_are_told_apart_by_status() {
    run(async {
        let one = &stage().await.one;
        let user = fresh_user();
        let long = one.coupon(1).await;
        one.issue(long, user).expect(201).await;
        // Issued before it ends, which a machine that stands still may miss.
        let short = until("a coupon is issued before it ends", PATIENCE, async || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let soon = (now + Duration::from_secs(1)).as_millis() as u64;
            let coupon = one.coupon_with(json!({"expiresAt": soon})).await;
            one.issue(coupon, user).seen(201).await.map(|_| coupon)
        })
        .await;
        let of = async |status: &str| {
            let path = format!("/api/users/{user}/coupons?status={status}");
            let data = one.get(&path).expect(200).await.json()["data"].take();
            data.as_array().unwrap().iter().map(|p| p["couponId"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        // Time is the append time of the partition's last record, so records move it.
        let mut total = 10;
        until("it ends", PATIENCE, async || {
            total += 1;
            let extend = format!("/admin/coupons/{short}/extend");
            one.admin_post(&extend).json(&json!({"total": total})).expect(200).await;
            let ended = of("EXPIRED").await;
            if ended == [short] { Ok(()) } else { Err(format!("{ended:?} are EXPIRED, not {short}")) }
        })
        .await;
        assert_eq!(of("AVAILABLE").await, [long]);
        assert_eq!(one.coupons_of(user).await.len(), 2);
        for unknown in ["SPENT", "available", ""] {
            let path = format!("/api/users/{user}/coupons?status={unknown}");
            one.get(&path).refused(400, "INVALID_REQUEST").await;
        }
    });
}

#[test]
fn an_administrator_sees_how_many_are_left() {
    run(async {
        let pair = stage().await;
        let coupon = pair.one.coupon(3).await;
        let shown =
            async || pair.other.admin_get(&format!("/admin/coupons/{coupon}")).expect(200).await.json();
        let fresh = json!({"couponId": coupon, "name": "Sommer", "total": 3, "issued": 0, "remainingQuantity": 3,
            "discountRate": 15, "expiresAt": "2029-12-31T23:59:59.000Z", "closedAt": null});
        assert_eq!(shown().await, fresh);
        for issued in 1..=3 {
            pair.one.issue(coupon, fresh_user()).expect(201).await;
            let shown = shown().await;
            assert_eq!((&shown["issued"], &shown["remainingQuantity"]), (&json!(issued), &json!(3 - issued)));
        }
        pair.one.admin_post(&format!("/admin/coupons/{coupon}/close")).expect(200).await;
        assert!(shown().await["closedAt"].is_string());
        pair.one.admin_get("/admin/coupons/2000002").refused(404, "C006").await;
        pair.one.admin_get("/admin/coupons/x").refused(400, "INVALID_REQUEST").await;
    });
}

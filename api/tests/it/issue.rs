//! `POST /api/coupons/{id}/issue`.

use crate::{
    client::Answer,
    run,
    server::{Pair, fresh_coupon_id, fresh_user, fresh_users, stage},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_piece_comes_with_every_field_of_the_contract() {
    run(async {
        let one = &stage().await.one;
        let user = fresh_user();
        let terms = json!({"name": "여름 쿠폰 ☀", "total": 7, "discountRate": 12.5});
        let coupon = one.coupon_with(terms).await;
        let answer = one.issue(coupon, user).expect(201).await;
        let id = (coupon << 32) + 1;
        assert_eq!(
            answer.json(),
            json!({
                "userCouponId": id,
                "couponId": coupon,
                "userId": user,
                "couponName": "여름 쿠폰 ☀",
                "discountRate": 12.5,
                "expiredAt": "2029-12-31T23:59:59.000Z",
                "expiresAt": "2029-12-31T23:59:59.000Z",
                "remainingQuantity": 6,
                "data": {"id": id},
            })
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let whole = one.coupon(1).await;
        assert_eq!(one.issue(whole, user).expect(201).await.json()["discountRate"].to_string(), "15");
    });
}

#[test]
fn ids_may_be_written_as_strings_of_digits() {
    run(async {
        let one = &stage().await.one;
        let (user, coupon) = (fresh_user(), one.coupon(1).await);
        let path = format!("/api/coupons/{coupon}/issue");
        let answer = one.post(&path).json(&json!({"userId": user.to_string()})).expect(201).await;
        assert_eq!(answer.json()["userId"], user);
        one.issue(coupon, user).refused(400, "C005").await;
    });
}

#[test]
fn refusals_are_judged_in_their_order() {
    run(async {
        let one = &stage().await.one;
        let (owner, stranger) = (fresh_user(), fresh_user());
        one.issue(fresh_coupon_id(), owner).refused(404, "C006").await;
        one.issue(1 << 21, owner).refused(404, "C006").await;
        one.issue(u64::MAX, owner).refused(404, "C006").await;

        let coupon = one.coupon(1).await;
        one.issue(coupon, owner).expect(201).await;
        one.issue(coupon, owner).refused(400, "C005").await;
        one.issue(coupon, stranger).refused(422, "C001").await;
        // Closed as well: whoever has one is told so first, then the end counts, then what is left.
        one.admin_post(&format!("/admin/coupons/{coupon}/close")).expect(200).await;
        one.issue(coupon, owner).refused(400, "C005").await;
        one.issue(coupon, stranger).refused(400, "C003").await;

        let past = one.coupon_with(json!({"expiresAt": "2020-01-01T00:00:00Z"})).await;
        one.issue(past, owner).refused(400, "C003").await;
        let closed = one.coupon(5).await;
        one.admin_post(&format!("/admin/coupons/{closed}/close")).expect(200).await;
        one.issue(closed, owner).refused(400, "C003").await;
    });
}

#[test]
fn the_other_process_refuses_for_the_same_reasons() {
    run(async {
        let pair = stage().await;
        let (owner, stranger, coupon) = (fresh_user(), fresh_user(), pair.one.coupon(1).await);
        pair.one.issue(coupon, owner).expect(201).await;
        pair.other.issue(coupon, owner).refused(400, "C005").await;
        pair.other.issue(coupon, stranger).refused(422, "C001").await;
    });
}

async fn claim_at_once(pair: &'static Pair, coupon: u64, users: std::ops::Range<u64>) -> Vec<Answer> {
    let calls: Vec<_> =
        users.map(|user| tokio::spawn(pair.either(user).issue(coupon, user).send())).collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

#[test]
fn of_300_users_at_two_processes_exactly_100_win_a_coupon_of_100() {
    run(async {
        let pair = stage().await;
        let coupon = pair.one.coupon(100).await;
        let answers = claim_at_once(pair, coupon, fresh_users(300)).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!((won.len(), lost.len()), (100, 200));
        lost.iter().for_each(|answer| answer.assert_refused(422, "C001"));
        let number = |body: Value| body["userCouponId"].as_u64().unwrap() - (coupon << 32);
        let numbers: BTreeSet<u64> = won.iter().map(|answer| number(answer.json())).collect();
        assert_eq!(numbers, (1..=100).collect());
        for answer in won {
            let left = answer.json()["remainingQuantity"].as_u64().unwrap();
            assert_eq!(number(answer.json()) + left, 100, "{answer:?}");
        }
    });
}

#[test]
fn one_user_who_asks_twenty_times_at_once_wins_once() {
    run(async {
        let pair = stage().await;
        let (user, coupon) = (fresh_user(), pair.one.coupon(20).await);
        let calls: Vec<_> =
            (0..20).map(|n| tokio::spawn(pair.either(n).issue(coupon, user).send())).collect();
        let mut won = 0;
        for call in calls {
            let answer = call.await.unwrap();
            if answer.status == 201 {
                won += 1;
            } else {
                answer.assert_refused(400, "C005");
            }
        }
        assert_eq!(won, 1);
        let next = pair.one.issue(coupon, fresh_user()).expect(201).await;
        assert_eq!(next.json()["remainingQuantity"], 18);
    });
}

#[test]
fn a_repeated_key_gets_the_first_answer_and_another_body_under_it_none() {
    run(async {
        let pair = stage().await;
        let (user, coupon, key) = (fresh_user(), pair.one.coupon(3).await, "k".repeat(255));
        let path = format!("/api/coupons/{coupon}/issue");
        let first = pair.one.issue(coupon, user).key(&key).expect(201).await;
        assert!(!first.is_replayed());
        assert_eq!(first.header("idempotency-key"), Some(key.as_str()));
        pair.other.catch_up().await;
        // What was understood counts, not how it was written.
        let written = format!("{{ \"userId\" : \"{user}\" }}");
        for again in [
            pair.one.issue(coupon, user).key(&key),
            pair.other.issue(coupon, user).key(&key),
            pair.other.post(&path).key(&key).body("application/json", written),
        ] {
            let again = again.expect(201).await;
            assert_eq!(again.json(), first.json());
            assert!(again.is_replayed(), "{again:?}");
            assert_eq!(again.header("idempotency-key"), Some(key.as_str()));
        }
        pair.one.issue(coupon, user).refused(400, "C005").await;
        let answer = pair.one.issue(coupon, fresh_user()).expect(201).await;
        assert_eq!(answer.json()["remainingQuantity"], 1, "repeats took nothing: {answer:?}");
    });
}

#[test]
fn one_key_of_two_users_is_two_keys() {
    run(async {
        let pair = stage().await;
        let coupon = pair.one.coupon(3).await;
        for user in fresh_users(2) {
            let won = pair.either(user).issue(coupon, user).key("same").expect(201).await;
            assert_eq!((won.is_replayed(), won.json()["userId"].as_u64()), (false, Some(user)));
        }
    });
}

#[test]
fn another_body_under_a_used_key_is_refused() {
    run(async {
        let pair = stage().await;
        let id = fresh_coupon_id();
        let body = |total: u64| json!({"couponId": id, "name": "K", "total": total, "discountRate": 1, "expiresAt": 1_900_000_000_000_u64});
        let create = |total| pair.one.admin_post("/admin/coupons").key("once").json(&body(total));
        let first = create(5).expect(201).await;
        let again = create(5).expect(201).await;
        assert_eq!(again.json(), first.json());
        assert!(again.is_replayed() && !first.is_replayed());
        let reused = create(6).refused(422, "IDEMPOTENCY_KEY_REUSED").await;
        assert_eq!(reused.header("idempotency-key"), None, "a refusal echoes no key");
        let elsewhere = pair.other.admin_post("/admin/coupons").key("once").json(&body(7));
        elsewhere.refused(422, "IDEMPOTENCY_KEY_REUSED").await;
        pair.one.admin_post("/admin/coupons").json(&body(5)).refused(409, "COUPON_EXISTS").await;
    });
}

#[test]
fn a_refusal_without_a_record_is_judged_anew() {
    run(async {
        let one = &stage().await.one;
        let (user, coupon) = (fresh_user(), one.coupon(1).await);
        one.issue(coupon, fresh_user()).expect(201).await;
        let refused = one.issue(coupon, user).key("later").refused(422, "C001").await;
        assert!(!refused.is_replayed());
        let extend = format!("/admin/coupons/{coupon}/extend");
        one.admin_post(&extend).json(&json!({"total": 2})).expect(200).await;
        let won = one.issue(coupon, user).key("later").expect(201).await;
        assert_eq!((won.is_replayed(), won.json()["remainingQuantity"].as_u64()), (false, Some(0)));
    });
}

#[test]
fn more_pieces_in_mid_sale_let_further_users_win() {
    run(async {
        let pair = stage().await;
        let coupon = pair.one.coupon(10).await;
        let won = |answers: &[Answer]| answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won(&claim_at_once(pair, coupon, fresh_users(20)).await), 10);
        let extend = |total: u64| {
            pair.other.admin_post(&format!("/admin/coupons/{coupon}/extend")).json(&json!({"total": total}))
        };
        let extended = extend(25).expect(200).await.json();
        assert_eq!(extended, json!({"couponId": coupon, "total": 25, "changed": true}));
        for same_or_less in [25, 24, 1] {
            assert_eq!(extend(same_or_less).expect(200).await.json(), json!({"changed": false}));
        }
        // The process that was not asked may refuse by a fold that is half a second old, and no longer.
        let late = fresh_user();
        pair.other.issue(coupon, late).expect(201).await;
        pair.one.coupons_of(late).await;
        assert_eq!(won(&claim_at_once(pair, coupon, fresh_users(30)).await), 14);
        pair.one
            .admin_post("/admin/coupons/2000000/extend")
            .json(&json!({"total": 5}))
            .refused(404, "C006")
            .await;
    });
}

#[test]
fn closing_twice_changes_nothing_the_second_time() {
    run(async {
        let one = &stage().await.one;
        let coupon = one.coupon(5).await;
        let close = || one.admin_post(&format!("/admin/coupons/{coupon}/close"));
        assert_eq!(close().expect(200).await.json(), json!({"couponId": coupon, "changed": true}));
        assert_eq!(close().expect(200).await.json(), json!({"changed": false}));
        one.admin_post("/admin/coupons/2000001/close").refused(404, "C006").await;
    });
}

#[test]
fn the_message_is_korean_unless_english_comes_first() {
    run(async {
        let one = &stage().await.one;
        let coupon = one.coupon(1).await;
        one.issue(coupon, fresh_user()).expect(201).await;
        let user = fresh_user();
        for (language, message) in [
            (None, "쿠폰 품절"),
            (Some("ko-KR,ko;q=0.9,en;q=0.8"), "쿠폰 품절"),
            (Some("en"), "The coupon is sold out."),
            (Some("en-US,en;q=0.9"), "The coupon is sold out."),
        ] {
            let call = one.issue(coupon, user);
            let call = language.into_iter().fold(call, |call, text| call.header("accept-language", text));
            assert_eq!(call.refused(422, "C001").await.json()["message"], message, "{language:?}");
        }
    });
}

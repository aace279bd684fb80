//! Login and logout.

use crate::{
    run,
    server::{fresh_user, secure, stage},
};
use serde_json::json;
use std::time::{Duration, Instant};

const LOG_IN: &str = "/api/auth/login";
const LOG_OUT: &str = "/api/auth/logout";

#[test]
fn in_stage_mode_anybody_logs_in_by_user_id() {
    run(async {
        let one = &stage().await.one;
        let user = fresh_user();
        for id in [json!(user), json!(user.to_string())] {
            let answer = one.post(LOG_IN).json(&json!({"userId": id})).expect(200).await;
            assert_eq!(answer.json(), json!({"success": true, "userId": user}));
            assert!(answer.cookie().len() > 100, "{answer:?}");
        }
        one.post(LOG_IN).json(&json!({"userId": 0})).refused(401, "U004").await;
        one.post(LOG_IN).json(&json!({"email": "a@b.kr", "password": "1234"})).refused(401, "U004").await;
        one.post(LOG_IN).json(&json!({})).refused(400, "INVALID_REQUEST").await;
    });
}

#[test]
fn in_secure_mode_nobody_logs_in_by_user_id() {
    run(async {
        let one = &secure().await.one;
        let (user, _) = one.guest().await;
        for body in [json!({"userId": user}), json!({"email": "a@b.kr", "password": "1234"})] {
            let answer = one.post(LOG_IN).json(&body).refused(401, "U004").await;
            assert_eq!(answer.header("set-cookie"), None);
        }
    });
}

#[test]
fn a_logout_ends_the_session_on_every_process_within_a_second() {
    run(async {
        let pair = secure().await;
        let (user, cookie) = pair.one.guest().await;
        let (first, second) = (pair.one.coupon(1).await, pair.one.coupon(1).await);
        pair.other.issue(first, user).cookie(&cookie).expect(201).await;

        let out = pair.one.post(LOG_OUT).cookie(&cookie).expect(200).await;
        assert_eq!(out.json(), json!({"success": true}));
        assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"), "{out:?}");
        let began = Instant::now();
        pair.one.issue(second, user).cookie(&cookie).refused(401, "UNAUTHENTICATED").await;
        let list = format!("/api/users/{user}/coupons");
        loop {
            // What was asked within the second may be answered after it.
            let asked = began.elapsed();
            if pair.other.get(&list).cookie(&cookie).send().await.status == 401 {
                break;
            }
            assert!(asked < Duration::from_secs(1), "still alive at the other process");
        }
        pair.other.issue(second, user).cookie(&cookie).refused(401, "UNAUTHENTICATED").await;
        // A dead session, or none, has nothing left to end.
        pair.other.post(LOG_OUT).cookie(&cookie).expect(200).await;
        pair.one.post(LOG_OUT).expect(200).await;
    });
}

#[test]
fn a_logout_ends_one_session_and_leaves_the_users_others() {
    run(async {
        let pair = secure().await;
        let key = uuid::Uuid::new_v4().to_string();
        let first = pair.one.post("/api/auth/signup").key(&key).expect(201).await;
        let again = pair.one.post("/api/auth/signup").key(&key).expect(201).await;
        pair.one.post(LOG_OUT).cookie(&first.cookie()).expect(200).await;
        let list = format!("/api/users/{}/coupons", first.json()["userId"]);
        pair.one.get(&list).cookie(&first.cookie()).refused(401, "UNAUTHENTICATED").await;
        pair.one.get(&list).cookie(&again.cookie()).expect(200).await;
    });
}

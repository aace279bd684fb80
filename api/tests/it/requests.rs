//! `GET /api/requests/{topic}-{partition}-{event id}`.

use crate::{
    run,
    server::{Pair, fresh_user, secure, stage},
};
use api::{
    log::foundation,
    request::{Identity, Principal, RetryKey, Target},
};
use chassis::{kafka, log_reader::LogReader};
use schemas::{Topic, UserId, partition};
use serde_json::json;
use uuid::Uuid;

/// What derives event ids for this log, as its servers do.
async fn identity(pair: &Pair) -> Identity {
    let config = pair.config.clone();
    let read = move || {
        let (reader, secrets) = (kafka::reader(&config.kafka, "api-it"), config.secrets().unwrap());
        let founded = foundation::read(&config, &secrets, &LogReader::new(reader).unwrap()).unwrap();
        Identity { log_id: founded.log_id, mode: founded.mode, fingerprint_key: secrets.fingerprint_key }
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// Where the outcome of a claim under a key stands.
fn location(identity: &Identity, coupon: u64, user: u64, key: &str) -> String {
    let path = format!("/api/coupons/{coupon}/issue");
    let target = Target { method: "POST", path: &path };
    let principal = Principal::User(UserId::new(user).unwrap());
    let (event_id, _) = identity.envelope(principal, target, &RetryKey::Client(key.into()), b"");
    let home = partition::of_id(coupon as i64, Topic::Coupon);
    format!("/api/requests/coupon-{home}-{event_id}")
}

#[test]
fn a_request_that_the_log_does_not_know_is_not_found() {
    run(async {
        let one = &stage().await.one;
        let id = Uuid::new_v4();
        for unknown in [
            format!("coupon-0-{id}"),
            format!("coupon-7-{}", id.simple()),
            format!("signup-3-{id}"),
            format!("order-0-{id}"),
            format!("coupon-8-{id}"),
            format!("coupon--1-{id}"),
            format!("coupon-x-{id}"),
            format!("signup-4-{id}"),
            format!("coupons-0-{id}"),
            format!("-0-{id}"),
            "coupon-0-".into(),
            "coupon-0-nonsense".into(),
            "coupon-0".into(),
            "coupon".into(),
            "-".into(),
            "%00".into(),
            format!("coupon-99999999999999999999-{id}"),
            "c".repeat(1_000),
        ] {
            one.get(&format!("/api/requests/{unknown}")).refused(404, "REQUEST_NOT_FOUND").await;
        }
    });
}

#[test]
fn the_outcome_of_a_claim_is_told_at_every_process_with_its_own_status() {
    run(async {
        let pair = stage().await;
        let identity = identity(pair).await;
        let (user, coupon) = (fresh_user(), pair.one.coupon(1).await);
        let won = pair.one.issue(coupon, user).key("claim").expect(201).await;
        let outcome = pair.other.get(&location(&identity, coupon, user, "claim")).expect(200).await;
        assert_eq!(outcome.json(), json!({"status": 201, "body": won.json()}));
        let none = location(&identity, coupon, user, "another");
        pair.other.get(&none).refused(404, "REQUEST_NOT_FOUND").await;
    });
}

#[test]
fn the_outcome_of_a_sign_up_is_told_without_a_session() {
    run(async {
        let pair = secure().await;
        let key = Uuid::new_v4().simple().to_string();
        let signed_up = pair.one.post("/api/auth/signup").key(&key).expect(201).await;
        let target = Target { method: "POST", path: "/api/auth/signup" };
        let retry_key = RetryKey::Client(key);
        let (event_id, _) = identity(pair).await.envelope(Principal::Anonymous, target, &retry_key, b"{}");
        let home = partition::of_event_id(event_id);
        let outcome = pair.other.get(&format!("/api/requests/signup-{home}-{event_id}")).expect(200).await;
        assert_eq!(outcome.json(), json!({"status": 201, "body": signed_up.json()}));
        assert_eq!(outcome.header("set-cookie"), None);
    });
}

#[test]
fn the_outcome_of_a_claim_is_told_to_its_owner_only() {
    run(async {
        let pair = secure().await;
        let identity = identity(pair).await;
        let ((user, cookie), (_, stranger)) = (pair.one.guest().await, pair.one.guest().await);
        let coupon = pair.one.coupon(1).await;
        pair.one.issue(coupon, user).cookie(&cookie).key("claim").expect(201).await;
        let location = location(&identity, coupon, user, "claim");
        pair.other.get(&location).cookie(&cookie).expect(200).await;
        pair.other.get(&location).refused(404, "REQUEST_NOT_FOUND").await;
        pair.other.get(&location).cookie(&stranger).refused(404, "REQUEST_NOT_FOUND").await;
    });
}

#[test]
fn the_outcome_of_an_administrators_request_is_told_on_the_admin_listener_only() {
    run(async {
        let pair = stage().await;
        let identity = identity(pair).await;
        let coupon = pair.one.coupon(1).await;
        let path = format!("/admin/coupons/{coupon}/close");
        pair.one.admin_post(&path).key("close").expect(200).await;
        let (target, key) = (Target { method: "POST", path: &path }, RetryKey::Client("close".into()));
        let (event_id, _) = identity.envelope(Principal::Admin, target, &key, b"");
        let home = partition::of_id(coupon as i64, Topic::Coupon);
        let closed = format!("/api/requests/coupon-{home}-{event_id}");
        let outcome = pair.other.admin_get(&closed).expect(200).await.json();
        assert_eq!(outcome["body"], json!({"couponId": coupon, "changed": true}));
        pair.other.get(&closed).refused(404, "REQUEST_NOT_FOUND").await;

        // And what users asked is not told there.
        let (user, coupon) = (fresh_user(), pair.one.coupon(1).await);
        pair.one.issue(coupon, user).key("claim").expect(201).await;
        let claim = location(&identity, coupon, user, "claim");
        pair.one.admin_get(&claim).refused(404, "REQUEST_NOT_FOUND").await;
        pair.one.admin_get("/api/requests/nonsense").refused(404, "REQUEST_NOT_FOUND").await;
    });
}

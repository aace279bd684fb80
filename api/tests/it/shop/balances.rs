use super::OPENING;
use crate::{
    run,
    server::{fresh_user, stage},
};
use serde_json::json;

#[test]
fn a_charge_is_seen_by_every_process_at_once() {
    run(async {
        let pair = stage().await;
        let user = fresh_user();
        assert_eq!(pair.one.balance(user).await, OPENING);
        for n in 1..=20 {
            let call = pair.either(n).call("PATCH", &format!("/api/users/{user}/balance"));
            let answer = call.json(&json!({"amount": 7})).expect(200).await.json();
            assert_eq!(answer, json!({"userId": user, "balance": OPENING + 7 * n}));
            assert_eq!(pair.either(n + 1).balance(user).await, OPENING + 7 * n, "the other process sees it");
        }
    });
}

#[test]
fn a_repeated_charge_counts_once() {
    run(async {
        let pair = stage().await;
        let (user, path) = (fresh_user(), |user| format!("/api/users/{user}/balance"));
        let charge = |n: u64, amount: u64| {
            pair.either(n).call("PATCH", &path(user)).key("one-charge").json(&json!({"amount": amount}))
        };
        charge(0, 5).expect(200).await;
        let again = charge(1, 5).expect(200).await;
        assert!(again.is_replayed(), "{again:?}");
        assert_eq!(again.json()["balance"], OPENING + 5);
        charge(1, 6).refused(422, "IDEMPOTENCY_KEY_REUSED").await;
        assert_eq!(pair.one.balance(user).await, OPENING + 5);
    });
}

#[test]
fn a_balance_stays_exact_as_a_json_number() {
    run(async {
        let pair = stage().await;
        let user = fresh_user();
        let charge = |amount: u64| {
            pair.one.call("PATCH", &format!("/api/users/{user}/balance")).json(&json!({"amount": amount}))
        };
        charge((1 << 53) - 1).refused(400, "BALANCE_LIMIT").await;
        charge((1 << 53) - 1 - OPENING).expect(200).await;
        charge(1).refused(400, "BALANCE_LIMIT").await;
        assert_eq!(pair.other.balance(user).await, (1 << 53) - 1);
    });
}

//! Secure mode: who may do what.

use crate::{
    client::Call,
    run,
    server::{secure, stage},
};
use serde_json::json;

#[test]
fn a_guest_acts_for_nobody_else_and_only_with_a_session() {
    run(async {
        let pair = secure().await;
        let ((user, cookie), (other, _)) = (pair.one.guest().await, pair.one.guest().await);
        let coupon = pair.one.coupon(5).await;
        let mine = |server: &crate::server::Server, user: u64| -> [Call; 3] {
            [
                server.issue(coupon, user),
                server.post(&format!("/coupon/apply?userId={user}")),
                server.get(&format!("/api/users/{user}/coupons")),
            ]
        };
        for call in mine(&pair.one, user).into_iter().chain(mine(&pair.other, other)) {
            call.refused(401, "UNAUTHENTICATED").await;
        }
        for call in mine(&pair.one, other).into_iter().chain(mine(&pair.other, other)) {
            call.cookie(&cookie).refused(403, "U002").await;
        }
        pair.other.issue(coupon, user).cookie(&cookie).expect(201).await;
        let list = format!("/api/users/{user}/coupons");
        let data = pair.one.get(&list).cookie(&cookie).expect(200).await.json()["data"].take();
        assert_eq!(data.as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_session_that_is_not_ours_is_none() {
    run(async {
        let pair = secure().await;
        let (user, cookie) = pair.one.guest().await;
        let list = format!("/api/users/{user}/coupons");
        let (of_stage, _) = stage().await.one.guest().await;
        let login = stage().await.one.post("/api/auth/login").json(&json!({"userId": user}));
        let from_stage = login.expect(200).await.cookie();
        let middle = cookie.len() / 2;
        let turned = if &cookie[middle..=middle] == "A" { "B" } else { "A" };
        let forged = format!("{}{turned}{}", &cookie[..middle], &cookie[middle + 1..]);
        for bad in [&*forged, &*from_stage, "tidemark_session=", "tidemark_session", "a=b", "", &cookie[..60]]
        {
            pair.one.get(&list).cookie(bad).refused(401, "UNAUTHENTICATED").await;
        }
        pair.one.get(&list).cookie(&format!("a=b; {cookie}; c=d")).expect(200).await;
        assert!(of_stage > 0);
    });
}

#[test]
fn a_guest_begins_without_money() {
    run(async {
        let answer = secure().await.one.post("/api/auth/signup").expect(201).await;
        assert_eq!(answer.json()["balance"], 0);
    });
}

#[test]
fn administrators_need_the_token_and_their_own_listener() {
    run(async {
        for pair in [secure().await, stage().await] {
            let one = &pair.one;
            for (method, path) in [
                ("POST", "/admin/coupons"),
                ("POST", "/admin/coupons/1/extend"),
                ("POST", "/admin/coupons/1/close"),
                ("POST", "/admin/campaigns/apply/reset"),
                ("POST", "/admin/rules/activate"),
                ("GET", "/admin/positions"),
                ("GET", "/admin/coupons/1"),
            ] {
                let bare = || Call::new(method, one.admin, path);
                bare().refused(401, "UNAUTHENTICATED").await;
                for wrong in ["Bearer wrong", "Bearer ", "Basic dGhl", crate::log::ADMIN_TOKEN] {
                    bare().header("authorization", wrong).refused(401, "UNAUTHENTICATED").await;
                }
                let bearer = format!("Bearer {}", crate::log::ADMIN_TOKEN);
                one.call(method, path).header("authorization", &bearer).refused(404, "NOT_FOUND").await;
            }
            one.admin_get("/admin/positions").expect(200).await;
            one.admin_get("/admin/nothing").refused(404, "NOT_FOUND").await;
            one.admin_get("/admin/coupons").refused(405, "METHOD_NOT_ALLOWED").await;
            Call::new("GET", one.admin, "/admin/nothing").refused(401, "UNAUTHENTICATED").await;
        }
    });
}

#[test]
fn rules_that_no_binary_has_cannot_be_activated() {
    run(async {
        let one = &secure().await.one;
        let activate =
            |version: u64| one.admin_post("/admin/rules/activate").json(&json!({"version": version}));
        let answer = activate(1).expect(200).await.json();
        assert_eq!(answer, json!({"version": 1, "supported": 1, "changed": false}));
        activate(2).refused(409, "RULES_UNSUPPORTED").await;
    });
}

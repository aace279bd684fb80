//! `Idempotency-Key` where it counts, and where nobody looks at it.

use crate::{
    client::Call,
    log, run,
    server::{Server, fresh_user, stage},
    shop::{listed, order_of},
};
use api::config::ModeSetting;
use serde_json::json;

/// No keys: none and too long.
fn bad_keys() -> [String; 2] {
    [String::new(), "k".repeat(256)]
}

#[test]
fn a_bad_key_is_refused_wherever_a_record_would_be_appended() {
    run(async {
        // A log of its own: nobody else may write to it.
        let config = log::found(ModeSetting::Stage).await;
        let server = Server::start(config.clone()).await;
        let (_, option) = listed(&server, json!({})).await;
        let (coupon, user) = (server.coupon(5).await, fresh_user());
        let order = server.order(user, option, 1).await;
        let (_, cookie) = server.guest().await;
        let product = json!({"name": "N", "category": "C", "price": 1,
            "options": [{"color": "c", "size": "s", "stock": 1}]});
        let before = log::ends(&config).await;
        for key in bad_keys() {
            let patch = |path: String| server.call("PATCH", &path);
            let calls: [Call; 12] = [
                server.post("/api/auth/signup"),
                server.post("/api/auth/logout").cookie(&cookie),
                server.issue(coupon, user),
                server.post(&format!("/coupon/apply?userId={user}")),
                server.post("/api/orders").json(&order_of(user, option, 1)),
                server.pay(order, &json!({"userId": user})),
                patch(format!("/api/users/{user}/balance")).json(&json!({"amount": 1})),
                patch(format!("/api/products/options/{option}/stock"))
                    .json(&json!({"operation": "increase", "quantity": 1})),
                server.admin_post("/admin/products").json(&product),
                server.admin_post(&format!("/admin/coupons/{coupon}/extend")).json(&json!({"total": 9})),
                server.admin_post(&format!("/admin/coupons/{coupon}/close")),
                server.admin_post("/admin/campaigns/new/reset"),
            ];
            for call in calls {
                call.key(&key).refused(400, "INVALID_REQUEST").await;
            }
        }
        assert_eq!(log::ends(&config).await, before);
        server.stop().await;
    });
}

#[test]
fn what_appends_no_record_ignores_the_key() {
    run(async {
        let server = &stage().await.one;
        let (product, option) = listed(server, json!({})).await;
        let user = fresh_user();
        let order = server.order(user, option, 1).await;
        for key in bad_keys() {
            let get = |path: String| server.get(&path).key(&key).expect(200);
            for list in ["coupons", "balance", "cart", "orders"] {
                get(format!("/api/users/{user}/{list}")).await;
            }
            get(format!("/api/products/{product}")).await;
            get(format!("/api/orders/{order}")).await;
            server.post("/api/auth/login").json(&json!({"userId": user})).key(&key).expect(200).await;
            server.put_in_cart(user, option, 2).key(&key).expect(201).await;
            get(format!("/api/users/{user}/cart/{option}")).await;
            let take = server.call("DELETE", &format!("/api/users/{user}/cart/{option}"));
            take.key(&key).expect(204).await;
            server.call("DELETE", &format!("/api/users/{user}/cart")).key(&key).expect(204).await;
            server.get(&format!("/api/orders/{}", order + 1_000_000)).key(&key).refused(404, "O002").await;
        }
    });
}

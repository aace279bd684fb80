use super::{listed, order_of};
use crate::{log::ADMIN_TOKEN, run, server::secure};
use serde_json::json;

#[test]
fn nobody_orders_pays_or_reads_for_somebody_else() {
    run(async {
        let server = &secure().await.one;
        let (_, option) = listed(server, json!({"price": 0})).await;
        let ((one, cookie), (_, foreign)) = (server.guest().await, server.guest().await);
        let order = |cookie: &str| server.post("/api/orders").cookie(cookie).json(&order_of(one, option, 1));
        server.post("/api/orders").json(&order_of(one, option, 1)).refused(401, "UNAUTHENTICATED").await;
        order(&foreign).refused(403, "U002").await;
        let id = order(&cookie).expect(201).await.json()["orderId"].as_u64().unwrap();
        let detail = format!("/api/orders/{id}");
        server.get(&detail).refused(401, "UNAUTHENTICATED").await;
        server.get(&detail).cookie(&foreign).refused(404, "O002").await;
        server.get(&detail).cookie(&cookie).expect(200).await;
        let body = json!({"userId": one});
        server.pay(id, &body).cookie(&foreign).refused(403, "U002").await;
        server.get(&format!("/api/users/{one}/balance")).cookie(&foreign).refused(403, "U002").await;
        server.pay(id, &body).cookie(&cookie).expect(201).await;
    });
}

#[test]
fn whoever_has_no_session_does_not_learn_which_orders_exist() {
    run(async {
        let server = &secure().await.one;
        let (_, option) = listed(server, json!({"price": 0})).await;
        let (user, cookie) = server.guest().await;
        let place = server.post("/api/orders").cookie(&cookie).json(&order_of(user, option, 1));
        let id = place.expect(201).await.json()["orderId"].as_u64().unwrap();
        let absent = [id + 1_000_000, 0, 9_007_199_254_740_991, u64::MAX];
        for order in [id].into_iter().chain(absent) {
            let detail = || server.get(&format!("/api/orders/{order}"));
            for anonymous in [detail(), detail().cookie("tidemark_session=x")] {
                anonymous.refused(401, "UNAUTHENTICATED").await;
            }
        }
        for order in absent {
            server.get(&format!("/api/orders/{order}")).cookie(&cookie).refused(404, "O002").await;
        }
        server.get(&format!("/api/orders/{id}")).cookie(&cookie).expect(200).await;
    });
}

#[test]
fn stock_and_balances_are_changed_by_administrators_only() {
    run(async {
        let server = &secure().await.one;
        let (_, option) = listed(server, json!({})).await;
        let (user, cookie) = server.guest().await;
        let bearer = format!("Bearer {ADMIN_TOKEN}");
        let stock = format!("/api/products/options/{option}/stock");
        let balance = format!("/api/users/{user}/balance");
        for (path, body) in
            [(&stock, json!({"operation": "increase", "quantity": 1})), (&balance, json!({"amount": 1}))]
        {
            let patch = || server.call("PATCH", path).json(&body);
            patch().refused(401, "UNAUTHENTICATED").await;
            patch().cookie(&cookie).refused(401, "UNAUTHENTICATED").await;
            patch().header("authorization", "Bearer wrong").refused(401, "UNAUTHENTICATED").await;
            patch().header("authorization", &bearer).expect(200).await;
        }
        let nobody = server.call("PATCH", "/api/users/9007199254740991/balance").json(&json!({"amount": 1}));
        nobody.header("authorization", &bearer).refused(404, "U001").await;
    });
}

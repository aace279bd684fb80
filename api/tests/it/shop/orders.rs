use super::{listed, option, order_of};
use crate::{
    run,
    server::{fresh_user, stage},
};
use serde_json::json;

#[test]
fn an_order_is_answered_as_the_contract_says_and_readable_everywhere_at_once() {
    run(async {
        let pair = stage().await;
        let (product, option) = listed(&pair.one, json!({"name": "Runner", "price": 1_500})).await;
        let user = fresh_user();
        // One option twice: summed into one line.
        let items =
            json!([{"productOptionId": option, "quantity": 1}, {"productOptionId": option, "quantity": 2}]);
        let placed =
            pair.one.post("/api/orders").json(&json!({"userId": user, "items": items})).expect(201).await;
        let placed = placed.json();
        let id = placed["orderId"].as_u64().unwrap();
        assert_eq!((&placed["userId"], &placed["status"]), (&json!(user), &json!("PENDING")));
        assert_eq!(placed["totalAmount"], 4_500);
        assert_eq!(
            placed["items"],
            json!([{"orderItemId": id * 128, "productOptionId": option, "productName": "Runner", "price": 1_500,
                "quantity": 3, "subtotal": 4_500}])
        );
        let time = |field: &str| {
            chrono::DateTime::parse_from_rfc3339(placed[field].as_str().unwrap()).unwrap().timestamp_millis()
        };
        assert_eq!(time("expiresAt") - time("createdAt"), 600_000, "ten minutes");
        let detail = pair.other.get(&format!("/api/orders/{id}")).expect(200).await.json();
        assert_eq!(detail["orderDetail"]["items"], placed["items"]);
        assert_eq!(pair.other.stock(product).await, (10, 7));
    });
}

#[test]
fn never_more_units_are_sold_than_there_are_whichever_process_is_asked() {
    run(async {
        let pair = stage().await;
        let (product, option) = listed(&pair.one, json!({"price": 1})).await;
        let calls = (0..40).map(|n| {
            let call = pair.either(n).post("/api/orders").json(&order_of(fresh_user(), option, 1));
            tokio::spawn(call.send())
        });
        let mut statuses = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            let answer = call.await.unwrap();
            if answer.status != 201 {
                answer.assert_refused(400, "P002");
            }
            statuses.push(answer.status);
        }
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 10);
        assert_eq!(pair.other.stock(product).await, (10, 0));
    });
}

#[test]
fn an_order_is_refused_in_the_order_of_the_contract() {
    run(async {
        let pair = stage().await;
        let sold = option(&pair.one, 1 << 52, 5).await;
        let (_, not_for_sale) = listed(&pair.one, json!({"available": false})).await;
        let user = fresh_user();
        let order = |lines: &[(u64, i64)]| {
            let lines = lines.iter().map(|(id, n)| json!({"productOptionId": id, "quantity": n}));
            let items: Vec<_> = lines.collect();
            pair.one.post("/api/orders").json(&json!({"userId": user, "items": items}))
        };
        let absent = (1 << 53) - 1;
        order(&[(not_for_sale, 0), (absent, 1)]).refused(404, "P004").await;
        order(&[(sold, 0), (not_for_sale, 1)]).refused(400, "P005").await;
        for quantity in [0, -1, i64::MIN, i64::MAX, 1 << 53, 2] {
            // Two of them would cost 2^53.
            order(&[(sold, quantity)]).refused(400, "O001").await;
        }
        let cheap = option(&pair.one, 1, 5).await;
        order(&[(cheap, 6), (sold, 0)]).refused(400, "O001").await;
        order(&[(cheap, 3), (cheap, 3)]).refused(400, "P002").await;
        order(&[(0, 1)]).refused(404, "P004").await;
    });
}

#[test]
fn a_repeated_order_is_one_order() {
    run(async {
        let pair = stage().await;
        let option = option(&pair.one, 1, 5).await;
        let user = fresh_user();
        let order = |n: u64, quantity| {
            pair.either(n).post("/api/orders").key("my-order").json(&order_of(user, option, quantity))
        };
        let first = order(0, 2).expect(201).await.json();
        let again = order(1, 2).expect(201).await;
        assert!(again.is_replayed());
        assert_eq!(again.json(), first);
        order(1, 3).refused(422, "IDEMPOTENCY_KEY_REUSED").await;
    });
}

#[test]
fn an_order_that_is_not_there_is_not_found() {
    run(async {
        let server = &stage().await.one;
        for id in ["9007199254740991", "0", "18446744073709551616", "70368744177663"] {
            server.get(&format!("/api/orders/{id}")).refused(404, "O002").await;
            server
                .post(&format!("/api/orders/{id}/payment"))
                .json(&json!({"userId": 1}))
                .refused(404, "O002")
                .await;
        }
        server.get("/api/orders/x").refused(400, "INVALID_REQUEST").await;
        server.get("/api/orders/-1").refused(400, "INVALID_REQUEST").await;
    });
}

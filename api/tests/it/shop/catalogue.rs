use super::{listed, option, order_of};
use crate::{
    run,
    server::{fresh_user, stage},
};
use serde_json::json;
use uuid::Uuid;

#[test]
fn a_listed_product_is_shown_by_every_process_with_its_stock() {
    run(async {
        let pair = stage().await;
        let (product, option) = listed(&pair.one, json!({"name": "Walker", "price": 2_500})).await;
        let shown = pair.other.get(&format!("/api/products/{product}")).expect(200).await.json();
        assert_eq!((&shown["name"], &shown["price"]), (&json!("Walker"), &json!(2_500)));
        let expected = json!([{"productOptionId": option, "color": "black", "size": "270", "stock": 10,
            "availableStock": 10}]);
        assert_eq!(shown["options"], expected);
        pair.other.get("/api/products/9007199254740991").refused(404, "P001").await;
        pair.other.get("/api/products/x").refused(400, "INVALID_REQUEST").await;
    });
}

#[test]
fn lists_are_filtered_sorted_and_paged() {
    run(async {
        let pair = stage().await;
        let category = format!("C-{}", Uuid::new_v4());
        for price in [300, 100, 200] {
            listed(&pair.one, json!({"category": category, "price": price})).await;
        }
        pair.one.catch_up().await;
        let prices = async |query: &str| {
            let path = format!("/api/products?category={category}&{query}");
            let answer = pair.one.get(&path).expect(200).await.json();
            assert_eq!(answer["total"], 3);
            let prices = answer["data"].as_array().unwrap().iter().map(|p| p["price"].as_u64().unwrap());
            prices.collect::<Vec<_>>()
        };
        assert_eq!(prices("").await, [300, 100, 200]);
        assert_eq!(prices("sortBy=price_asc").await, [100, 200, 300]);
        assert_eq!(prices("sortBy=price_desc&size=2").await, [300, 200]);
        assert_eq!(prices("sortBy=price_desc&size=2&page=2").await, [100]);
        assert_eq!(prices("sortBy=newest").await, [200, 100, 300]);
        assert_eq!(prices("page=4294967295&size=100").await, [0; 0]);
        for bad in ["sortBy=x", "page=0", "page=x", "size=0", "size=101", "size=-1"] {
            pair.one.get(&format!("/api/products?{bad}")).refused(400, "INVALID_REQUEST").await;
        }
    });
}

#[test]
fn what_sells_is_ranked_by_units() {
    run(async {
        let pair = stage().await;
        let (product, option) = listed(
            &pair.one,
            json!({"price": 1, "options":
            [{"color": "red", "size": "S", "stock": 1_000_000}]}),
        )
        .await;
        let user = fresh_user();
        let order = pair.one.order(user, option, 900_000).await;
        pair.one.pay(order, &json!({"userId": user})).expect(201).await;
        let top = pair.one.get("/api/products/top?count=100&dateRangeDays=3").expect(200).await.json();
        let time =
            |field: &str| top[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let (from, to) = (time("countedFrom"), time("countedTo"));
        assert_eq!((to.date_naive() - from.date_naive()).num_days(), 2, "{top}");
        assert_eq!(from.time(), chrono::NaiveTime::MIN, "whole days: {top}");
        let top = top["data"].as_array().unwrap();
        let sold: Vec<u64> = top.iter().map(|p| p["salesCount"].as_u64().unwrap()).collect();
        assert!(sold.is_sorted_by(|a, b| a >= b), "{sold:?}");
        let ranked = top.iter().find(|entry| entry["productId"] == product).expect("it sold");
        assert_eq!((ranked["salesCount"].as_u64(), ranked["name"].as_str()), (Some(900_000), Some("Runner")));
        for bad in ["count=0", "count=101", "count=x", "dateRangeDays=0", "dateRangeDays=31"] {
            pair.one.get(&format!("/api/products/top?{bad}")).refused(400, "INVALID_REQUEST").await;
        }
    });
}

#[test]
fn a_stock_is_changed_but_never_below_what_is_reserved() {
    run(async {
        let pair = stage().await;
        let option = option(&pair.one, 10, 5).await;
        let change = |operation: &str, quantity: u64| {
            let path = format!("/api/products/options/{option}/stock");
            pair.other.call("PATCH", &path).json(&json!({"operation": operation, "quantity": quantity}))
        };
        pair.one.order(fresh_user(), option, 3).await;
        change("decrease", 3).refused(400, "P002").await;
        let answer = change("decrease", 2).expect(200).await.json();
        assert_eq!(answer, json!({"productOptionId": option, "stock": 3, "availableStock": 0}));
        pair.one.post("/api/orders").json(&order_of(fresh_user(), option, 1)).refused(400, "P002").await;
        let answer = change("increase", 4).expect(200).await.json();
        assert_eq!(answer, json!({"productOptionId": option, "stock": 7, "availableStock": 4}));
        change("increase", (1 << 53) - 1).refused(400, "O001").await;
        let path = "/api/products/options/9007199254740991/stock";
        let body = json!({"operation": "increase", "quantity": 1});
        pair.one.call("PATCH", path).json(&body).refused(404, "P004").await;
    });
}

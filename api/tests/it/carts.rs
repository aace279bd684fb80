//! Carts, in the real Redis of the stack.

use crate::{
    client::{Answer, Call},
    run,
    server::{Server, fresh_user, secure, stage},
    shop::{listed, option},
};
use serde_json::{Value, json};

impl Server {
    /// Puts an item into a cart.
    pub(crate) fn put_in_cart(&self, user: u64, option: u64, quantity: i64) -> Call {
        let body = json!({"productOptionId": option, "quantity": quantity});
        self.post(&format!("/api/users/{user}/cart")).json(&body)
    }

    /// What is in a cart: option and quantity of each line.
    pub(crate) async fn cart(&self, user: u64) -> Vec<(u64, u64)> {
        lines(&self.get(&format!("/api/users/{user}/cart")).expect(200).await)
    }
}

/// Option and quantity of each line of a cart that was answered.
pub(crate) fn lines(cart: &Answer) -> Vec<(u64, u64)> {
    let number = |line: &Value, field: &str| line[field].as_u64().unwrap();
    let cart = cart.json();
    let lines = cart["data"].as_array().unwrap().iter();
    lines.map(|line| (number(line, "productOptionId"), number(line, "quantity"))).collect()
}

#[test]
fn a_cart_is_the_same_on_every_process() {
    run(async {
        let pair = stage().await;
        let (first, second) = (option(&pair.one, 300, 10).await, option(&pair.one, 50, 5).await);
        let user = fresh_user();
        assert!(pair.other.cart(user).await.is_empty());
        pair.one.put_in_cart(user, second, 5).expect(201).await;
        let put = pair.other.put_in_cart(user, first, 2).expect(201).await.json();
        let line = json!({"productOptionId": first, "productId": put["productId"], "productName": "Runner",
            "color": "black", "size": "270", "price": 300, "quantity": 2, "subtotal": 600, "stock": 10,
            "availableStock": 10, "isAvailable": true});
        assert_eq!(put, line);
        assert_eq!(pair.one.cart(user).await, [(first, 2), (second, 5)]);
        let path = format!("/api/users/{user}/cart");
        assert_eq!(pair.one.get(&path).expect(200).await.json()["data"][0], line);
        assert_eq!(
            pair.other.get(&format!("{path}/{first}")).expect(200).await.json(),
            json!({"data": line})
        );

        let taken = pair.other.call("DELETE", &format!("{path}/{first}")).expect(204).await;
        assert_eq!(taken.text, "");
        assert_eq!(pair.one.cart(user).await, [(second, 5)]);
        pair.one.call("DELETE", &path).expect(204).await;
        assert!(pair.other.cart(user).await.is_empty());
        pair.one.call("DELETE", &path).expect(204).await;
    });
}

#[test]
fn a_repeat_gives_the_item_that_quantity_and_never_adds() {
    run(async {
        let pair = stage().await;
        let (user, option) = (fresh_user(), option(&pair.one, 300, 10).await);
        for quantity in [3, 3, 1, 10] {
            pair.either(quantity).put_in_cart(user, option, quantity as i64).expect(201).await;
            assert_eq!(pair.either(quantity + 1).cart(user).await, [(option, quantity)]);
        }
    });
}

#[test]
fn prices_and_stock_are_those_of_the_moment() {
    run(async {
        let pair = stage().await;
        let (user, buyer, option) = (fresh_user(), fresh_user(), option(&pair.one, 300, 10).await);
        pair.one.put_in_cart(user, option, 4).expect(201).await;
        pair.other.order(buyer, option, 8).await;
        pair.one.catch_up().await;
        let shown = pair.one.get(&format!("/api/users/{user}/cart")).expect(200).await.json();
        assert_eq!(
            (&shown["data"][0]["quantity"], &shown["data"][0]["availableStock"]),
            (&json!(4), &json!(2))
        );
        pair.one.put_in_cart(user, option, 3).refused(400, "P002").await;
        pair.one.put_in_cart(user, option, 2).expect(201).await;
    });
}

#[test]
fn what_cannot_be_in_a_cart_is_refused_and_changes_nothing() {
    run(async {
        let pair = stage().await;
        let (user, option) = (fresh_user(), option(&pair.one, 300, 10).await);
        pair.one.put_in_cart(user, option, 7).expect(201).await;
        let path = format!("/api/users/{user}/cart");
        let mut problems = Vec::new();
        for (field, text, status, code) in [
            ("quantity", "0", 400, "O001"),
            ("quantity", "-1", 400, "O001"),
            ("quantity", "11", 400, "P002"),
            ("quantity", "9007199254740992", 400, "P002"),
            ("quantity", "1000000000000000000000000000000", 400, "P002"),
            ("quantity", "-1000000000000000000000000000000", 400, "O001"),
            ("quantity", "1.5", 400, "INVALID_REQUEST"),
            ("quantity", "\"1\"", 400, "INVALID_REQUEST"),
            ("quantity", "null", 400, "INVALID_REQUEST"),
            ("quantity", "true", 400, "INVALID_REQUEST"),
            ("quantity", "[1]", 400, "INVALID_REQUEST"),
            ("productOptionId", "0", 404, "P004"),
            ("productOptionId", "9007199254740991", 404, "P004"),
            ("productOptionId", "9007199254740992", 400, "INVALID_REQUEST"),
            ("productOptionId", "-1", 400, "INVALID_REQUEST"),
            ("productOptionId", "1.5", 400, "INVALID_REQUEST"),
            ("productOptionId", "\"x\"", 400, "INVALID_REQUEST"),
            ("productOptionId", "null", 400, "INVALID_REQUEST"),
            ("productOptionId", "{}", 400, "INVALID_REQUEST"),
            ("unknown", "1", 400, "INVALID_REQUEST"),
        ] {
            let mut body = json!({"productOptionId": option, "quantity": 1});
            body[field] = "@".into();
            let body = body.to_string().replace("\"@\"", text);
            let answer = pair.one.post(&path).body("application/json", body).send().await;
            problems
                .extend(answer.unlike_refusal(status, code).map(|problem| format!("{problem}: {answer:?}")));
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        for body in ["", "{}", "{\"quantity\":1}", "{\"productOptionId\":1}", "[]", "null"] {
            pair.one.post(&path).body("application/json", body).refused(400, "INVALID_REQUEST").await;
        }
        for bad in ["x", "0", "-1", "9007199254740992"] {
            for method in ["GET", "DELETE"] {
                let call = pair.one.call(method, &format!("/api/users/{bad}/cart"));
                call.refused(400, "INVALID_REQUEST").await;
            }
        }
        for method in ["GET", "DELETE"] {
            for absent in
                ["0", "9007199254740991", "99999999999999999999", &format!("{}", option + 1_000_000)]
            {
                pair.one.call(method, &format!("{path}/{absent}")).refused(404, "CART001").await;
            }
            for bad in ["x", "-1", "1.5"] {
                pair.one.call(method, &format!("{path}/{bad}")).refused(400, "INVALID_REQUEST").await;
            }
        }
        pair.one.call("PATCH", &path).refused(405, "METHOD_NOT_ALLOWED").await;
        assert_eq!(pair.other.cart(user).await, [(option, 7)]);
    });
}

#[test]
fn a_cart_holds_as_many_lines_as_an_order_can_take() {
    run(async {
        let pair = stage().await;
        let options: Vec<Value> =
            (0..100).map(|n| json!({"color": "c", "size": n.to_string(), "stock": 9})).collect();
        let (_, first) = listed(&pair.one, json!({"options": options})).await;
        let another = option(&pair.one, 1, 9).await;
        let user = fresh_user();
        let puts = (first..first + 100)
            .map(|option| tokio::spawn(pair.one.put_in_cart(user, option, 1).expect(201)));
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        pair.other.put_in_cart(user, another, 1).refused(400, "INVALID_REQUEST").await;
        pair.one.put_in_cart(user, first, 9).expect(201).await;
        let cart = pair.other.cart(user).await;
        assert_eq!((cart.len(), cart[0]), (100, (first, 9)));
        let items: Vec<Value> =
            cart.iter().map(|(option, n)| json!({"productOptionId": option, "quantity": n})).collect();
        pair.other.post("/api/orders").json(&json!({"userId": user, "items": items})).expect(201).await;
    });
}

#[test]
fn a_cart_is_open_to_its_owner_alone() {
    run(async {
        let pair = secure().await;
        let option = option(&pair.one, 300, 10).await;
        let ((owner, cookie), (_, another)) = (pair.one.guest().await, pair.other.guest().await);
        pair.one.put_in_cart(owner, option, 1).cookie(&cookie).expect(201).await;
        let path = format!("/api/users/{owner}/cart");
        for (method, path) in [
            ("GET", &path),
            ("DELETE", &path),
            ("GET", &format!("{path}/{option}")),
            ("DELETE", &format!("{path}/{option}")),
        ] {
            pair.other.call(method, path).refused(401, "UNAUTHENTICATED").await;
            pair.other.call(method, path).cookie(&another).refused(403, "U002").await;
        }
        pair.one.put_in_cart(owner, option, 2).cookie(&another).refused(403, "U002").await;
        let shown = pair.other.get(&path).cookie(&cookie).expect(200).await.json();
        assert_eq!(shown["data"][0]["quantity"], 1);
    });
}

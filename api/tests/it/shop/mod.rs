//! The shop: catalogue, stock, balances, orders, payments.

mod balances;
mod catalogue;
mod input;
mod listing;
mod orders;
mod payments;
mod secure;

use crate::server::Server;
use serde_json::{Value, json};

/// What everybody has in stage mode before anything was charged or paid.
pub(crate) const OPENING: u64 = 1_000_000_000;

/// Lists a product with one option and returns the option's id.
pub(crate) async fn option(server: &Server, price: u64, stock: u64) -> u64 {
    listed(server, json!({"price": price, "options": [{"color": "black", "size": "270", "stock": stock}]}))
        .await
        .1
}

/// Lists a product; `fields` replace those of an ordinary one. Its id and that of its first option.
pub(crate) async fn listed(server: &Server, fields: Value) -> (u64, u64) {
    let mut body = json!({"name": "Runner", "category": "SHOES", "description": "A shoe.", "price": 1_000,
        "options": [{"color": "black", "size": "270", "stock": 10}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = server.admin_post("/admin/products").json(&body).expect(201).await.json();
    (answer["productId"].as_u64().unwrap(), answer["productOptionIds"][0].as_u64().unwrap())
}

/// The body of an order of one line.
pub(crate) fn order_of(user: u64, option: u64, quantity: i64) -> Value {
    json!({"userId": user, "items": [{"productOptionId": option, "quantity": quantity}]})
}

impl Server {
    /// Places an order of one line and returns its id.
    pub(crate) async fn order(&self, user: u64, option: u64, quantity: i64) -> u64 {
        let answer = self.post("/api/orders").json(&order_of(user, option, quantity)).expect(201).await;
        answer.json()["orderId"].as_u64().unwrap()
    }

    /// A user's balance.
    pub(crate) async fn balance(&self, user: u64) -> u64 {
        let answer = self.get(&format!("/api/users/{user}/balance")).expect(200).await;
        answer.json()["balance"].as_u64().unwrap()
    }

    /// Stock and available stock of a product's first option.
    pub(crate) async fn stock(&self, product: u64) -> (u64, u64) {
        let answer = self.get(&format!("/api/products/{product}")).expect(200).await.json();
        let option = &answer["options"][0];
        (option["stock"].as_u64().unwrap(), option["availableStock"].as_u64().unwrap())
    }

    pub(crate) fn pay(&self, order: u64, body: &Value) -> crate::client::Call {
        self.post(&format!("/api/orders/{order}/payment")).json(body)
    }
}

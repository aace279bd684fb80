//! A client of the API that never retries by itself and never hides an answer.

use super::deployment::ADMIN_TOKEN;
use serde_json::{Value, json};
use stack::process::Process;
use std::time::{Duration, Instant};

/// Longer than the API's own deadline, so that it is the API that gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// `Idempotent-Replayed: true`.
    pub replayed: bool,
    /// `Retry-After` is there.
    pub retry_after: bool,
    /// From the request's first byte to the answer's last.
    pub took: Duration,
}

impl Answer {
    /// The error's code; empty for a success.
    pub fn code(&self) -> &str {
        self.body["errorCode"].as_str().unwrap_or_default()
    }

    /// A member of the body that is an id.
    pub fn id(&self, name: &str) -> u64 {
        self.body[name].as_u64().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// One client; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    /// Of the public listener.
    pub fn of(api: &Process) -> Self {
        Self::at(&format!("http://127.0.0.1:{}", api.launch().port))
    }

    /// Of any address.
    pub fn at(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_idle_connections(256)
            .max_idle_connections_per_host(256)
            .proxy(None)
            .build();
        Self { agent: config.into(), base: base.to_owned() }
    }

    /// POSTs; an empty body where there is none.
    pub fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let began = Instant::now();
        let response = match body {
            Some(body) => request.content_type("application/json").send(body.to_string())?,
            None => request.send_empty()?,
        };
        read(response, began)
    }

    /// Orders one piece.
    pub fn order(&self, user: u64, option: u64, key: &str) -> Result<Answer, ureq::Error> {
        let items = json!([{"productOptionId": option, "quantity": 1}]);
        let body = json!({"userId": user, "items": items});
        self.post("/api/orders", &[("Idempotency-Key", key)], Some(body))
    }

    /// Pays an order with a piece of a coupon, or without.
    pub fn pay(&self, order: u64, user: u64, piece: Option<u64>, key: &str) -> Result<Answer, ureq::Error> {
        let path = format!("/api/orders/{order}/payment");
        let body = json!({"userId": user, "couponId": piece});
        self.post(&path, &[("Idempotency-Key", key)], Some(body))
    }

    /// GETs.
    pub fn get(&self, path: &str) -> Result<Answer, ureq::Error> {
        let began = Instant::now();
        read(self.agent.get(format!("{}{path}", self.base)).call()?, began)
    }

    /// GETs what only operators may see.
    pub fn get_as_operator(&self, path: &str) -> Result<Answer, ureq::Error> {
        let (request, began) = (self.agent.get(format!("{}{path}", self.base)), Instant::now());
        read(request.header("Authorization", format!("Bearer {ADMIN_TOKEN}")).call()?, began)
    }

    /// POSTs what only operators may ask for.
    pub fn post_as_operator(&self, path: &str, body: Value) -> Result<Answer, ureq::Error> {
        self.post(path, &[("Authorization", &format!("Bearer {ADMIN_TOKEN}"))], Some(body))
    }

    /// Signs a guest up.
    pub fn sign_up(&self, key: &str) -> Result<Answer, ureq::Error> {
        self.post("/api/auth/signup", &[("Idempotency-Key", key)], None)
    }

    /// Claims a piece of a coupon.
    pub fn claim(&self, coupon: u64, user: u64, key: &str) -> Result<Answer, ureq::Error> {
        let path = format!("/api/coupons/{coupon}/issue");
        self.post(&path, &[("Idempotency-Key", key)], Some(json!({"userId": user})))
    }
}

/// Opens a coupon on the admin listener.
pub fn open_coupon(api: &Process, coupon: u64, total: u64) {
    let body = json!({"couponId": coupon, "name": "fault", "total": total, "discountRate": 15,
        "expiresAt": "2029-12-31T23:59:59Z"});
    let answer = Client::at(&api.admin_url()).post_as_operator("/admin/coupons", body).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Lists a product with so many options of a million pieces each, on the admin listener; returns the options' ids.
pub fn list_product(api: &Process, options: u64, price: u64) -> Vec<u64> {
    let option = |n: u64| json!({"color": "black", "size": n.to_string(), "stock": 1_000_000});
    let options: Vec<Value> = (1..=options).map(option).collect();
    let body = json!({"name": "fault", "category": "FAULT", "price": price, "options": options});
    let answer = Client::at(&api.admin_url()).post_as_operator("/admin/products", body).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["productOptionIds"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

fn read(mut response: ureq::http::Response<ureq::Body>, began: Instant) -> Result<Answer, ureq::Error> {
    let text = response.body_mut().read_to_string()?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    Ok(Answer {
        status: response.status().as_u16(),
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        replayed: header("idempotent-replayed") == Some("true"),
        retry_after: header("retry-after").is_some(),
        took: began.elapsed(),
    })
}

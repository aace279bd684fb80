//! Nonsense from outside: every field of every body of the shop.

use super::{listed, order_of};
use crate::{log, run, server::Server};
use api::config::ModeSetting;
use serde_json::{Value, json};

/// A request and its body with one field replaced by each of the texts.
pub(super) struct Field {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Value,
    /// JSON pointer of the field.
    pub(super) at: &'static str,
    /// Texts that are refused, and the refusal.
    pub(super) bad: Vec<Bad>,
    /// Whether it may be left out.
    pub(super) optional: bool,
}

/// A text, and the status and code with which it is refused.
pub(super) type Bad = (&'static str, u16, &'static str);

pub(super) const INVALID: &str = "INVALID_REQUEST";

/// No id of ours, and no amount of money.
pub(super) fn no_number() -> Vec<Bad> {
    let texts = ["-1", "1.5", "9007199254740992", "1e30", "-1e30", "1000000000000000000000000000000"];
    let others = ["true", "[1]", "{}", r#""x""#, r#""""#, r#""-1""#];
    texts.into_iter().chain(others).map(|text| (text, 400, INVALID)).collect()
}

pub(super) fn also(mut bad: Vec<Bad>, more: &[Bad]) -> Vec<Bad> {
    bad.extend(more);
    bad
}

fn fields(option: u64, order: u64, user: u64) -> Vec<Field> {
    let placing = || order_of(user, option, 1);
    let quantities = vec![
        ("0", 400, "O001"),
        ("-1", 400, "O001"),
        ("9007199254740992", 400, "O001"),
        ("1000000000000000000000000000000", 400, "O001"),
        ("-1000000000000000000000000000000", 400, "O001"),
        ("1.5", 400, INVALID),
        ("null", 400, INVALID),
        (r#""1""#, 400, INVALID),
        ("true", 400, INVALID),
        ("[1]", 400, INVALID),
        ("11", 400, "P002"),
    ];
    let field =
        |method, path: String, body, at, bad, optional| Field { method, path, body, at, bad, optional };
    let orders = || "/api/orders".to_owned();
    let balance = format!("/api/users/{user}/balance");
    let stock = format!("/api/products/options/{option}/stock");
    let change = || json!({"operation": "increase", "quantity": 1});
    let payment = format!("/api/orders/{order}/payment");
    let zero = [("0", 400, INVALID)];
    vec![
        field("POST", orders(), placing(), "/userId", also(no_number(), &zero), false),
        field(
            "POST",
            orders(),
            placing(),
            "/items",
            vec![
                ("[]", 400, INVALID),
                ("{}", 400, INVALID),
                ("1", 400, INVALID),
                ("null", 400, INVALID),
                ("[1]", 400, INVALID),
                ("[[1,1]]", 400, INVALID),
            ],
            false,
        ),
        field(
            "POST",
            orders(),
            placing(),
            "/items/0/productOptionId",
            also(no_number(), &[("0", 404, "P004"), ("9007199254740991", 404, "P004")]),
            false,
        ),
        field("POST", orders(), placing(), "/items/0/quantity", quantities, false),
        field("POST", payment.clone(), json!({"userId": user}), "/userId", also(no_number(), &zero), false),
        field(
            "POST",
            payment,
            json!({"userId": user, "couponId": 0}),
            "/couponId",
            also(no_number(), &[("0", 400, "C002"), ("9007199254740991", 400, "C002")]),
            true,
        ),
        field("PATCH", balance, json!({"amount": 1}), "/amount", also(no_number(), &zero), false),
        field("PATCH", stock.clone(), change(), "/quantity", also(no_number(), &zero), false),
        field(
            "PATCH",
            stock,
            change(),
            "/operation",
            vec![(r#""set""#, 400, INVALID), ("1", 400, INVALID), ("null", 400, INVALID)],
            false,
        ),
    ]
}

pub(super) async fn problems(server: &Server, field: &Field) -> Vec<String> {
    let mut found = Vec::new();
    let call = if field.path.starts_with("/admin/") { Server::admin_call } else { Server::call };
    let mut check = async |body: String, status, code: &str| {
        let answer = call(server, field.method, &field.path).body("application/json", body).send().await;
        if let Some(problem) = answer.unlike_refusal(status, code) {
            found.push(format!("{problem}, not {status} {code}: {answer:?}"));
        }
    };
    for (text, status, code) in &field.bad {
        let mut body = field.body.clone();
        *body.pointer_mut(field.at).expect("the field is there") = "@".into();
        check(body.to_string().replace(r#""@""#, text), *status, code).await;
    }
    if !field.optional {
        let mut body = field.body.clone();
        let (parent, name) = field.at.rsplit_once('/').expect("a pointer");
        body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(name);
        check(body.to_string(), 400, INVALID).await;
    }
    let mut unknown = field.body.clone();
    unknown["surprise"] = 1.into();
    check(unknown.to_string(), 400, INVALID).await;
    found
}

#[test]
fn every_field_of_every_body_is_checked_and_nothing_changes() {
    run(async {
        let config = log::found(ModeSetting::Stage).await;
        let server = Server::start(config.clone()).await;
        let (product, option) = listed(&server, json!({"price": 1_u64 << 40})).await;
        let user = 77;
        let order = server.order(user, option, 1).await;
        let before = log::ends(&config).await;
        let mut all = Vec::new();
        for field in fields(option, order, user) {
            all.extend(problems(&server, &field).await);
        }
        let many: Vec<Value> =
            (0..10_000).map(|_| json!({"productOptionId": option, "quantity": 1})).collect();
        let many = json!({"userId": user, "items": many});
        server.post("/api/orders").json(&many).refused(413, "PAYLOAD_TOO_LARGE").await;
        let items: Vec<Value> = (0..101).map(|_| json!({"productOptionId": option, "quantity": 1})).collect();
        server.post("/api/orders").json(&json!({"userId": user, "items": items})).refused(400, INVALID).await;
        assert!(all.is_empty(), "{}\n{}", all.len(), all.join("\n"));
        assert_eq!(server.stock(product).await, (10, 9));
        assert_eq!(server.balance(user).await, super::OPENING);
        // Payments that name a coupon nobody vouches for are recorded, so that their refusal is a fact; all else is not.
        let after = log::ends(&config).await;
        let appended: u64 = after.iter().zip(&before).map(|(after, before)| after - before).sum();
        assert_eq!(appended, 2, "only the two refused coupons");
        server.stop().await;
    });
}

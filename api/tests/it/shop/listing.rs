//! `POST /admin/products`: what makes a product, and every field that does not.

use super::input::{Bad, Field, INVALID, also, no_number, problems};
use crate::{
    log, run,
    server::{Server, stage},
};
use api::config::ModeSetting;
use serde_json::{Value, json};
use uuid::Uuid;

const PATH: &str = "/admin/products";

fn shoe() -> Value {
    json!({"name": "Runner", "category": "SHOES", "description": "A shoe.", "price": 1_000, "available": true,
        "options": [{"color": "black", "size": "270", "stock": 10}]})
}

fn option() -> Value {
    shoe()["options"][0].take()
}

fn with(at: &str, value: Value) -> Value {
    let mut body = shoe();
    *body.pointer_mut(at).expect("the field is there") = value;
    body
}

/// What is no text, and the texts in `more`.
fn no_text(more: &[&'static str]) -> Vec<Bad> {
    let texts = ["5", "-1", "1e30", "true", "[]", r#"["C"]"#, "{}"];
    texts.iter().chain(more).map(|text| (*text, 400, INVALID)).collect()
}

fn fields() -> Vec<Field> {
    let empty = &[r#""""#, "null"];
    let null = [("null", 400, INVALID)];
    let lists =
        ["[]", "{}", "1", "null", "true", r#""black""#, "[1]", "[null]", "[[]]", r#"[["black","270",1]]"#];
    let extra = r#"[{"color":"black","size":"270","stock":1,"surprise":1}]"#;
    let lists = lists.into_iter().chain([extra]).map(|text| (text, 400, INVALID)).collect();
    let truths = ["0", "1", "-1", r#""true""#, r#""""#, "[]", "{}"].map(|text| (text, 400, INVALID)).to_vec();
    let field =
        |at, bad, optional| Field { method: "POST", path: PATH.into(), body: shoe(), at, bad, optional };
    vec![
        field("/name", no_text(empty), false),
        field("/category", no_text(empty), false),
        field("/description", no_text(&[]), true),
        field("/price", also(no_number(), &null), false),
        field("/available", truths, true),
        field("/options", lists, false),
        field("/options/0/color", no_text(empty), false),
        field("/options/0/size", no_text(empty), false),
        field("/options/0/stock", also(no_number(), &null), false),
    ]
}

/// Too long, or too many.
async fn beyond_limits(server: &Server) {
    let texts = [("/name", 255), ("/category", 64), ("/description", 2_000)];
    for (at, most) in texts.into_iter().chain([("/options/0/color", 64), ("/options/0/size", 64)]) {
        for length in [most + 1, 10_000] {
            let body = with(at, "가".repeat(length).into());
            server.admin_post(PATH).json(&body).refused(400, INVALID).await;
        }
    }
    let many = |count| with("/options", vec![option(); count].into());
    server.admin_post(PATH).json(&many(101)).refused(400, INVALID).await;
    server.admin_post(PATH).json(&many(10_000)).refused(413, "PAYLOAD_TOO_LARGE").await;
}

#[test]
fn every_field_of_a_product_is_checked_and_nothing_changes() {
    run(async {
        let config = log::found(ModeSetting::Stage).await;
        let server = Server::start(config.clone()).await;
        let before = log::ends(&config).await;
        let mut all = Vec::new();
        for field in fields() {
            all.extend(problems(&server, &field).await);
        }
        assert!(all.is_empty(), "{}\n{}", all.len(), all.join("\n"));
        beyond_limits(&server).await;
        assert_eq!(log::ends(&config).await, before);
        assert_eq!(server.get("/api/products").expect(200).await.json()["total"], 0);
        server.stop().await;
    });
}

#[test]
fn a_product_may_be_as_large_as_its_limits_and_cost_nothing() {
    run(async {
        let server = &stage().await.one;
        let largest = 9_007_199_254_740_991_u64;
        let many: Vec<Value> = (0..100).map(|_| json!({"color": "c", "size": "s", "stock": 0})).collect();
        for (at, value) in [
            ("/name", "가".repeat(255).into()),
            ("/category", "가".repeat(64).into()),
            ("/description", "가".repeat(2_000).into()),
            ("/description", "".into()),
            ("/options/0/color", "가".repeat(64).into()),
            ("/options/0/size", "가".repeat(64).into()),
            ("/price", 0.into()),
            ("/price", largest.into()),
            ("/price", "5".into()),
            ("/available", false.into()),
            ("/options/0/stock", 0.into()),
            ("/options/0/stock", largest.into()),
            ("/options", many.into()),
        ] {
            server.admin_post(PATH).json(&with(at, value)).expect(201).await;
        }
    });
}

#[test]
fn null_is_as_good_as_leaving_a_field_out() {
    run(async {
        let pair = stage().await;
        let key = Uuid::new_v4().to_string();
        let list = |n: u64, body: &Value| pair.either(n).admin_post(PATH).key(&key).json(body).expect(201);
        let mut bare = shoe();
        let fields = bare.as_object_mut().unwrap();
        fields.retain(|name, _| name != "description" && name != "available");
        let first = list(0, &bare).await;
        let mut nulls = with("/description", Value::Null);
        nulls["available"] = Value::Null;
        let again = list(1, &nulls).await;
        assert!(again.is_replayed(), "one request, written in two ways: {again:?}");
        assert_eq!(again.json(), first.json());
        let path = format!("/api/products/{}", first.json()["productId"]);
        let shown = pair.one.get(&path).expect(200).await.json();
        assert_eq!((&shown["description"], &shown["isAvailable"]), (&json!(""), &json!(true)));
    });
}

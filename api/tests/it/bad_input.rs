//! Nonsense from outside: refused in one form, and nothing of it reaches the log.

use crate::{client::Call, log, raw::Raw, run, server::Server};
use api::config::ModeSetting;
use serde_json::{Value, json};
use std::time::Duration;

const JSON: &str = "application/json";
/// The listener that a path is on.
const PUBLIC: bool = false;
const ADMIN: bool = true;

/// A request, and how it must be refused.
struct Case {
    admin: bool,
    method: &'static str,
    path: String,
    content_type: &'static str,
    body: Vec<u8>,
    refusal: (u16, &'static str),
}

impl Case {
    fn invalid(admin: bool, path: &str, body: impl Into<Vec<u8>>) -> Self {
        let refusal = (400, "INVALID_REQUEST");
        Self { admin, method: "POST", path: path.into(), content_type: JSON, body: body.into(), refusal }
    }

    /// What is wrong with the answer, if anything is.
    async fn problem(self, server: &Server) -> Option<String> {
        let call = if self.admin { Server::admin_call } else { Server::call };
        let (status, code) = self.refusal;
        let answer = call(server, self.method, &self.path).body(self.content_type, self.body).send().await;
        answer.unlike_refusal(status, code).map(|problem| format!("{problem}: {answer:?}"))
    }
}

/// What no number of ours may be.
const NO_IDS: [&str; 15] = [
    "-1",
    "1.5",
    "9007199254740992",
    "18446744073709551616",
    "1e30",
    "-1e30",
    "1e400",
    "true",
    "[1]",
    "{}",
    r#""""#,
    r#""x""#,
    r#"" 1""#,
    r#""-1""#,
    r#""9007199254740992""#,
];

fn with(template: &Value, field: &str, text: &str) -> String {
    let mut body = template.clone();
    body[field] = "@".into();
    body.to_string().replace(r#""@""#, text)
}

fn without(template: &Value, field: &str) -> String {
    let mut body = template.clone();
    body.as_object_mut().unwrap().remove(field);
    body.to_string()
}

/// Every field of a body: missing, and each bad value.
fn fields(admin: bool, path: &str, template: &Value, bad: &[(&str, &[&str])]) -> Vec<Case> {
    let mut cases = vec![Case::invalid(admin, path, with(template, "unknown", "1"))];
    for (field, values) in bad {
        // A campaign that is not there yet is opened by its terms only; without a name it is asked for by mistake.
        let unnamed = *field == "name" && path.starts_with("/admin/campaigns");
        let refusal = if unnamed { (404, "CAMPAIGN_NOT_FOUND") } else { (400, "INVALID_REQUEST") };
        for missing in [without(template, field), with(template, field, "null")] {
            cases.push(Case { refusal, ..Case::invalid(admin, path, missing) });
        }
        let every = NO_IDS.iter().filter(|_| !["name", "discountRate", "expiresAt"].contains(field));
        for value in values.iter().chain(every).chain(&["[]", "false"]) {
            cases.push(Case::invalid(admin, path, with(template, field, value)));
        }
    }
    cases
}

/// Every route that takes a body, but for that of signed ones.
const ROUTES: [(bool, &str, &str); 16] = [
    (PUBLIC, "POST", "/api/auth/signup"),
    (PUBLIC, "POST", "/api/auth/login"),
    (PUBLIC, "POST", "/api/auth/logout"),
    (PUBLIC, "POST", "/api/coupons/1/issue"),
    (PUBLIC, "POST", "/coupon/apply?userId=1"),
    (PUBLIC, "POST", "/api/orders"),
    (PUBLIC, "POST", "/api/orders/1/payment"),
    (PUBLIC, "POST", "/api/users/1/cart"),
    (PUBLIC, "PATCH", "/api/users/1/balance"),
    (PUBLIC, "PATCH", "/api/products/options/1/stock"),
    (ADMIN, "POST", "/admin/products"),
    (ADMIN, "POST", "/admin/coupons"),
    (ADMIN, "POST", "/admin/coupons/1/extend"),
    (ADMIN, "POST", "/admin/coupons/1/close"),
    (ADMIN, "POST", "/admin/campaigns/new/reset"),
    (ADMIN, "POST", "/admin/rules/activate"),
];

fn coupon() -> Value {
    json!({"couponId": 17, "name": "C", "total": 5, "discountRate": 10, "expiresAt": 1_900_000_000_000_u64})
}

fn every_field() -> Vec<Case> {
    let long_name = format!("\"{}\"", "n".repeat(256));
    let names: &[&str] = &["5", "1e30", r#""""#, &long_name, r#"["C"]"#, "{}"];
    let rates: &[&str] = &["-1", "100.01", "0.001", "1e30", r#""10""#, r#""x""#, "[10]", "{}"];
    let times: &[&str] =
        &["-1", "1.5", "1e30", "9007199254740992", r#""soon""#, r#""2029-13-01T00:00:00Z""#, "[1]", "{}"];
    let totals: &[&str] = &["0", "4294967296"];
    let terms = [("name", names), ("discountRate", rates), ("expiresAt", times), ("total", totals)];
    let mut coupons = terms.to_vec();
    coupons.push(("couponId", &["0", "2097152"]));
    let total = json!({"total": 6});
    [
        fields(PUBLIC, "/api/coupons/1/issue", &json!({"userId": 1}), &[("userId", &["0"])]),
        fields(ADMIN, "/admin/coupons", &coupon(), &coupons),
        fields(ADMIN, "/admin/campaigns/new/reset", &coupon(), &coupons),
        fields(ADMIN, "/admin/coupons/1/extend", &total, &[("total", totals)]),
        fields(ADMIN, "/admin/rules/activate", &json!({"version": 1}), &[("version", &["0"])]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Sign-up and login, whose fields may be left out in part.
fn every_credential() -> Vec<Case> {
    const SIGN_UP: &str = "/api/auth/signup";
    const LOG_IN: &str = "/api/auth/login";
    let template = json!({"email": "a@example.com", "password": "p"});
    let mut cases = fields(PUBLIC, LOG_IN, &json!({"userId": 1}), &[("userId", &[])]);
    for (path, field) in [(SIGN_UP, "email"), (SIGN_UP, "password"), (LOG_IN, "email"), (LOG_IN, "password")]
    {
        for value in ["5", "0", "-1", "1e30", "true", "[]", r#"["a"]"#, "{}"] {
            cases.push(Case::invalid(PUBLIC, path, with(&template, field, value)));
        }
        cases.push(Case::invalid(PUBLIC, path, with(&template, "unknown", "1")));
    }
    let guests = [r#"{"email":"a@example.com","password":"p"}"#, r#"{"email":"a"}"#, r#"{"email":""}"#];
    let guests = guests.into_iter().chain([r#"{"password":"p"}"#, r#"{"userId":1}"#, r#"{"userId":0}"#]);
    cases.extend(guests.map(|body| Case::invalid(PUBLIC, SIGN_UP, body)));
    cases.extend(NO_IDS.map(|id| Case::invalid(PUBLIC, SIGN_UP, format!(r#"{{"userId":{id}}}"#))));
    for body in ["{}", "null", r#"{"email":null,"password":"p"}"#, r#"{"password":"1234"}"#] {
        cases.push(Case::invalid(PUBLIC, LOG_IN, body));
    }
    let long = format!("\"{}\"", "e".repeat(10_000));
    let strangers = [
        template.to_string(),
        with(&template, "email", &long),
        with(&template, "password", &long),
        with(&template, "email", r#""""#),
        with(&template, "password", "null"),
        without(&template, "password"),
        with(&template, "userId", "1"),
        r#"{"userId":0}"#.into(),
    ];
    let refusal = (401, "U004");
    cases.extend(strangers.map(|body| Case { refusal, ..Case::invalid(PUBLIC, LOG_IN, body) }));
    cases
}

/// Bodies that are wrong whatever the path.
fn every_body() -> Vec<Case> {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    let bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"}".to_vec(),
        b"   ".to_vec(),
        b"{}{}".to_vec(),
        b"nul".to_vec(),
        b"null null".to_vec(),
        b"[]".to_vec(),
        b"[1]".to_vec(),
        b"[null]".to_vec(),
        b"1".to_vec(),
        b"\"userId\"".to_vec(),
        b"true".to_vec(),
        b"{'userId':1}".to_vec(),
        b"{\"userId\":1,}".to_vec(),
        b"{\"userId\":NaN}".to_vec(),
        b"{\"userId\":\"\xff\xfe\"}".to_vec(),
        b"\xff\xfe{\"userId\":1}".to_vec(),
        b"\xef\xbb\xbf{\"userId\":1}".to_vec(),
        b"{\"userId\":1,\"userId\":2}".to_vec(),
        b"{\"__proto__\":{}}".to_vec(),
        deep("[", "]").into(),
        deep(r#"{"a":"#, "}").into(),
        format!(r#"{{"userId":{}}}"#, deep("[", "]")).into(),
        format!(r#"{{"unknown":{}}}"#, deep("[", "]")).into(),
    ];
    let mut cases = Vec::new();
    for (admin, method, path) in ROUTES {
        let case = |body: &[u8]| Case { method, ..Case::invalid(admin, path, body) };
        cases.extend(bodies.iter().map(|body| case(body)));
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            let refusal = (415, "UNSUPPORTED_MEDIA_TYPE");
            cases.push(Case { content_type, refusal, ..case(b"{}") });
        }
        let refusal = (413, "PAYLOAD_TOO_LARGE");
        let large = format!(r#"{{"userId":{}1}}"#, " ".repeat(65 * 1_024));
        cases.push(Case { refusal, ..case(large.as_bytes()) });
    }
    cases
}

/// Paths and queries that name nothing.
fn every_path() -> Vec<Case> {
    let user = r#"{"userId":1}"#;
    let mut cases = Vec::new();
    for id in ["", "x", "-1", "1.5", "%20", "%ff", "1%00", "١"] {
        cases.push(Case::invalid(PUBLIC, &format!("/api/coupons/{id}/issue"), user));
        cases.push(Case::invalid(ADMIN, &format!("/admin/coupons/{id}/close"), "{}"));
        cases.push(Case::invalid(ADMIN, &format!("/admin/coupons/{id}/extend"), r#"{"total":6}"#));
    }
    for query in ["", "?", "?userid=1", "?userId", "?userId=", "?userId=0", "?userId=-1", "?userId=x"] {
        cases.push(Case::invalid(PUBLIC, &format!("/coupon/apply{query}"), ""));
    }
    for query in ["?userId=9007199254740992", "?userId=1e3", "?userId=%ff"] {
        cases.push(Case::invalid(PUBLIC, &format!("/coupon/apply{query}"), ""));
    }
    let long = "p".repeat(3_000);
    cases.push(Case::invalid(PUBLIC, &format!("/api/coupons/1/issue?{long}"), user));
    cases.push(Case::invalid(PUBLIC, &format!("/api/auth/signup?{long}"), ""));
    cases.push(Case::invalid(ADMIN, &format!("/admin/coupons?{long}"), coupon().to_string()));
    let terms = coupon().to_string();
    cases.push(Case::invalid(ADMIN, &format!("/admin/campaigns/{}/reset", "c".repeat(65)), terms));
    let elsewhere = with(&coupon(), "couponId", "18");
    cases.push(Case::invalid(ADMIN, "/admin/campaigns/new/reset", elsewhere));
    for id in ["0", "2097152", "9007199254740992", "99999999999999999999999999"] {
        let refusal = (404, "C006");
        let path = format!("/api/coupons/{id}/issue");
        cases.push(Case { refusal, ..Case::invalid(PUBLIC, &path, user) });
    }
    cases
}

async fn wrong_methods_and_paths(server: &Server) {
    for path in ["/api/auth/signup", "/api/auth/login", "/api/coupons/1/issue", "/coupon/apply"] {
        server.get(path).refused(405, "METHOD_NOT_ALLOWED").await;
        server.call("DELETE", path).refused(405, "METHOD_NOT_ALLOWED").await;
    }
    for path in ["/api/users/1/coupons", "/api/requests/x", "/health", "/ready"] {
        let answer = server.post(path).refused(405, "METHOD_NOT_ALLOWED").await;
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{path}");
    }
    for path in ["/health", "/metrics", "/admin/positions", "/admin/consumers", "/admin/database"] {
        let answer = server.admin_post(path).refused(405, "METHOD_NOT_ALLOWED").await;
        assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{path}");
    }
    for path in ["/", "/api", "/api/coupons/1", "/API/AUTH/SIGNUP", "/%ff", "/api/auth/signup/"] {
        server.post(path).refused(404, "NOT_FOUND").await;
        server.get(path).refused(404, "NOT_FOUND").await;
    }
    for id in ["0", "x", "-1", "9007199254740992", "%ff", "1.0"] {
        server.get(&format!("/api/users/{id}/coupons")).refused(400, "INVALID_REQUEST").await;
    }
    server.get(&format!("/api/users/1/coupons?{}", "q".repeat(3_000))).refused(400, "INVALID_REQUEST").await;
    server.get("/api/requests/%ff").refused(400, "INVALID_REQUEST").await;
}

async fn wrong_keys(server: &Server) {
    for key in ["k".repeat(256), String::new()] {
        let issue = server.issue(1, 1);
        issue.key(&key).refused(400, "INVALID_REQUEST").await;
        server.post("/api/auth/signup").key(&key).refused(400, "INVALID_REQUEST").await;
        let create = server.admin_post("/admin/coupons").json(&coupon());
        create.key(&key).refused(400, "INVALID_REQUEST").await;
    }
    server.issue(1, 1).key("한글").refused(400, "INVALID_REQUEST").await;
}

/// Bodies over the limit, and lengths that lie, told by hand.
async fn wrong_lengths(server: &Server) {
    // The client is still sending when the server knows: it must be able to read why, and not find a reset.
    for length in [64 * 1_024 + 1, 200_000, 900_000] {
        for _ in 0..10 {
            let call = server.post("/api/auth/signup").body(JSON, vec![b' '; length]);
            call.refused(413, "PAYLOAD_TOO_LARGE").await;
        }
    }
    server.post("/api/auth/signup").body(JSON, vec![b' '; 64 * 1_024]).refused(400, "INVALID_REQUEST").await;
    // Before the 10 s that a body has.
    const AT_ONCE: Duration = Duration::from_secs(5);
    let head = "POST /api/coupons/1/issue HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
    let declared = format!("{head}Content-Length: 1000000000\r\n\r\n{{");
    let mut raw = Raw::with(server.public, declared.as_bytes()).await;
    raw.answer(AT_ONCE).await.expect("an answer at once").assert_refused(413, "PAYLOAD_TOO_LARGE");

    let chunk = format!("{:x}\r\n{}\r\n", 65 * 1_024, " ".repeat(65 * 1_024));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    let mut raw = Raw::with(server.public, chunked.as_bytes()).await;
    raw.answer(AT_ONCE).await.expect("an answer at once").assert_refused(413, "PAYLOAD_TOO_LARGE");
}

#[test]
fn nonsense_is_refused_in_one_form_and_changes_nothing() {
    run(async {
        // A log of its own: nobody else may write to it.
        let config = log::found(ModeSetting::Stage).await;
        let server = Server::start(config.clone()).await;
        let positions = async || server.admin_get("/admin/positions").expect(200).await.json();
        let (before, ends) = (positions().await, log::ends(&config).await);
        assert_eq!(before["positions"].as_array().unwrap().len(), 13, "{before}");
        assert!(ends.iter().all(|end| *end == 1), "only the first rules: {ends:?}");

        let mut problems = Vec::new();
        let cases =
            every_field().into_iter().chain(every_credential()).chain(every_body()).chain(every_path());
        for case in cases {
            problems.extend(case.problem(&server).await);
        }
        assert!(problems.is_empty(), "{} answers are wrong:\n{}", problems.len(), problems.join("\n"));
        wrong_methods_and_paths(&server).await;
        wrong_keys(&server).await;
        wrong_lengths(&server).await;
        // Without a content type a body is none of ours either.
        let call: Call = server.post("/api/auth/signup").bytes("{}");
        call.refused(415, "UNSUPPORTED_MEDIA_TYPE").await;

        assert_eq!(log::ends(&config).await, ends);
        assert_eq!(positions().await, before);
        server.stop().await;
    });
}

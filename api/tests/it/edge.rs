//! The edge of HTTP: one request has one spelling, one key, one session; what proxies and clients do in the field.

use crate::{
    client::Call,
    patience::until,
    raw::Raw,
    run,
    server::{Server, fresh_user, secure, stage},
};
use api::config::Config;
use serde_json::json;
use std::time::Duration;

/// Far beyond what a machine stands still.
const LONG: Duration = Duration::from_secs(60);
const SIGN_UP: &str = "/api/auth/signup";

#[test]
fn one_charge_under_one_key_counts_once_however_it_is_spelled() {
    run(async {
        let one = &stage().await.one;
        let user = fresh_user();
        let path = format!("/api/users/{user}/balance");
        let charge = |path: &str| one.call("PATCH", path).key("once").json(&json!({"amount": 7}));
        let first = charge(&path).expect(200).await;
        let (head, last) = (user / 10, user % 10);
        for other in [
            format!("/api/users/0{user}/balance"),
            format!("/api/users/{head}%3{last}/balance"),
            format!("{path}?x=1"),
            format!("{path}?amount=7"),
        ] {
            charge(&other).refused(400, "INVALID_REQUEST").await;
        }
        charge(&format!("/api/%75sers/{user}/balance")).refused(404, "NOT_FOUND").await;
        // A question mark that nothing follows says nothing.
        for same in [path.clone(), format!("{path}?"), format!("{path}?&")] {
            let again = charge(&same).expect(200).await;
            assert!(again.is_replayed(), "{again:?}");
            assert_eq!(again.json(), first.json());
        }
        let by_hand = format!(
            "PATCH http://elsewhere{path} HTTP/1.1\r\nHost: t\r\nIdempotency-Key: once\r\n\
             Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"amount\":7}}"
        );
        let again = Raw::with(one.public, by_hand.as_bytes()).await.answer(LONG).await.expect("an answer");
        assert!(again.is_replayed(), "an absolute URI is the same target: {again:?}");
        assert_eq!(one.get(&path).expect(200).await.json(), first.json());
    });
}

#[test]
fn what_stands_twice_is_refused() {
    run(async {
        let one = &stage().await.one;
        let user = fresh_user();
        let path = format!("/api/users/{user}/balance");
        let charge = || one.call("PATCH", &path);
        for keys in [["a", "b"], ["a", "a"]] {
            let [first, second] = keys;
            let call = charge().key(first).key(second).json(&json!({"amount": 7}));
            call.refused(400, "INVALID_REQUEST").await;
        }
        let types = charge().header("content-type", "application/json").json(&json!({"amount": 7}));
        types.refused(400, "INVALID_REQUEST").await;
        for query in ["userId=5&userId=4", "userId=5&userId=5", "userId=5&x=1"] {
            one.post(&format!("/coupon/apply?{query}")).refused(400, "INVALID_REQUEST").await;
        }
        one.get("/api/products/top?count=5&count=6").refused(400, "INVALID_REQUEST").await;
        one.get("/api/products/top?count=05").refused(400, "INVALID_REQUEST").await;
        one.get(&format!("/api/users/{user}/orders?state=PAID")).refused(400, "INVALID_REQUEST").await;
        let lengths =
            format!("PATCH {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{{}}");
        let answer = Raw::with(one.public, lengths.as_bytes()).await.answer(LONG).await;
        assert_eq!(answer.map(|answer| answer.status), Some(400), "two lengths are no request");
        let opening = one.get(&format!("/api/users/{}/balance", fresh_user())).expect(200).await.json();
        let balance = one.get(&path).expect(200).await.json();
        assert_eq!(balance["balance"], opening["balance"], "nothing was charged");
    });
}

#[test]
fn a_session_is_found_among_any_other_cookies() {
    run(async {
        let one = &secure().await.one;
        let (user, cookie) = one.guest().await;
        let list = || one.get(&format!("/api/users/{user}/coupons"));
        let stale = "tidemark_session=AAAA";
        list().cookie(&format!("name=한글; {cookie}")).expect(200).await;
        list().cookie(&format!("{stale}; {cookie}")).expect(200).await;
        list().cookie("a=b").cookie(&cookie).expect(200).await;
        list().cookie(stale).cookie(&cookie).expect(200).await;
        list().cookie(stale).refused(401, "UNAUTHENTICATED").await;
        for scheme in ["bearer ", "BEARER ", "Bearer  "] {
            let token = format!("{scheme}{}", crate::log::ADMIN_TOKEN);
            let positions = Call::new("GET", one.admin, "/admin/positions");
            positions.header("authorization", &token).expect(200).await;
        }
    });
}

#[test]
fn only_a_trusted_proxy_says_that_a_request_is_a_repetition() {
    run(async {
        let config = stage().await.config.clone();
        let server = Server::start(Config { trusted_proxies: "10.0.0.0/8".into(), ..config }).await;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let sign_up = async |server: &Server| {
            server.post(SIGN_UP).header("x-retry-key", &id).expect(201).await.json()["userId"].clone()
        };
        assert_ne!(sign_up(&server).await, sign_up(&server).await, "a stranger's word is not taken");
        let one = &stage().await.one;
        assert_eq!(sign_up(one).await, sign_up(one).await);
        server.stop().await;
    });
}

#[test]
fn bodies_come_as_proxies_send_them() {
    run(async {
        let one = &stage().await.one;
        let head = format!("POST {SIGN_UP} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n");
        let asked = format!("{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        let mut raw = Raw::with(one.public, asked.as_bytes()).await;
        assert_eq!(raw.answer(LONG).await.expect("it is asked for").status, 100);
        raw.send(b"{}").await;
        assert_eq!(raw.answer(LONG).await.expect("an answer").status, 201);
        let trailers = format!(
            "{head}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX-Sum: 1\r\n\r\n"
        );
        let mut raw = Raw::with(one.public, trailers.as_bytes()).await;
        assert_eq!(raw.answer(LONG).await.expect("an answer").status, 201);
        // And the connection is still good for the next one.
        raw.send(trailers.as_bytes()).await;
        assert_eq!(raw.answer(LONG).await.expect("an answer").status, 201);
        // To a path that nobody has, every byte is taken before the answer.
        for _ in 0..10 {
            let call = one.post("/api/nothing").body("application/json", vec![b' '; 900_000]);
            call.refused(404, "NOT_FOUND").await;
        }
    });
}

#[test]
fn who_is_told_to_end_answers_to_the_last_request() {
    run(async {
        let config = Config { drain_delay_ms: 3_000, ..stage().await.config.clone() };
        let server = Server::start(config).await;
        let half = format!(
            "POST {SIGN_UP} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
        );
        let mut slow = Vec::new();
        for _ in 0..16 {
            slow.push(Raw::with(server.public, half.as_bytes()).await);
        }
        // An answer on a later connection: the earlier ones are being served.
        server.post(SIGN_UP).expect(201).await;
        server.begin_to_stop();
        let said = server.admin_get("/ready").expect(503).await.json();
        assert_eq!(said["reason"], "shutting down");
        server.admin_get("/health").expect(200).await;
        // Whoever does not know yet is served; and so is, when the doors are closed, whoever is inside.
        server.post(SIGN_UP).expect(201).await;
        until("the public listener is closed", LONG, async || {
            match tokio::net::TcpStream::connect(server.public).await {
                Ok(_) => Err("it is open"),
                Err(_) => Ok(()),
            }
        })
        .await;
        server.admin_get("/health").expect(200).await;
        for raw in &mut slow {
            raw.send(b"}").await;
        }
        for raw in &mut slow {
            let answer = raw.answer(LONG).await.expect("an answer");
            assert_eq!(answer.status, 201, "not one 202: {answer:?}");
        }
        server.stop().await;
    });
}

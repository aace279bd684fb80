//! Clients that send half a request, or nothing: cut off, and nobody else notices.

use crate::{
    patience::Stalls,
    raw::Raw,
    run,
    server::{Server, fresh_user, fresh_users, stage},
};
use api::config::Config;
use serde_json::json;
use std::time::{Duration, Instant};

const HALF_A_HEADER: &[u8] = b"POST /api/auth/signup HTTP/1.1\r\nHost: t\r\nX-Slow: ";
/// A body that promises more than it sends.
const HALF_A_BODY: &[u8] = b"POST /api/auth/signup HTTP/1.1\r\nHost: t\r\n\
    Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{";
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n";
/// Where that is what is tested.
const HEADER: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(10);

async fn config() -> Config {
    stage().await.config.clone()
}

#[test]
fn a_header_that_never_ends_is_cut_off() {
    run(async {
        let header_timeout_ms = HEADER.as_millis() as u64;
        let server =
            Server::start(Config { header_timeout_ms, idle_timeout_ms: header_timeout_ms, ..config().await })
                .await;
        let began = Instant::now();
        let mut half = Raw::with(server.public, HALF_A_HEADER).await;
        let mut silent = Raw::connect(server.public).await;
        let mut half_a_preface = Raw::with(server.public, b"PRI * HTTP/2.0\r\n").await;
        let mut kept_alive = Raw::with(server.public, HEALTH).await;
        assert_eq!(kept_alive.answer(LONG).await.expect("an answer").status, 200);
        // On a machine that stood still its time may be over all the same.
        let is_cut = half.is_cut(SHORT).await;
        assert!(!is_cut || began.elapsed() >= HEADER, "it has its two seconds");
        // A trickle of bytes buys no time.
        if !is_cut {
            half.send(b"x").await;
        }
        for raw in [&mut half, &mut silent, &mut half_a_preface, &mut kept_alive] {
            assert!(raw.is_cut(LONG).await);
        }
        assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
        server.stop().await;
    });
}

#[test]
fn a_body_that_never_ends_is_answered_with_408() {
    run(async {
        let one = &stage().await.one;
        let mut half = Raw::with(one.public, HALF_A_BODY).await;
        let answer = half.answer(Duration::from_secs(20)).await.expect("an answer");
        answer.assert_refused(408, "REQUEST_TIMEOUT");
        assert!(half.is_cut(LONG).await, "what follows on this connection could be the rest of the body");
    });
}

#[test]
fn beyond_the_cap_new_connections_wait_and_those_inside_are_served() {
    run(async {
        // No place becomes free by time, however slow the machine is.
        let config = Config { max_connections: 2, header_timeout_ms: 60_000, ..config().await };
        let server = Server::start(config).await;
        let slow = Raw::with(server.public, HALF_A_HEADER).await;
        let mut inside = Raw::with(server.public, HEALTH).await;
        assert_eq!(inside.answer(LONG).await.expect("served").status, 200);

        let mut waiting = Raw::with(server.public, HEALTH).await;
        assert!(waiting.answer(SHORT).await.is_none(), "there is no place for it yet");
        for _ in 0..10 {
            inside.send(HEALTH).await;
            assert_eq!(inside.answer(LONG).await.expect("served").status, 200);
        }
        drop(slow);
        assert_eq!(waiting.answer(LONG).await.expect("served now").status, 200);
        drop((inside, waiting));
        server.stop().await;
    });
}

#[test]
fn the_header_limit_frees_the_places_that_slow_clients_hold() {
    run(async {
        let config = Config { max_connections: 2, header_timeout_ms: 2_000, ..config().await };
        let server = Server::start(config).await;
        let slow = [
            Raw::with(server.public, HALF_A_HEADER).await,
            Raw::with(server.public, HALF_A_HEADER).await,
            Raw::with(server.public, HALF_A_HEADER).await,
        ];
        server.post("/api/auth/signup").expect(201).await;
        drop(slow);
        server.stop().await;
    });
}

#[test]
fn two_hundred_slow_clients_do_not_disturb_good_ones() {
    run(async {
        let server = Server::start(config().await).await;
        let mut slow = Vec::new();
        for n in 0..200 {
            let half = if n % 2 == 0 { HALF_A_HEADER } else { HALF_A_BODY };
            slow.push(Raw::with(server.public, half).await);
        }
        let coupon = server.coupon_with(json!({"total": 100})).await;
        let (stalls, began) = (Stalls::watch(), Instant::now());
        for user in fresh_users(100) {
            server.issue(coupon, user).expect(201).await;
        }
        server.issue(coupon, fresh_user()).refused(422, "C001").await;
        stalls.assert_within(began.elapsed(), LONG).await;
        drop(slow);
        server.stop().await;
    });
}

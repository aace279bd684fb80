//! The partner, called as our dispatcher calls it.

use super::{Mode, Platform, Totals};
use crate::http;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build()
        .into()
}

/// Status and body of a call, or why there is none.
fn call(platform: &Platform, key: &str, order: u64) -> Result<(u16, String), String> {
    let request = agent().post(format!("{}/orders", platform.url())).header("Idempotency-Key", key);
    let mut response =
        request.send(format!(r#"{{"orderId":{order}}}"#)).map_err(|error| error.to_string())?;
    let body = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
    Ok((response.status().as_u16(), body))
}

fn status(platform: &Platform, key: &str, order: u64) -> u16 {
    call(platform, key, order).unwrap().0
}

fn in_mode(mode: Mode) -> Platform {
    let platform = Platform::start().unwrap();
    platform.set_mode(mode).unwrap();
    platform
}

#[test]
fn a_repeated_key_is_a_call_and_no_second_effect() {
    let platform = Platform::start().unwrap();
    for repeated in [false, true, true] {
        let (status, body) = call(&platform, "7", 7).unwrap();
        assert_eq!((status, body.contains(r#""repeated":true"#)), (200, repeated), "{body}");
    }
    assert_eq!(platform.effects(), [("7".to_owned(), 1)].into());
    assert_eq!((platform.calls(), platform.calls_of("7"), platform.calls_of("8")), (3, 3, 0));
}

#[test]
fn a_caller_that_changes_its_key_is_found_out() {
    let platform = Platform::start().unwrap();
    assert_eq!(status(&platform, "attempt-1", 7), 200);
    assert_eq!(status(&platform, "attempt-2", 7), 200);
    assert_eq!(platform.effects(), [("7".to_owned(), 2)].into());
    assert_eq!(platform.totals().max_effects_per_key, 2);
}

#[test]
fn refusals_have_no_effect_and_say_when_to_come_back() {
    for (mode, expected) in [
        (Mode::RateLimited { retry_after_s: 3 }, 429),
        (Mode::Unavailable, 503),
        (Mode::Refusal { status: 422 }, 422),
        (Mode::Redirect, 307),
    ] {
        let platform = in_mode(mode);
        assert_eq!(status(&platform, "1", 1), expected, "{mode:?}");
        assert!(platform.effects().is_empty(), "{mode:?}");
        platform.set_mode(Mode::Fast).unwrap();
        assert_eq!(status(&platform, "1", 1), 200, "{mode:?}");
        assert_eq!(platform.effects(), [("1".to_owned(), 1)].into(), "{mode:?}");
    }
    let platform = in_mode(Mode::RateLimited { retry_after_s: 3 });
    let request = agent().post(format!("{}/orders", platform.url())).header("Idempotency-Key", "1");
    assert_eq!(request.send("{}").unwrap().headers()["retry-after"], "3");
}

#[test]
fn whoever_follows_a_redirection_is_counted() {
    let platform = in_mode(Mode::Redirect);
    let request = agent().post(format!("{}/orders", platform.url())).header("Idempotency-Key", "1");
    let answer = request.send("{}").unwrap();
    assert_eq!(platform.totals().followed, 0);
    agent().post(answer.headers()["location"].to_str().unwrap()).send("{}").unwrap();
    assert_eq!(platform.totals().followed, 1);
}

#[test]
fn an_effect_happens_although_its_answer_is_wrong_or_broken() {
    let platform = in_mode(Mode::ErrorAfterEffect);
    assert_eq!(status(&platform, "1", 1), 500);
    platform.set_mode(Mode::Garbage).unwrap();
    assert!(call(&platform, "2", 2).is_err());
    platform.set_mode(Mode::HalfAnswer).unwrap();
    assert!(call(&platform, "3", 3).is_err());
    let once = |key: &str| (key.to_owned(), 1);
    assert_eq!(platform.effects(), ["1", "2", "3"].map(once).into());
    platform.set_mode(Mode::Fast).unwrap();
    assert!(call(&platform, "3", 3).unwrap().1.contains(r#""repeated":true"#));
}

#[test]
fn a_slow_answer_comes_late_after_its_effect_or_with_the_next_mode() {
    let platform = in_mode(Mode::Slow { ms: 300 });
    let began = Instant::now();
    assert_eq!(status(&platform, "1", 1), 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    platform.set_mode(Mode::Slow { ms: 60_000 }).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| status(&platform, "2", 2));
        while platform.effects().len() < 2 {
            assert!(began.elapsed() < Duration::from_secs(5), "the effect waits for the answer");
            std::thread::yield_now();
        }
        platform.set_mode(Mode::Fast).unwrap();
        assert_eq!(waits.join().unwrap(), 200);
    });
}

#[test]
fn refusing_closes_connections_and_refuses_new_ones_but_not_the_control() {
    let platform = Platform::start().unwrap();
    let port: u16 = platform.url().rsplit(':').next().unwrap().parse().unwrap();
    let mut open = TcpStream::connect(("127.0.0.1", port)).unwrap();
    open.write_all(b"GET /health HTTP/1.1\r\nHost: p\r\n\r\n").unwrap();
    assert!(open.read(&mut [0; 512]).unwrap() > 0);
    for _ in 0..3 {
        platform.set_mode(Mode::Refusing).unwrap();
        let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(open.read(&mut [0; 512]).unwrap_or(0), 0);
        assert_eq!(http::get(&format!("{}/health", platform.control_url())).unwrap().status, 200);
        platform.set_mode(Mode::Fast).unwrap();
        assert_eq!(status(&platform, "1", 1), 200);
    }
    assert_eq!(platform.calls(), 3);
}

#[test]
fn a_flaky_partner_breaks_the_same_calls_again_and_every_order_gets_through() {
    let outcomes = |seed| {
        let platform = in_mode(Mode::Flaky { seed });
        let calls: Vec<Option<u16>> =
            (0..40).map(|n| call(&platform, &n.to_string(), n).ok().map(|(status, _)| status)).collect();
        for order in 0..40 {
            while !matches!(call(&platform, &order.to_string(), order), Ok((200, _))) {}
        }
        let totals = platform.totals();
        assert_eq!((totals.orders, totals.effects, totals.max_effects_per_key), (40, 40, 1));
        calls
    };
    let first = outcomes(1);
    assert_eq!(first, outcomes(1));
    assert_ne!(first, outcomes(2));
    assert!(first.contains(&None) && first.contains(&Some(200)) && first.contains(&Some(500)), "{first:?}");
}

#[test]
fn it_is_controlled_and_asked_over_http() {
    let platform = Platform::start().unwrap();
    let put = |body: &str| {
        let answer = agent().put(format!("{}/control", platform.control_url())).send(body);
        answer.unwrap().status().as_u16()
    };
    assert_eq!(put(r#"{"mode":"slow","ms":1}"#), 200);
    assert_eq!(status(&platform, "5", 5), 200);
    assert_eq!(put(r#"{"mode":"refusing"}"#), 200);
    assert!(call(&platform, "6", 6).is_err());
    assert_eq!(put(r#"{"mode":"lazy"}"#), 400);
    let asked = http::get(&format!("{}/effects", platform.control_url())).unwrap().body;
    let totals: Totals = serde_json::from_str(&asked).unwrap();
    assert_eq!(totals, Totals { orders: 1, effects: 1, calls: 1, max_effects_per_key: 1, followed: 0 });
}

#[test]
fn a_call_without_a_key_or_with_a_huge_body_is_refused() {
    let platform = Platform::start().unwrap();
    assert_eq!(status(&platform, "", 1), 400);
    assert_eq!(status(&platform, &"k".repeat(256), 1), 400);
    let huge = agent().post(format!("{}/orders", platform.url())).header("Idempotency-Key", "1");
    assert!(huge.send(vec![b' '; 100_000]).is_err());
    assert!(platform.effects().is_empty());
    assert_eq!(status(&platform, "1", 1), 200);
}

#[test]
fn a_stopped_partner_frees_its_port_and_holds_nobody_up() {
    let platform = in_mode(Mode::Slow { ms: 60_000 });
    let (orders, url) = (platform.url(), platform.control_url());
    let began = Instant::now();
    let waits = std::thread::spawn(move || {
        agent().post(format!("{orders}/orders")).header("Idempotency-Key", "1").send("{}").is_err()
    });
    while platform.calls() == 0 {
        std::thread::yield_now();
    }
    platform.stop();
    assert!(waits.join().unwrap(), "an answer of a partner that is gone");
    assert!(http::get(&format!("{url}/health")).is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
}

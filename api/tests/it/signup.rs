//! `POST /api/auth/signup`.

use crate::{run, server::stage};
use std::collections::HashSet;
use uuid::Uuid;

const SIGN_UP: &str = "/api/auth/signup";

#[test]
fn a_guest_signs_up_with_whatever_counts_as_an_empty_body() {
    run(async {
        let one = &stage().await.one;
        let mut users = HashSet::new();
        let json = |body: &str| one.post(SIGN_UP).body("application/json", body);
        for call in [
            one.post(SIGN_UP),
            json(""),
            json("{}"),
            json("null"),
            json(" null\n"),
            json(r#"{"email":null,"password":null}"#),
            one.post(SIGN_UP).body("application/json; charset=utf-8", "{}"),
            one.post(SIGN_UP).body("text/plain", ""),
        ] {
            let answer = call.expect(201).await;
            let body = answer.json();
            assert_eq!(body.as_object().unwrap().len(), 2, "{answer:?}");
            assert_eq!(body["balance"], 1_000_000_000, "{answer:?}");
            assert!(users.insert(body["userId"].as_u64().unwrap()), "a user of one's own: {answer:?}");
            assert!(!answer.is_replayed(), "{answer:?}");
        }
    });
}

#[test]
fn a_sign_up_opens_a_session_in_a_cookie_that_scripts_cannot_read() {
    run(async {
        let answer = stage().await.one.post(SIGN_UP).expect(201).await;
        let cookie = answer.header("set-cookie").unwrap();
        let parts: Vec<&str> = cookie.split("; ").collect();
        assert!(parts[0].starts_with("tidemark_session=") && parts[0].len() > 100, "{cookie}");
        assert_eq!(parts[1..], ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=43200"]);
    });
}

#[test]
fn a_repeated_key_gets_the_account_that_it_made_however_it_is_written() {
    run(async {
        let pair = stage().await;
        let key = Uuid::new_v4();
        let first = pair.one.post(SIGN_UP).key(&key.to_string()).expect(201).await;
        assert!(!first.is_replayed(), "{first:?}");
        assert_eq!(first.header("idempotency-key"), Some(key.to_string().as_str()));
        pair.other.catch_up().await;
        let written = [key.to_string(), key.simple().to_string(), key.simple().to_string().to_uppercase()];
        for (n, key) in (0..).zip(written) {
            let again = pair.either(n).post(SIGN_UP).key(&key).body("application/json", "{}");
            let again = again.expect(201).await;
            assert_eq!(again.json(), first.json());
            assert!(again.is_replayed(), "{again:?}");
            assert_eq!(again.header("idempotency-key"), Some(key.as_str()));
            assert_ne!(again.cookie(), first.cookie(), "a session of its own");
        }
    });
}

#[test]
fn a_key_that_could_be_guessed_is_refused() {
    run(async {
        let one = &stage().await.one;
        let key = Uuid::new_v4();
        let simple = key.simple().to_string();
        for bad in [
            "1",
            "order-4711",
            &simple[1..],
            &format!("{simple}0"),
            &format!("g{}", &simple[1..]),
            &key.braced().to_string(),
            &key.urn().to_string(),
        ] {
            one.post(SIGN_UP).key(bad).refused(400, "INVALID_REQUEST").await;
        }
    });
}

#[test]
fn a_proxys_second_attempt_gets_the_account_of_its_first() {
    run(async {
        let pair = stage().await;
        let id = Uuid::new_v4().simple().to_string();
        let first = pair.one.post(SIGN_UP).header("x-retry-key", &id).expect(201).await;
        pair.other.catch_up().await;
        let retry = pair.other.post(SIGN_UP).header("x-retry-key", &id).expect(201).await;
        assert_eq!(retry.json(), first.json());
        assert!(retry.is_replayed() && !first.is_replayed());
        // A client's key and a proxy's are two worlds: neither can meet the other's account.
        let client = pair.one.post(SIGN_UP).key(&id).expect(201).await;
        assert_ne!(client.json(), first.json());
        // The client's own key goes before the proxy's.
        let both = pair.one.post(SIGN_UP).key(&id).header("x-retry-key", "other").expect(201).await;
        assert_eq!(both.json(), client.json());
    });
}

#[test]
fn a_proxys_id_that_could_be_guessed_is_not_used() {
    run(async {
        let one = &stage().await.one;
        for id in ["1", "order-4711", ""] {
            let sign_up = async || one.post(SIGN_UP).header("x-retry-key", id).expect(201).await.json();
            assert_ne!(sign_up().await["userId"], sign_up().await["userId"], "{id:?}");
        }
    });
}

#[test]
fn a_retry_at_the_other_process_is_marked_as_one_however_soon_it_comes() {
    run(async {
        let pair = stage().await;
        let mut unmarked = 0;
        for n in 0..200 {
            let key = Uuid::new_v4().to_string();
            let first = pair.either(n).post(SIGN_UP).key(&key).expect(201).await;
            let retry = pair.either(n + 1).post(SIGN_UP).key(&key).expect(201).await;
            assert_eq!(retry.json(), first.json());
            assert!(!first.is_replayed(), "{first:?}");
            unmarked += usize::from(!retry.is_replayed());
        }
        assert_eq!(unmarked, 0, "of 200 retries");
    });
}

#[test]
fn attempts_at_two_processes_at_once_make_one_account() {
    run(async {
        let pair = stage().await;
        let key = Uuid::new_v4().to_string();
        let calls = (0..20).map(|n| tokio::spawn(pair.either(n).post(SIGN_UP).key(&key).expect(201)));
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }
        let users: HashSet<u64> = answers.iter().map(|a| a.json()["userId"].as_u64().unwrap()).collect();
        assert_eq!(users.len(), 1, "{users:?}");
        assert!(answers.iter().any(|answer| !answer.is_replayed()));
        assert!(answers.iter().filter(|answer| answer.is_replayed()).count() >= 18, "one first a process");
    });
}

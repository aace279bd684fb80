//! Which logs and settings a process refuses to start with, and what it says then.

use crate::{
    log::{self, admin, asking, random_prefix},
    patience::{Stalls, until},
    run,
    server::{Server, secure, stage},
};
use api::{
    app::App,
    config::{Config, ModeSetting},
    log::foundation,
};
use axum::{Json, Router, http::StatusCode, routing::post};
use chassis::shutdown::CancellationToken;
use rdkafka::admin::{NewTopic, TopicReplication};
use schemas::{Topic, catalogue, records::RegisteredSchema};
use serde_json::json;
use std::time::{Duration, Instant};

/// What it says when it refuses to start.
async fn refusal(config: Config) -> String {
    match App::build(config, None, CancellationToken::new()).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    }
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn a_process_of_the_other_mode_does_not_start() {
    run(async {
        let stage = Config { mode: ModeSetting::Secure, ..stage().await.config.clone() };
        assert_says(&refusal(stage).await, &["founded in Stage mode", "set to Secure", "TIDEMARK_MODE"]);
        let secure = Config { mode: ModeSetting::Stage, ..secure().await.config.clone() };
        assert_says(&refusal(secure).await, &["founded in Secure mode", "set to Stage"]);
    });
}

#[test]
fn a_process_with_another_key_does_not_start() {
    run(async {
        let good = stage().await.config.clone();
        let other = "44".repeat(32);
        let fingerprint = Config { fingerprint_key: other.clone(), ..good.clone() };
        assert_says(&refusal(fingerprint).await, &["TIDEMARK_FINGERPRINT_KEY is not the key"]);
        let email = Config { email_key: other, ..good.clone() };
        assert_says(&refusal(email).await, &["TIDEMARK_EMAIL_KEY is not the key"]);
        let none = Config { session_key: String::new(), ..good.clone() };
        assert_says(&refusal(none).await, &["TIDEMARK_SESSION_KEY", "at least 16"]);
        let token = Config { admin_token: String::new(), ..good };
        assert_says(&refusal(token).await, &["TIDEMARK_ADMIN_TOKEN"]);
    });
}

#[test]
fn without_topics_it_says_what_to_run() {
    run(async {
        let prefix = random_prefix();
        let said = refusal(log::config(&prefix, ModeSetting::Stage)).await;
        assert_says(&said, &[&format!("topic {prefix}signup has 0 partitions, not 4"), "consumers init"]);
    });
}

/// Makes the three topics with that many partitions each.
async fn topics(prefix: &str, partitions: [i32; 3]) {
    let names = Topic::ALL.map(|topic| topic.name(prefix));
    let topics = names.iter().zip(partitions).map(|(name, partitions)| {
        NewTopic::new(name, partitions, TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime")
    });
    let topics: Vec<NewTopic<'_>> = topics.collect();
    for made in admin().create_topics(&topics, &asking()).await.unwrap() {
        made.unwrap();
    }
}

/// Topics that were just made may not be visible at once.
async fn refusal_once_visible(config: Config) -> String {
    until("the topics are visible", Duration::from_secs(60), async || {
        let said = refusal(config.clone()).await;
        let invisible = said.contains("has 0 partitions") || said.contains("did not answer");
        if invisible { Err(said) } else { Ok(said) }
    })
    .await
}

#[test]
fn a_log_without_rules_is_not_served() {
    run(async {
        let prefix = random_prefix();
        topics(&prefix, Topic::ALL.map(Topic::partitions)).await;
        let said = refusal_once_visible(log::config(&prefix, ModeSetting::Stage)).await;
        assert_says(&said, &[&format!("{prefix}signup-0 has no rules yet"), "consumers init"]);
    });
}

#[test]
fn a_topic_with_another_number_of_partitions_is_not_served() {
    run(async {
        let prefix = random_prefix();
        topics(&prefix, [3, 8, 1]).await;
        let said = refusal_once_visible(log::config(&prefix, ModeSetting::Stage)).await;
        assert_says(&said, &[&format!("topic {prefix}signup has 3 partitions, not 4")]);
    });
}

#[test]
fn without_kafka_it_says_so_soon() {
    run(async {
        let (stalls, began) = (Stalls::watch(), Instant::now());
        let kafka = "127.0.0.1:1".into();
        let said = refusal(Config { kafka, kafka_wait_ms: 1_000, ..stage().await.config.clone() }).await;
        assert_says(&said, &["Kafka cannot be reached at 127.0.0.1:1", "TIDEMARK_KAFKA"]);
        stalls.assert_within(began.elapsed(), Duration::from_secs(30)).await;
    });
}

/// A registry that gives every schema the same answer; it stands for a wrong one only.
async fn wrong_registry(status: StatusCode, body: serde_json::Value) -> String {
    let answer = move || async move { (status, Json(body)) };
    let router = Router::new().route("/subjects/{subject}", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[test]
fn a_registry_that_is_not_the_logs_own_stops_the_start() {
    run(async {
        let config = stage().await.config.clone();
        let registry_url = wrong_registry(StatusCode::OK, json!({"id": 999_999})).await;
        let said = refusal(Config { registry_url, ..config.clone() }).await;
        assert_says(&said, &["as 999999", "not the registry that the log was written with"]);
        let unknown = json!({"error_code": 40401, "message": "Subject not found"});
        let registry_url = wrong_registry(StatusCode::NOT_FOUND, unknown).await;
        let said = refusal(Config { registry_url, ..config }).await;
        assert_says(&said, &["does not know", "not the registry that the log was written with"]);
    });
}

#[test]
fn a_registry_that_says_nothing_of_ids_stops_nobody() {
    run(async {
        let entries = catalogue::all().iter();
        let listed: Vec<_> = entries.map(|entry| RegisteredSchema { id: 1, crc64: entry.crc64 }).collect();
        let refused = json!({"error_code": 40301, "message": "Forbidden"});
        for (status, body) in [
            (500, json!({"error_code": 50001, "message": "Error in the backend data store"})),
            (502, json!("<html>Bad Gateway</html>")),
            (503, json!({})),
            (429, json!({})),
            (404, json!("<html>Not Found</html>")),
            (200, json!("<html>Welcome</html>")),
            (403, refused),
        ] {
            let url = wrong_registry(StatusCode::from_u16(status).unwrap(), body).await;
            foundation::compare_registry(&url, &listed).await.unwrap_or_else(|e| panic!("{status}: {e}"));
        }
    });
}

#[test]
fn without_a_registry_it_starts_and_serves() {
    run(async {
        let config = stage().await.config.clone();
        let server = Server::start(Config { registry_url: "http://127.0.0.1:1".into(), ..config }).await;
        server.guest().await;
        server.stop().await;
    });
}

#[test]
fn a_limit_beyond_what_the_queue_holds_is_refused() {
    run(async {
        let config = Config { max_in_flight: 20_001, ..stage().await.config.clone() };
        assert_says(&refusal(config).await, &["TIDEMARK_MAX_IN_FLIGHT: 20001 is not from 1 to 20000"]);
        let config = Config { extra_wait_ms: 30_001, ..stage().await.config.clone() };
        assert_says(&refusal(config).await, &["TIDEMARK_EXTRA_WAIT_MS: 30001 is not from 0 to 30000"]);
    });
}

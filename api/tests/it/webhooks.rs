//! What the external platform tells us: signed, kept in the log, or refused.

use crate::{
    client::Call,
    log::{self, HARDLY_MS, PLATFORM_KEY, PLATFORM_KEY_ID},
    patience::until,
    run,
    server::{Server, stage},
};
use api::{
    config::{Config, ModeSetting},
    log::foundation,
};
use chassis::{kafka, log_reader::LogReader};
use hmac::{Hmac, KeyInit, Mac};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use schemas::{codec::FactCodec, fact::Fact, facts::PlatformEventReceived, topics::FactTopic};
use serde_json::{Value, json};
use sha2::Sha256;
use stack::private;
use std::{
    fmt::Display,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::runtime::Handle;
use uuid::Uuid;

const PATH: &str = "/api/external-platform/events";
/// One question to the brokers.
const ASK: Duration = Duration::from_secs(60);

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn sign(key: &[u8], timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in [timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

fn event(id: &str, order: u64) -> Value {
    json!({"eventId": id, "type": "ORDER_SHIPPED", "orderId": order, "occurredAt": "2026-11-21T09:00:00Z"})
}

fn fresh_id() -> String {
    format!("evt-{}", Uuid::new_v4())
}

/// A webhook as the platform sends it.
fn signed(server: &Server, body: &str) -> Call {
    let timestamp = now_s().to_string();
    let signature = sign(&PLATFORM_KEY, &timestamp, body.as_bytes());
    webhook(server, body, [PLATFORM_KEY_ID, &timestamp, &signature])
}

fn webhook(server: &Server, body: &str, [key_id, timestamp, signature]: [&str; 3]) -> Call {
    let call = server.post(PATH).body("application/json", body);
    let call = call.header("x-platform-key-id", key_id).header("x-platform-timestamp", timestamp);
    call.header("x-platform-signature", signature)
}

/// Everything in the topic whose key ends so: partition, key, fact.
async fn facts(config: &Config, key_end: &str) -> Vec<(i32, String, Fact)> {
    let (config, key_end) = (config.clone(), key_end.to_owned());
    tokio::task::spawn_blocking(move || read_facts(&config, &key_end)).await.unwrap()
}

/// A broker that was frozen knows its partitions again after a moment. Off the threads of the runtime only.
fn patiently<T, E: Display>(what: &str, mut ask: impl FnMut() -> Result<T, E>) -> T {
    Handle::current().block_on(until(what, ASK, async || ask()))
}

fn read_facts(config: &Config, key_end: &str) -> Vec<(i32, String, Fact)> {
    let settings = kafka::reader(&config.kafka, "api-it");
    let topic = FactTopic::ExternalPlatform;
    let name = topic.name(&config.topic_prefix);
    let reader = LogReader::new(settings.clone()).unwrap();
    let secrets = config.secrets().unwrap();
    let founding = patiently("the foundation is read", || foundation::read(config, &secrets, &reader));
    let codec = FactCodec::new(&founding.schemas).unwrap();
    let partitions: Vec<(String, i32)> = (0..topic.partitions()).map(|p| (name.clone(), p)).collect();
    let ends = patiently("the ends are known", || reader.end_offsets(&partitions, ASK));
    let mut left: u64 = ends.iter().sum();
    let consumer: BaseConsumer = settings.create().unwrap();
    let mut list = TopicPartitionList::new();
    for (name, partition) in &partitions {
        list.add_partition_offset(name, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (began, mut found) = (Instant::now(), Vec::new());
    while left > 0 {
        assert!(began.elapsed() < ASK, "{left} records were not read");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        // What other tests append meanwhile must not be counted for what was there.
        if message.offset().unsigned_abs() >= ends[message.partition() as usize] {
            continue;
        }
        left -= 1;
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        if key.ends_with(key_end) {
            found.push((message.partition(), key, codec.decode(topic, message.payload()).unwrap()));
        }
    }
    found
}

#[test]
fn a_signed_event_is_in_the_log_when_it_is_accepted() {
    run(async {
        let pair = stage().await;
        let id = fresh_id();
        let answer = signed(&pair.one, &event(&id, 11).to_string()).expect(202).await;
        assert_eq!(answer.text, "");
        let received = PlatformEventReceived {
            event_id: id.clone(),
            order_id: 11,
            kind: "ORDER_SHIPPED".into(),
            occurred_at_ms: 1_795_251_600_000,
        };
        let expected = (2, format!("PlatformEventReceived:{id}"), Fact::from(received));
        assert_eq!(facts(&pair.config, &id).await, std::slice::from_ref(&expected));
        // A repeat is taken again, at any process, under the same key.
        signed(&pair.other, &event(&id, 11).to_string()).expect(202).await;
        assert_eq!(facts(&pair.config, &id).await, [expected.clone(), expected]);
    });
}

#[test]
fn a_partner_may_add_fields_and_write_the_signature_in_two_ways() {
    run(async {
        let pair = stage().await;
        let id = fresh_id();
        let mut body = event(&id, 1);
        body["carrier"] = json!({"name": "Post"});
        body["occurredAt"] = json!(1_795_251_600_000_u64);
        body["orderId"] = json!("1");
        let body = body.to_string();
        let timestamp = now_s().to_string();
        let signature = format!("sha256={}", sign(&PLATFORM_KEY, &timestamp, body.as_bytes()));
        webhook(&pair.one, &body, [PLATFORM_KEY_ID, &timestamp, &signature]).expect(202).await;
        assert_eq!(facts(&pair.config, &id).await.len(), 1);
    });
}

#[test]
fn what_is_not_signed_by_the_platform_is_refused_and_leaves_no_trace() {
    run(async {
        let pair = stage().await;
        let id = fresh_id();
        let (body, now) = (event(&id, 1).to_string(), now_s());
        let at =
            |seconds: u64| (seconds.to_string(), sign(&PLATFORM_KEY, &seconds.to_string(), body.as_bytes()));
        let (timestamp, good) = at(now);
        let (old, signed_then) = at(now - 400);
        let (early, signed_ahead) = at(now + 400);
        let another_key = sign(&[0x45; 32], &timestamp, body.as_bytes());
        let another_body = sign(&PLATFORM_KEY, &timestamp, event(&id, 2).to_string().as_bytes());
        let no_dot = {
            let mut mac = Hmac::<Sha256>::new_from_slice(&PLATFORM_KEY).unwrap();
            mac.update(format!("{timestamp}{body}").as_bytes());
            hex::encode(mac.finalize().into_bytes())
        };
        let mut problems = Vec::new();
        for headers in [
            ["", &timestamp, &good],
            ["partner-2", &timestamp, &good],
            [PLATFORM_KEY_ID, "", &good],
            [PLATFORM_KEY_ID, "soon", &good],
            [PLATFORM_KEY_ID, &old, &good],
            [PLATFORM_KEY_ID, &old, &signed_then],
            [PLATFORM_KEY_ID, &early, &signed_ahead],
            [PLATFORM_KEY_ID, &timestamp, ""],
            [PLATFORM_KEY_ID, &timestamp, "x"],
            [PLATFORM_KEY_ID, &timestamp, &good[2..]],
            [PLATFORM_KEY_ID, &timestamp, &format!("sha1={good}")],
            [PLATFORM_KEY_ID, &timestamp, &another_key],
            [PLATFORM_KEY_ID, &timestamp, &another_body],
            [PLATFORM_KEY_ID, &timestamp, &no_dot],
        ] {
            let answer = webhook(&pair.one, &body, headers).send().await;
            let problem = answer.unlike_refusal(401, "SIGNATURE_INVALID");
            problems.extend(problem.map(|problem| format!("{problem} {headers:?}: {answer:?}")));
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        pair.one.post(PATH).body("application/json", body.clone()).refused(401, "SIGNATURE_INVALID").await;
        pair.one.post(PATH).refused(401, "SIGNATURE_INVALID").await;
        pair.one.get(PATH).refused(405, "METHOD_NOT_ALLOWED").await;
        assert!(facts(&pair.config, &id).await.is_empty());
        webhook(&pair.one, &body, [PLATFORM_KEY_ID, &timestamp, &good]).expect(202).await;
    });
}

#[test]
fn signed_nonsense_is_refused_and_leaves_no_trace() {
    run(async {
        let pair = stage().await;
        let mark = fresh_id();
        let mut problems = Vec::new();
        let long = format!("\"{}\"", "i".repeat(129));
        let long_type = format!("\"{}\"", "t".repeat(65));
        for (field, text) in [
            ("eventId", "5"),
            ("eventId", "null"),
            ("eventId", "\"\""),
            ("eventId", &long),
            ("eventId", "\"a b\""),
            ("eventId", "\"tab\\t\""),
            ("eventId", "\"한글\""),
            ("eventId", "[\"a\"]"),
            ("type", "\"\""),
            ("type", "5"),
            ("type", "null"),
            ("type", "\"a\\u0000b\""),
            ("type", &long_type),
            ("orderId", "0"),
            ("orderId", "-1"),
            ("orderId", "1.5"),
            ("orderId", "null"),
            ("orderId", "\"x\""),
            ("orderId", "70368744177664"),
            ("orderId", "9007199254740992"),
            ("orderId", "1000000000000000000000000000000"),
            ("occurredAt", "\"soon\""),
            ("occurredAt", "-1"),
            ("occurredAt", "1.5"),
            ("occurredAt", "null"),
            ("occurredAt", "9007199254740992"),
        ] {
            let mut body = event(&mark, 1);
            body[field] = "@".into();
            let body = body.to_string().replace("\"@\"", text);
            let answer = signed(&pair.one, &body).send().await;
            let problem = answer.unlike_refusal(400, "INVALID_REQUEST");
            problems.extend(problem.map(|problem| format!("{problem} {body}: {answer:?}")));
        }
        for field in ["eventId", "type", "orderId", "occurredAt"] {
            let mut body = event(&mark, 1);
            body.as_object_mut().unwrap().remove(field);
            let answer = signed(&pair.one, &body.to_string()).send().await;
            let problem = answer.unlike_refusal(400, "INVALID_REQUEST");
            problems.extend(problem.map(|problem| format!("{problem} without {field}: {answer:?}")));
        }
        for body in ["", "null", "{}", "[]", "{", "\"x\"", "{\"eventId\":\"a\",\"eventId\":\"b\"}"] {
            let answer = signed(&pair.one, body).send().await;
            let problem = answer.unlike_refusal(400, "INVALID_REQUEST");
            problems.extend(problem.map(|problem| format!("{problem} {body}: {answer:?}")));
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let timestamp = now_s().to_string();
        let plain = event(&mark, 1).to_string();
        let signature = sign(&PLATFORM_KEY, &timestamp, plain.as_bytes());
        let call = pair.one.post(PATH).body("text/plain", plain).header("x-platform-key-id", PLATFORM_KEY_ID);
        let call = call.header("x-platform-timestamp", &timestamp).header("x-platform-signature", &signature);
        call.refused(415, "UNSUPPORTED_MEDIA_TYPE").await;
        signed(&pair.one, &format!("{{\"x\":\"{}\"}}", "x".repeat(65 * 1_024)))
            .refused(413, "PAYLOAD_TOO_LARGE")
            .await;
        assert!(facts(&pair.config, &mark).await.is_empty());
    });
}

#[test]
fn without_keys_nobody_is_let_in() {
    run(async {
        let config = Config { platform_keys: String::new(), ..stage().await.config.clone() };
        let server = Server::start(config).await;
        signed(&server, &event(&fresh_id(), 1).to_string()).refused(401, "SIGNATURE_INVALID").await;
        server.stop().await;
    });
}

#[test]
fn nothing_is_accepted_that_the_brokers_did_not_confirm() {
    run(async {
        let start = || private::kafka().expect("a broker");
        let mut kafka = tokio::task::spawn_blocking(start).await.unwrap();
        let config = log::config(&log::random_prefix(), ModeSetting::Stage);
        let config = Config { kafka: kafka.bootstrap(), extra_wait_ms: HARDLY_MS, ..config };
        log::found_without_tables(&config).await;
        let server = Server::start(config.clone()).await;
        let (before, during) = (fresh_id(), fresh_id());
        signed(&server, &event(&before, 1).to_string()).expect(202).await;
        kafka.freeze().unwrap();
        signed(&server, &event(&during, 1).to_string()).refused(503, "OUTCOME_UNKNOWN").await;
        kafka.thaw().unwrap();
        let again = event(&during, 1).to_string();
        until("it is accepted again", ASK, async || signed(&server, &again).seen(202).await).await;
        let all = facts(&config, "").await;
        let ids: Vec<&str> = all.iter().filter_map(|(_, key, _)| key.split(':').next_back()).collect();
        assert_eq!(ids.first(), Some(&&*before));
        assert!(ids.len() >= 2 && ids[1..].iter().all(|id| *id == during), "{ids:?}");
        server.stop().await;
        drop(kafka);
    });
}

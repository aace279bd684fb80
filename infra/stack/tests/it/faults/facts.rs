//! What other systems read: facts about payments and dispatches, taken from their topics past our own programs.

use super::deployment::Deployment;
use super::raw_log;
use rdkafka::message::Message;
use serde_json::Value;
use stack::http;
use std::collections::BTreeMap;

/// Partitions of a topic of facts.
const PARTITIONS: i32 = 8;
/// Magic byte and schema id before the datum.
const FRAME_BYTES: usize = 5;

/// How often each order stands in each type of fact.
pub type Facts = BTreeMap<String, BTreeMap<u64, u64>>;

/// Every fact of the topic `payment`, by type and order.
pub fn payments(deployment: &Deployment) -> Facts {
    let mut names = BTreeMap::new();
    let mut facts = Facts::new();
    for message in messages(deployment, "payment") {
        let (id, datum) = framed(message.payload().unwrap());
        let name = names.entry(id).or_insert_with(|| schema(deployment, id)).clone();
        // Both types begin with the source offset and the order.
        let (_, rest) = long(datum);
        count(&mut facts, &name, long(rest).0);
    }
    facts
}

/// Every fact of the topic `external-platform`, by type and order. Their keys say both.
pub fn dispatches(deployment: &Deployment) -> Facts {
    let mut facts = Facts::new();
    for message in messages(deployment, "external-platform") {
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let (name, order) = key.split_once(':').unwrap();
        count(&mut facts, name, order.parse().unwrap());
    }
    facts
}

fn count(facts: &mut Facts, name: &str, order: u64) {
    *facts.entry(name.to_owned()).or_default().entry(order).or_default() += 1;
}

fn messages(deployment: &Deployment, topic: &str) -> impl Iterator<Item = rdkafka::message::OwnedMessage> {
    let (kafka, topic) = (deployment.setting("KAFKA").to_owned(), deployment.topic(topic));
    (0..PARTITIONS).flat_map(move |partition| raw_log::read(&kafka, &topic, partition))
}

fn framed(payload: &[u8]) -> (u32, &[u8]) {
    let (frame, datum) = payload.split_at(FRAME_BYTES);
    assert_eq!(frame[0], 0, "no Confluent frame");
    (u32::from_be_bytes(frame[1..].try_into().unwrap()), datum)
}

/// The name of the record that a schema id stands for.
fn schema(deployment: &Deployment, id: u32) -> String {
    let answer = http::get(&format!("{}/schemas/ids/{id}", deployment.setting("REGISTRY_URL"))).unwrap();
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    let schema: Value = serde_json::from_str(said["schema"].as_str().unwrap()).unwrap();
    schema["name"].as_str().unwrap().to_owned()
}

/// An Avro long: zigzag, seven bits a byte. Everything here is positive.
fn long(bytes: &[u8]) -> (u64, &[u8]) {
    let length = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let raw = bytes[..length].iter().rev().fold(0_u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    assert_eq!(raw & 1, 0, "a negative number");
    (raw >> 1, &bytes[length..])
}

#[test]
fn longs_are_read_as_avro_writes_them() {
    assert_eq!(long(&[0x00, 9]), (0, &[9][..]));
    assert_eq!(long(&[0x02]), (1, &[][..]));
    assert_eq!(long(&[0x80, 0x01]), (64, &[][..]));
    assert_eq!(long(&[0xac, 0x04, 1]), (278, &[1][..]));
}

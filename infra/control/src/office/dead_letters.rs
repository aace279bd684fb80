//! What stands in the topics of dead letters: bytes that no fold could judge, where they stood and why they are there.

use super::{
    Office,
    refusal::{Refusal, bad},
};
use crate::{limits, topics};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use chassis::{kafka::ReadsToTheEnd, log_reader::bounds};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
    message::{BorrowedMessage, Headers},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One poll while letters are read.
const POLL: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Serialize)]
struct Letter {
    topic: String,
    partition: i32,
    offset: u64,
    key: String,
    reason: Option<String>,
    attempts: Option<u32>,
    at_ms: Option<i64>,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hex: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    topic: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(office): State<Office>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(which) = which.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = which.limit.unwrap_or(20);
    if !(1..=limits::MAX_DEAD_LETTERS).contains(&limit) {
        return Err(bad(format!("limit is 1 to {}", limits::MAX_DEAD_LETTERS)));
    }
    let wanted: Vec<String> = match which.topic {
        Some(topic) => vec![office.known_topic(topic)?],
        None => office.topics.values().cloned().collect(),
    };
    let mut letters = Vec::new();
    for topic in wanted {
        let mut found = office.letters(topic, limit, |_| true).await?;
        // A crash between letter and transaction repeats it under the same key.
        found.reverse();
        found.dedup_by(|a, b| a.key == b.key);
        letters.append(&mut found);
    }
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.at_ms));
    letters.truncate(limit);
    letters.iter_mut().for_each(|letter| letter.payload_hex = None);
    Ok(Json(json!({"deadLetters": letters})))
}

pub(super) async fn show(
    State(office): State<Office>,
    Path((topic, partition, offset)): Path<(String, i32, u64)>,
) -> Result<Json<Value>, Refusal> {
    let topic = office.known_topic(topic)?;
    let key = format!("{}/{partition}/{offset}", topics::name(&office.prefix, &topic));
    let wanted = key.clone();
    let mut found = office.letters(topic, limits::MAX_DEAD_LETTERS_READ, move |key| key == wanted).await?;
    let unknown = || {
        Refusal::unknown("UNKNOWN_DEAD_LETTER", format!("{key} is no dead letter, or was one too long ago"))
    };
    found.pop().map(|letter| Json(json!(letter))).ok_or_else(unknown)
}

impl Office {
    fn known_topic(&self, topic: String) -> Result<String, Refusal> {
        if self.topics.values().any(|known| *known == topic) {
            return Ok(topic);
        }
        let known: Vec<&str> = self.topics.values().map(String::as_str).collect();
        Err(Refusal::unknown(
            "UNKNOWN_TOPIC",
            format!("{topic:?} has no dead letters; there are {}", known.join(", ")),
        ))
    }

    /// Of the newest so many letters those with a key that is wanted, the oldest first.
    async fn letters(
        &self,
        topic: String,
        newest: usize,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<Letter>, Refusal> {
        let office = self.clone();
        let read = tokio::task::spawn_blocking(move || office.read(&topic, newest, wanted)).await;
        let away = |error: String| {
            Refusal::unavailable("KAFKA_UNAVAILABLE", format!("dead letters cannot be read: {error}"))
        };
        read.map_err(|error| away(error.to_string()))?.map_err(|error| away(error.to_string()))
    }

    fn read(&self, topic: &str, newest: usize, wanted: impl Fn(&str) -> bool) -> KafkaResult<Vec<Letter>> {
        let name = format!("{}.dead", topics::name(&self.prefix, topic));
        let mut settings = self.settings.clone();
        settings.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer<ReadsToTheEnd> = settings.create_with_context(ReadsToTheEnd)?;
        let (low, high) = bounds(&consumer, &name, 0, limits::CALL)?;
        let mut letters = Vec::new();
        if low == high {
            return Ok(letters);
        }
        let from = low.max(high.saturating_sub(newest as u64));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&name, 0, Offset::Offset(from.cast_signed()))?;
        consumer.assign(&list)?;
        let began = Instant::now();
        while began.elapsed() < limits::DEAD_LETTERS_READ {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let letter = letter(topic, &message);
                    letters.extend(letter.filter(|letter| wanted(&letter.key)));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(_)) | None => {}
            }
        }
        Ok(letters)
    }
}

/// What is no letter of ours is none.
fn letter(topic: &str, message: &BorrowedMessage<'_>) -> Option<Letter> {
    let key = String::from_utf8(message.key()?.to_vec()).ok()?;
    let mut parts = key.rsplitn(3, '/');
    let (offset, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let header = |name: &str| {
        let found = message.headers()?.iter().find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    let payload = message.payload().unwrap_or_default();
    Some(Letter {
        topic: topic.to_owned(),
        partition,
        offset,
        reason: header("reason"),
        attempts: header("attempts").and_then(|text| text.parse().ok()),
        at_ms: message.timestamp().to_millis(),
        bytes: payload.len(),
        payload_hex: Some(payload.iter().map(|byte| format!("{byte:02x}")).collect()),
        key,
    })
}

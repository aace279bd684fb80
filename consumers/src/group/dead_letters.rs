//! Dead letters: bytes that are no record, kept with where they stood and why. Never a record that a fold could judge.

use super::work::Source;
use crate::limits;
use rdkafka::{
    ClientConfig,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

/// Writes to `<topic>.dead`.
#[derive(Clone)]
pub struct DeadLetters {
    producer: FutureProducer,
    topic: String,
    source: String,
    group: &'static str,
}

impl DeadLetters {
    /// For one source topic.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(
        config: &ClientConfig,
        source: Source,
        prefix: &str,
        group: &'static str,
    ) -> Result<Self, KafkaError> {
        let producer = config.create()?;
        Ok(Self { producer, topic: source.dead_letters(prefix), source: source.name(prefix), group })
    }

    /// Keeps one payload; returns once the brokers have it. The key is the source position, so that a repetition is
    /// recognised.
    ///
    /// # Errors
    /// The brokers did not take it.
    pub async fn keep(
        &self,
        partition: i32,
        offset: u64,
        payload: Option<&[u8]>,
        reason: &str,
    ) -> Result<(), KafkaError> {
        let key = format!("{}/{partition}/{offset}", self.source);
        let headers = OwnedHeaders::new()
            .insert(Header { key: "reason", value: Some(reason) })
            .insert(Header { key: "attempts", value: Some("1") })
            .insert(Header { key: "source", value: Some(&key) });
        let mut record = FutureRecord::to(&self.topic).partition(0).key(&key).headers(headers);
        if let Some(payload) = payload {
            record = record.payload(payload);
        }
        self.producer.send(record, limits::DEAD_LETTER_TIMEOUT).await.map_err(|(error, _)| error)?;
        metrics::counter!(crate::metric::DEAD_LETTERS, "group" => self.group).increment(1);
        tracing::warn!(source = key, reason, "dead letter");
        Ok(())
    }
}

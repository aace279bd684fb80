//! Appends facts to `external-platform`, each with the brokers' word.

use crate::{config::Config, limits};
use chassis::kafka::{self, ProducerLimits};
use rdkafka::{
    error::KafkaError,
    producer::{FutureProducer, FutureRecord},
};
use schemas::{
    Fact, FactTopic,
    codec::{EncodeError, FactCodec},
    partition::{home_of_fact, key_of_fact},
};
use std::sync::Arc;

const LIMITS: ProducerLimits = ProducerLimits {
    delivery_timeout_ms: limits::JOURNAL_DELIVERY_MS,
    queue_messages: 10_000,
    queue_kbytes: 16_384,
};

/// Why a fact is not, or not surely, in the topic.
#[derive(Debug, thiserror::Error)]
pub enum NotAppended {
    /// The log lists no schema for it.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The brokers did not confirm it.
    #[error("Kafka did not confirm it: {0}")]
    Kafka(#[from] KafkaError),
}

/// See the module.
#[derive(Clone)]
pub struct Journal {
    producer: FutureProducer,
    codec: Arc<FactCodec>,
    prefix: String,
}

impl Journal {
    /// For this configuration.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(config: &Config, codec: Arc<FactCodec>) -> Result<Self, KafkaError> {
        let client = format!("{}-journal", config.instance);
        let producer = kafka::producer(&config.kafka, &client, 0, LIMITS).create()?;
        Ok(Self { producer, codec, prefix: config.topic_prefix.clone() })
    }

    /// Where facts about dispatches stand.
    #[must_use]
    pub fn topic(&self) -> String {
        FactTopic::ExternalPlatform.name(&self.prefix)
    }

    /// Appends a fact where it belongs.
    ///
    /// # Errors
    /// Brokers that did not confirm it.
    pub async fn append(&self, fact: &Fact) -> Result<(), NotAppended> {
        let mut payload = Vec::new();
        self.codec.encode(fact, &mut payload)?;
        let (topic, key) = (FactTopic::of(fact.fact_type()).name(&self.prefix), key_of_fact(fact));
        let record = FutureRecord::to(&topic).partition(home_of_fact(fact)).key(&key).payload(&payload);
        let sent = self.producer.send(record, limits::JOURNAL_QUEUE_WAIT).await;
        Ok(sent.map(drop).map_err(|(error, _)| error)?)
    }
}

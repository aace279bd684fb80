//! The relay's transactional producer. Every call blocks: for `spawn_blocking` only.

use super::{Positions, facts_of};
use crate::{config::Config, limits, metric};
use chassis::kafka::{self, ProducerLimits};
use migrations::entity::outbox;
use rdkafka::{
    error::KafkaError,
    producer::{FutureProducer, FutureRecord, Producer},
};
use schemas::{
    Fact, FactTopic,
    codec::{EncodeError, FactCodec},
    partition::{home_of_fact, key_of_fact},
};
use std::sync::Arc;

/// Each row comes to two records at most.
const QUEUE: ProducerLimits = ProducerLimits {
    delivery_timeout_ms: limits::RELAY_DELIVERY_MS,
    queue_messages: 4 * limits::RELAY_ROWS as u32,
    queue_kbytes: 16_384,
};

/// Why nothing was published, or nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Begin anew, which finds out.
    #[error("{0}")]
    Transient(String),
    /// A person must look; rows wait.
    #[error("{0}")]
    Stuck(String),
    /// The producer is done for: fenced by another relay, or worse.
    #[error("{0}")]
    Fatal(String),
}

impl From<KafkaError> for PublishError {
    fn from(error: KafkaError) -> Self {
        match &error {
            KafkaError::Transaction(inner) if inner.is_fatal() => Self::Fatal(error.to_string()),
            _ => Self::Transient(error.to_string()),
        }
    }
}

impl From<EncodeError> for PublishError {
    fn from(error: EncodeError) -> Self {
        Self::Stuck(error.to_string())
    }
}

/// The only one that publishes, until the next one begins.
pub struct Publisher {
    producer: FutureProducer,
    codec: Arc<FactCodec>,
    prefix: String,
    positions: Positions,
}

impl Publisher {
    /// Fences whoever published before, ends what he left open, and reads back how far he came.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn start(config: &Config, codec: Arc<FactCodec>) -> Result<Self, PublishError> {
        let client = format!("{}-outbox-relay", config.instance);
        let mut settings = kafka::producer(&config.kafka, &client, limits::RELAY_LINGER_MS, QUEUE);
        settings
            .set("transactional.id", format!("{}outbox-relay", config.topic_prefix))
            .set("transaction.timeout.ms", limits::RELAY_TRANSACTION_MS.to_string());
        let producer: FutureProducer = settings.create()?;
        producer.init_transactions(limits::RELAY_CALL)?;
        let positions = Positions::read(config, &codec)?;
        Ok(Self { producer, codec, prefix: config.topic_prefix.clone(), positions })
    }

    /// How far it has come.
    #[must_use]
    pub const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Publishes what of these rows, sorted by offset, is not published yet: all of it, or nothing. Returns how many
    /// facts that were. After an error only a new one is of use.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish(&mut self, rows: &[outbox::Model]) -> Result<u64, PublishError> {
        let mut due = Vec::new();
        for row in rows {
            for fact in facts_of(row) {
                let (topic, partition) = (FactTopic::of(fact.fact_type()), home_of_fact(&fact));
                if !self.positions.has(topic, partition, row.source_offset) {
                    due.push((topic, partition, row.source_offset, fact));
                }
            }
        }
        if due.is_empty() {
            return Ok(0);
        }
        let sent = self.send(&due);
        // A producer that is done for says so in the word of another error.
        match (sent, self.producer.client().fatal_error()) {
            (Err(_), Some((code, reason))) => return Err(PublishError::Fatal(format!("{code}: {reason}"))),
            (sent, _) => sent?,
        }
        for (topic, partition, source_offset, _) in &due {
            self.positions.note(*topic, *partition, *source_offset);
            metrics::counter!(metric::RELAY_PUBLISHED, "topic" => topic.base_name()).increment(1);
        }
        Ok(due.len() as u64)
    }

    fn send(&self, due: &[(FactTopic, i32, u64, Fact)]) -> Result<(), PublishError> {
        self.producer.begin_transaction()?;
        for (topic, partition, _, fact) in due {
            let mut payload = Vec::new();
            self.codec.encode(fact, &mut payload)?;
            let (name, key) = (topic.name(&self.prefix), key_of_fact(fact));
            let record = FutureRecord::to(&name).partition(*partition).key(&key).payload(&payload);
            // Its own answer is not waited for: committing fails where any record failed.
            self.producer.send_result(record).map_err(|(error, _)| error)?;
        }
        self.producer.commit_transaction(limits::RELAY_CALL)?;
        Ok(())
    }
}

//! Appends single records for the tools and waits for the brokers' word.

use crate::config::Config;
use anyhow::Context;
use chassis::kafka::{self, ProducerLimits};
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::time::Duration;

/// One append.
const APPEND_TIMEOUT: Duration = Duration::from_secs(30);
const LIMITS: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 20_000, queue_messages: 1_000, queue_kbytes: 16_384 };

/// See the module.
pub struct Writer(FutureProducer);

impl Writer {
    /// For this configuration.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self(kafka::producer(&config.kafka, &config.instance, 0, LIMITS).create()?))
    }

    /// Appends one payload.
    ///
    /// # Errors
    /// The brokers did not confirm it.
    pub async fn append(&self, topic: &str, partition: i32, payload: &[u8]) -> anyhow::Result<()> {
        let record = FutureRecord::<(), _>::to(topic).partition(partition).payload(payload);
        let sent = self.0.send(record, APPEND_TIMEOUT).await;
        sent.map_err(|(error, _)| error).with_context(|| format!("appending to {topic}-{partition}"))?;
        Ok(())
    }
}

//! Kafka client settings that every client of ours shares; each number was measured (docs/decisions/0005).

use rdkafka::{
    ClientConfig, ClientContext, consumer::ConsumerContext, error::KafkaError, types::RDKafkaErrorCode,
};

/// Largest pause between two attempts to reconnect, in ms; the default of 10 s delays every recovery.
const RECONNECT_BACKOFF_MAX_MS: u32 = 500;
/// How long a request may stay without an answer, in ms; without it a frozen leader stalls a client for ever.
pub const SOCKET_TIMEOUT_MS: u32 = 3_000;

/// Settings of every client.
#[must_use]
pub fn client(brokers: &str, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", client_id)
        .set("socket.nagle.disable", "true")
        .set("socket.timeout.ms", SOCKET_TIMEOUT_MS.to_string())
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", RECONNECT_BACKOFF_MAX_MS.to_string())
        .set("topic.metadata.refresh.fast.interval.ms", "50")
        .set("allow.auto.create.topics", "false");
    config
}

/// A consumer that reads what it is told to, in no group; `error` makes a wrong offset an error, not a jump.
#[must_use]
pub fn reader(brokers: &str, client_id: &str) -> ClientConfig {
    let mut config = client(brokers, client_id);
    config
        .set("group.id", "tidemark-no-group")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.wait.max.ms", "100")
        .set("queued.min.messages", "100000")
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// A [`reader`] of request logs. Uncommitted: an open transaction of a stranger would hold all its readers back, and what it
/// aborts stands in the log for everybody alike.
#[must_use]
pub fn log_reader(brokers: &str, client_id: &str) -> ClientConfig {
    let mut config = reader(brokers, client_id);
    config.set("isolation.level", "read_uncommitted");
    config
}

/// A producer whose answer means that the record is on every in-sync replica.
#[must_use]
pub fn producer(brokers: &str, client_id: &str, linger_ms: u32, limits: ProducerLimits) -> ClientConfig {
    let mut config = client(brokers, client_id);
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", linger_ms.to_string())
        .set("request.timeout.ms", SOCKET_TIMEOUT_MS.to_string())
        .set("retry.backoff.ms", "50")
        .set("retry.backoff.max.ms", "250")
        .set("delivery.timeout.ms", limits.delivery_timeout_ms.to_string())
        .set("queue.buffering.max.messages", limits.queue_messages.to_string())
        .set("queue.buffering.max.kbytes", limits.queue_kbytes.to_string());
    config
}

/// For a consumer that reads to an end (`enable.partition.eof`): that it is reached is what is waited for, not an error to
/// be written into the log.
pub struct ReadsToTheEnd;

impl ClientContext for ReadsToTheEnd {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::debug!(%error, reason, "a client that reads to an end");
        }
    }
}

impl ConsumerContext for ReadsToTheEnd {}

/// Limits of a producer's queue.
#[derive(Clone, Copy, Debug)]
pub struct ProducerLimits {
    /// From `send` to the verdict, in ms; scanned once a second, so up to one second later.
    pub delivery_timeout_ms: u32,
    /// Records.
    pub queue_messages: u32,
    /// KiB.
    pub queue_kbytes: u32,
}

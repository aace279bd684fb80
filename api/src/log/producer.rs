//! Appends records. Its callback only hands the brokers' verdict to whoever waits; it decides nothing.

use crate::limits;
use rdkafka::{
    ClientConfig, ClientContext, Message,
    config::FromClientConfigAndContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::ToBytes,
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};
use std::time::Duration;

/// Told what became of one record.
pub trait Delivery: Send + Sync {
    /// The brokers have it, at this offset.
    fn acknowledged(&self, offset: u64);
    /// They did not confirm it: it may be in the log or not.
    fn failed(&self);
}

struct Context;

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Box<dyn Delivery>>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Self::DeliveryOpaque) {
        match result {
            Ok(message) => delivery.acknowledged(message.offset().unsigned_abs()),
            Err((error, message)) => {
                tracing::debug!(%error, topic = message.topic(), partition = message.partition(), "not delivered");
                metrics::counter!(crate::metric::UNDELIVERED, "reason" => reason(error)).increment(1);
                delivery.failed();
            }
        }
    }
}

fn reason(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => "timed_out",
        Some(RDKafkaErrorCode::Fatal) => "fatal",
        _ => "other",
    }
}

/// Why a record was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The queue is full: shed.
    QueueFull,
    /// The client refused it.
    Refused(String),
}

impl NotTaken {
    fn by(error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Self::QueueFull,
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// One producer for the process.
pub struct Appender {
    producer: ThreadedProducer<Context>,
}

impl Appender {
    /// From `kafka::producer` settings; asks for metadata so that the first request does not pay for it.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(config: &ClientConfig, topics: &[String]) -> Result<Self, KafkaError> {
        let producer = ThreadedProducer::from_config_and_context(config, Context)?;
        for topic in topics {
            // Warming only: the first append would wait for it otherwise.
            if let Err(error) = producer.client().fetch_metadata(Some(topic), limits::WARM_UP) {
                tracing::warn!(%error, topic, "warming the producer failed");
            }
        }
        Ok(Self { producer })
    }

    /// Hands a record over; the verdict comes to `delivery`.
    ///
    /// # Errors
    /// It was not taken, so it is not in the log.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        payload: &[u8],
        delivery: Box<dyn Delivery>,
    ) -> Result<(), NotTaken> {
        let record = BaseRecord::<'_, (), [u8], _>::with_opaque_to(topic, Box::new(delivery));
        self.hand_over(record.partition(partition).payload(payload))
    }

    /// The same for a record with a key.
    ///
    /// # Errors
    /// It was not taken, so it is not in the log.
    pub fn append_keyed(
        &self,
        (topic, partition): (&str, i32),
        key: &[u8],
        payload: &[u8],
        delivery: Box<dyn Delivery>,
    ) -> Result<(), NotTaken> {
        let record = BaseRecord::<'_, [u8], [u8], _>::with_opaque_to(topic, Box::new(delivery));
        self.hand_over(record.partition(partition).key(key).payload(payload))
    }

    fn hand_over<K: ToBytes + ?Sized>(
        &self,
        record: BaseRecord<'_, K, [u8], Box<Box<dyn Delivery>>>,
    ) -> Result<(), NotTaken> {
        self.producer.send(record).map_err(|(error, _)| NotTaken::by(&error))
    }

    /// An error after which this client never sends again; the process must end.
    pub fn fatal_error(&self) -> Option<String> {
        self.producer.client().fatal_error().map(|(code, text)| format!("{code:?}: {text}"))
    }

    /// Records not answered by the brokers yet.
    pub fn in_flight(&self) -> i32 {
        self.producer.in_flight_count()
    }

    /// Waits for what is in flight; blocking.
    pub fn flush(&self, timeout: Duration) {
        if let Err(error) = self.producer.flush(timeout) {
            tracing::warn!(%error, "records were in flight at the end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    /// What librdkafka and brokers say of one record. No code ends the process or stops a partition: only a client that
    /// is done for does, which [`Appender::fatal_error`] tells.
    const OTHER: &[Code] = &[
        Code::AllBrokersDown,
        Code::Authentication,
        Code::BadMessage,
        Code::BrokerNotAvailable,
        Code::BrokerTransportFailure,
        Code::ClusterAuthorizationFailed,
        Code::Conflict,
        Code::CriticalSystemResource,
        Code::Fail,
        Code::Fenced,
        Code::FileSystem,
        Code::GaplessGuarantee,
        Code::Inconsistent,
        Code::InvalidArgument,
        Code::InvalidMessage,
        Code::InvalidMessageSize,
        Code::InvalidRequiredAcks,
        Code::InvalidTimestamp,
        Code::InvalidTopic,
        Code::LeaderNotAvailable,
        Code::MessageBatchTooLarge,
        Code::MessageSizeTooLarge,
        Code::NetworkException,
        Code::NotEnoughReplicas,
        Code::NotEnoughReplicasAfterAppend,
        Code::NotLeaderForPartition,
        Code::OperationTimedOut,
        Code::PurgeInflight,
        Code::PurgeQueue,
        Code::ReplicaNotAvailable,
        Code::RequestTimedOut,
        Code::Resolve,
        Code::Retry,
        Code::SSL,
        Code::State,
        Code::TimedOutQueue,
        Code::TopicAuthorizationFailed,
        Code::Unknown,
        Code::UnknownPartition,
        Code::UnknownTopic,
        Code::UnknownTopicOrPartition,
    ];

    #[test]
    fn every_code_has_the_meaning_that_was_written_down_for_it() {
        let not_taken = |code| NotTaken::by(&KafkaError::MessageProduction(code));
        let why = |code| reason(&KafkaError::MessageProduction(code));
        assert_eq!(not_taken(Code::QueueFull), NotTaken::QueueFull);
        assert_eq!((why(Code::MessageTimedOut), why(Code::Fatal)), ("timed_out", "fatal"));
        for code in [&[Code::MessageTimedOut, Code::Fatal], OTHER].concat() {
            assert!(matches!(not_taken(code), NotTaken::Refused(_)), "{code:?}");
        }
        for code in [&[Code::QueueFull], OTHER].concat() {
            assert_eq!(why(code), "other", "{code:?}");
        }
    }
}

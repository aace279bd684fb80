//! Writes changes down: records of `control` and the entry in `control.audit` in one of Kafka's transactions, so that
//! neither stands there without the other.

use crate::{
    audit::Operation,
    limits,
    records::{Key, Value},
    topics,
};
use chassis::kafka::{self, ProducerLimits};
use parking_lot::Mutex;
use rdkafka::{
    error::KafkaError,
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer},
};
use std::{sync::Arc, time::Duration};
use tokio::runtime::Handle;

const QUEUE: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: limits::DELIVERY_MS, queue_messages: 1_000, queue_kbytes: 4_096 };

/// A change: what it is about, and what it says; nothing takes it back.
pub type Change = (Key, Option<Value>);

/// Nobody can say whether the change stands there. Asking again is safe.
#[derive(Debug, thiserror::Error)]
#[error("Kafka did not confirm the change: {0}")]
pub struct NotAppended(String);

impl From<KafkaError> for NotAppended {
    fn from(error: KafkaError) -> Self {
        Self(error.to_string())
    }
}

/// See the module.
#[derive(Clone)]
pub struct Journal {
    brokers: String,
    prefix: String,
    instance: String,
    producer: Arc<Mutex<Option<FutureProducer>>>,
}

impl Journal {
    /// For the topics with this prefix, under this instance's name.
    #[must_use]
    pub fn new(brokers: &str, prefix: &str, instance: &str) -> Self {
        let (brokers, prefix, instance) = (brokers.to_owned(), prefix.to_owned(), instance.to_owned());
        Self { brokers, prefix, instance, producer: Arc::default() }
    }

    /// Begins before it is needed, which takes some time; a failure shows when it is used.
    pub async fn warm(&self) {
        let journal = self.clone();
        let warmed = tokio::task::spawn_blocking(move || {
            let mut producer = journal.producer.lock();
            if producer.is_none() {
                *producer = Some(journal.begin()?);
            }
            Ok::<(), NotAppended>(())
        });
        if let Ok(Err(error)) = warmed.await {
            tracing::debug!(%error, "the journal of control is not ready yet");
        }
    }

    /// Appends changes, and the operation that they belong to with its epoch filled in; returns that epoch.
    ///
    /// # Errors
    /// See [`NotAppended`].
    pub async fn append(&self, changes: Vec<Change>, operation: Operation) -> Result<u64, NotAppended> {
        let journal = self.clone();
        let appended = tokio::task::spawn_blocking(move || {
            // One transaction at a time.
            let mut place = journal.producer.lock();
            let producer = match place.take() {
                Some(producer) => producer,
                None => journal.begin()?,
            };
            let epoch = journal.commit(&producer, &changes, operation)?;
            // After an error only a new one is of use.
            *place = Some(producer);
            Ok(epoch)
        });
        appended.await.map_err(|error| NotAppended(error.to_string()))?
    }

    fn begin(&self) -> Result<FutureProducer, NotAppended> {
        let client = format!("{}-control", self.instance);
        let mut settings = kafka::producer(&self.brokers, &client, 0, QUEUE);
        settings
            .set("transactional.id", format!("{}control-{}", self.prefix, self.instance))
            .set("transaction.timeout.ms", limits::TRANSACTION_MS.to_string());
        let producer: FutureProducer = settings.create()?;
        producer.init_transactions(limits::CALL)?;
        Ok(producer)
    }

    fn commit(
        &self,
        producer: &FutureProducer,
        changes: &[Change],
        operation: Operation,
    ) -> Result<u64, NotAppended> {
        producer.begin_transaction()?;
        let written = self.write(producer, changes, operation);
        match written {
            Ok(epoch) => producer.commit_transaction(limits::CALL).map(|()| epoch).map_err(Into::into),
            Err(error) => {
                if let Err(error) = producer.abort_transaction(limits::CALL) {
                    tracing::debug!(%error, "a change was not aborted; the brokers will do it");
                }
                Err(error)
            }
        }
    }

    fn write(
        &self,
        producer: &FutureProducer,
        changes: &[Change],
        mut operation: Operation,
    ) -> Result<u64, NotAppended> {
        let json = |error: serde_json::Error| NotAppended(error.to_string());
        let topic = topics::name(&self.prefix, topics::CONTROL);
        let mut sent = Vec::new();
        for (key, value) in changes {
            let value = value.as_ref().map(Value::to_bytes).transpose().map_err(json)?;
            sent.push(Self::send(producer, &topic, &key.to_string(), value.as_deref())?);
        }
        for delivery in sent {
            operation.epoch = operation.epoch.max(delivered(delivery)?);
        }
        let entry = serde_json::to_vec(&operation).map_err(json)?;
        let topic = topics::name(&self.prefix, topics::AUDIT);
        // Committing would wait for it too, but in steps of 100 ms.
        delivered(Self::send(producer, &topic, &operation.id.to_string(), Some(&entry))?)?;
        Ok(operation.epoch)
    }

    fn send(
        producer: &FutureProducer,
        topic: &str,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<DeliveryFuture, NotAppended> {
        let mut record = FutureRecord::to(topic).partition(0).key(key);
        record.payload = value;
        Ok(producer.send_result(record).map_err(|(error, _)| error)?)
    }
}

/// The offset of a record, once the brokers have it. Not by a flush: the client's own thread takes the answers, and a
/// flush beside it sleeps through them for 100 ms.
fn delivered(delivery: DeliveryFuture) -> Result<u64, NotAppended> {
    let patience = Duration::from_millis(2 * u64::from(limits::DELIVERY_MS));
    let answer = async { tokio::time::timeout(patience, delivery).await };
    match Handle::current().block_on(answer) {
        Ok(Ok(Ok(delivery))) => Ok(delivery.offset.unsigned_abs()),
        Ok(Ok(Err((error, _)))) => Err(error.into()),
        Ok(Err(_)) | Err(_) => Err(NotAppended("no answer in time".to_owned())),
    }
}

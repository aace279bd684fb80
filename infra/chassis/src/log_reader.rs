//! Looks at a log from outside: end offsets, single records, topic settings. Blocking; for a thread of its own.

mod asking;

pub use asking::{PartitionCount, bounds, position};

use crate::kafka::ReadsToTheEnd;
use asking::{offsets, topics};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// One call to the brokers; a longer one would block on a leader that is gone.
const CALL_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest wait for an answer, unless a reader was told to be patient.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before the same question is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long the brokers may keep a fetch that finds nothing, in ms. What is read here is there already, and the next look
/// waits for that answer.
const FETCH_WAIT_MS: &str = "10";
/// Longest wait for one record that must be there.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum LogReadError {
    /// The brokers did not answer in time.
    #[error("Kafka did not answer: {0}")]
    Unavailable(#[from] KafkaError),
    /// No record came although the log should hold one.
    #[error("no record at {topic}-{partition} offset {offset} came in time")]
    NoRecord {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Offset.
        offset: u64,
    },
    /// The log does not begin at offset 0 any more, so nobody can fold it.
    #[error(
        "the head of {topic}-{partition} is cut off at {low}: a request log is kept for ever. Do not run `consumers init`; \
         restore the topic from a copy: see \"The head of the log is cut off\" in docs/operations.md"
    )]
    Cut {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// First offset that is left.
        low: u64,
    },
}

/// One record as it stands in the log; its bytes owned, or lent for the time of a look.
#[derive(Clone, Debug)]
pub struct RawRecord<P = Vec<u8>> {
    /// Offset.
    pub offset: u64,
    /// Broker's append time, in ms since the epoch; `None` where the topic does not stamp on append.
    pub append_time_ms: Option<i64>,
    /// Bytes.
    pub payload: Option<P>,
}

impl RawRecord<&[u8]> {
    /// With bytes of its own.
    #[must_use]
    pub fn to_owned(&self) -> RawRecord {
        let payload = self.payload.map(<[u8]>::to_vec);
        RawRecord { offset: self.offset, append_time_ms: self.append_time_ms, payload }
    }
}

/// A client that looks and follows nothing.
pub struct LogReader {
    consumer: BaseConsumer<ReadsToTheEnd>,
    /// Reads records; kept between two looks, as making and ending one takes 100 ms. Whoever looks takes it out.
    scanner: Mutex<Option<BaseConsumer<ReadsToTheEnd>>>,
    config: ClientConfig,
    patience: Duration,
}

impl LogReader {
    /// From `kafka::reader` settings.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(config: ClientConfig) -> Result<Self, KafkaError> {
        let mut config = config;
        config.set("fetch.wait.max.ms", FETCH_WAIT_MS).set("enable.partition.eof", "true");
        let consumer = config.create_with_context(ReadsToTheEnd)?;
        Ok(Self { consumer, scanner: Mutex::new(None), config, patience: PATIENCE })
    }

    /// For whoever starts, perhaps at the same moment as the brokers: asks again for so long before it gives up.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = self.patience.max(patience);
        self
    }

    /// Partitions of a topic; 0 where there is no such topic.
    ///
    /// # Errors
    /// Brokers that do not answer.
    pub fn partitions(&self, topic: &str) -> Result<usize, KafkaError> {
        self.insist(&[topic], self.patience, || {
            let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE)?;
            let Some(found) = metadata.topics().first() else { return Ok(0) };
            match found.error().map(RDKafkaErrorCode::from) {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(0),
                Some(error) => Err(KafkaError::MetadataFetch(error)),
                None => Ok(found.partitions().len()),
            }
        })
    }

    /// How the partitions of a topic compare with those that it is to have.
    ///
    /// # Errors
    /// Brokers that do not answer.
    pub fn partition_count(&self, topic: &str, expected: i32) -> Result<PartitionCount, KafkaError> {
        let found = self.partitions(topic)?;
        if found < expected as usize {
            return Ok(PartitionCount::Fewer(found));
        }
        for partition in expected..found as i32 {
            let (low, end) = self.bounds(topic, partition)?;
            if low < end {
                return Ok(PartitionCount::Strange { partition });
            }
            tracing::error!(
                topic,
                partition,
                expected,
                "a partition that this log does not have; it is empty, and ignored"
            );
        }
        Ok(if found == expected as usize { PartitionCount::Right } else { PartitionCount::Spare })
    }

    /// End offsets (high watermarks) of all the partitions named, in one call, asked of their leaders.
    ///
    /// # Errors
    /// After `budget`: a leader that did not answer, or answered that it cannot know yet.
    pub fn end_offsets(&self, wanted: &[(String, i32)], budget: Duration) -> Result<Vec<u64>, KafkaError> {
        self.insist(&topics(wanted), budget, || self.ask_offsets(wanted, Offset::End))
    }

    /// Asks until it is answered or the time is over.
    fn insist<T>(
        &self,
        topics: &[&str],
        budget: Duration,
        ask: impl Fn() -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let deadline = Instant::now() + budget;
        let mut told = budget <= PATIENCE;
        // The first attempt may outlast the budget, as on a machine that stood still: then there is one more.
        let mut again = false;
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(answer),
                Err(error) if std::mem::replace(&mut again, true) && Instant::now() >= deadline => {
                    return Err(error);
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut told, true) {
                let brokers = self.config.get("bootstrap.servers").unwrap_or_default();
                tracing::warn!(brokers, %error, ?budget, "Kafka does not answer yet; asking again");
            }
            // A client that asks a dead leader keeps asking it until its metadata is refreshed.
            for topic in topics {
                let _ = self.consumer.fetch_metadata(Some(topic), CALL_TIMEOUT);
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn ask_offsets(&self, wanted: &[(String, i32)], which: Offset) -> Result<Vec<u64>, KafkaError> {
        // Nothing is assigned, so nothing but errors can come; unread they would pile up while brokers are away.
        while self.consumer.poll(Duration::ZERO).is_some() {}
        offsets(&self.consumer, wanted, which, CALL_TIMEOUT)
    }

    /// First and end offset of one partition.
    ///
    /// # Errors
    /// Brokers that do not answer.
    pub fn bounds(&self, topic: &str, partition: i32) -> Result<(u64, u64), KafkaError> {
        self.insist(&[topic], self.patience, || bounds(&self.consumer, topic, partition, PATIENCE))
    }

    /// Calls `each` for every record from `from` up to `end` (exclusive), in order, until it says stop.
    ///
    /// # Errors
    /// Brokers that do not answer, or a log that ends early.
    pub fn scan(
        &self,
        topic: &str,
        partition: i32,
        range: std::ops::Range<u64>,
        mut each: impl FnMut(RawRecord<&[u8]>) -> std::ops::ControlFlow<()>,
    ) -> Result<(), LogReadError> {
        if range.is_empty() {
            return Ok(());
        }
        let scanner = self.scanner_at(topic, &BTreeMap::from([(partition, range.start)]))?;
        let read = self.scan_with(&scanner, (topic, partition), range, &mut each);
        self.keep(scanner, read)
    }

    fn scan_with(
        &self,
        scanner: &BaseConsumer<ReadsToTheEnd>,
        (topic, partition): (&str, i32),
        range: std::ops::Range<u64>,
        each: &mut impl FnMut(RawRecord<&[u8]>) -> std::ops::ControlFlow<()>,
    ) -> Result<(), LogReadError> {
        let waited = RECORD_TIMEOUT.max(self.patience);
        let mut heard = Instant::now();
        let mut next = range.start;
        while next < range.end {
            match scanner.poll(CALL_TIMEOUT) {
                // Of a former look.
                Some(Ok(message))
                    if message.topic() != topic
                        || message.partition() != partition
                        || message.offset().unsigned_abs() < next => {}
                Some(Ok(message)) => {
                    let offset = message.offset().unsigned_abs();
                    if offset >= range.end || each(raw(&message)).is_break() {
                        return Ok(());
                    }
                    next = offset + 1;
                    heard = Instant::now();
                }
                Some(Err(error)) if is_wrong_offset(&error) => return Err(error.into()),
                // At the end may stand markers of transactions, which nobody is given.
                Some(Err(KafkaError::PartitionEOF(_)))
                    if position(scanner, topic, partition)?.is_some_and(|at| at >= range.end) =>
                {
                    return Ok(());
                }
                Some(Err(_)) | None if heard.elapsed() > waited => {
                    let topic = topic.to_owned();
                    return Err(LogReadError::NoRecord { topic, partition, offset: next });
                }
                Some(Err(_)) | None => {}
            }
        }
        Ok(())
    }

    /// A consumer that reads those partitions from those offsets on.
    fn scanner_at(
        &self,
        topic: &str,
        from: &BTreeMap<i32, u64>,
    ) -> Result<BaseConsumer<ReadsToTheEnd>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in from {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset as i64))?;
        }
        let kept = self.scanner.lock().unwrap_or_else(PoisonError::into_inner).take();
        let scanner = kept.map_or_else(|| self.config.create_with_context(ReadsToTheEnd), Ok)?;
        // A client that is given a topic it does not know looks for its leaders only a second later.
        let _ = scanner.fetch_metadata(Some(topic), CALL_TIMEOUT);
        scanner.assign(&list)?;
        Ok(scanner)
    }

    /// Keeps the consumer for the next look; one that failed is not used again.
    fn keep<T>(
        &self,
        scanner: BaseConsumer<ReadsToTheEnd>,
        read: Result<T, LogReadError>,
    ) -> Result<T, LogReadError> {
        if read.is_ok() && scanner.unassign().is_ok() {
            *self.scanner.lock().unwrap_or_else(PoisonError::into_inner) = Some(scanner);
        }
        read
    }

    /// The first record of a request log's partition that `accept` makes something of, searched from its beginning.
    ///
    /// # Errors
    /// See [`LogReadError`].
    pub fn find_first<T>(
        &self,
        topic: &str,
        partition: i32,
        mut accept: impl FnMut(&RawRecord<&[u8]>) -> Option<T>,
    ) -> Result<Option<T>, LogReadError> {
        let (low, high) = self.bounds(topic, partition)?;
        if low > 0 {
            return Err(LogReadError::Cut { topic: topic.to_owned(), partition, low });
        }
        let mut found = None;
        self.scan(topic, partition, low..high, |record| {
            found = accept(&record);
            if found.is_some() {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        })?;
        Ok(found)
    }

    /// Of each partition one record that must be there.
    ///
    /// # Errors
    /// See [`LogReadError`].
    pub fn records(
        &self,
        topic: &str,
        wanted: &BTreeMap<i32, u64>,
    ) -> Result<BTreeMap<i32, RawRecord>, LogReadError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let scanner = self.scanner_at(topic, wanted)?;
        let read = self.records_with(&scanner, topic, wanted);
        self.keep(scanner, read)
    }

    fn records_with(
        &self,
        scanner: &BaseConsumer<ReadsToTheEnd>,
        topic: &str,
        wanted: &BTreeMap<i32, u64>,
    ) -> Result<BTreeMap<i32, RawRecord>, LogReadError> {
        let mut found = BTreeMap::new();
        let waited = RECORD_TIMEOUT.max(self.patience);
        let mut heard = Instant::now();
        while let Some((partition, offset)) =
            wanted.iter().find(|(partition, _)| !found.contains_key(*partition))
        {
            match scanner.poll(CALL_TIMEOUT) {
                Some(Ok(message)) => {
                    let is_wanted =
                        wanted.get(&message.partition()) == Some(&message.offset().unsigned_abs());
                    if is_wanted && message.topic() == topic {
                        found.insert(message.partition(), raw(&message).to_owned());
                        heard = Instant::now();
                    }
                }
                Some(Err(error)) if is_wrong_offset(&error) => return Err(error.into()),
                Some(Err(_)) | None => {}
            }
            if heard.elapsed() > waited {
                let (topic, partition, offset) = (topic.to_owned(), *partition, *offset);
                return Err(LogReadError::NoRecord { topic, partition, offset });
            }
        }
        Ok(found)
    }

    /// One record that must be there.
    ///
    /// # Errors
    /// See [`LogReadError`].
    pub fn record(&self, topic: &str, partition: i32, offset: u64) -> Result<RawRecord, LogReadError> {
        let mut found = None;
        self.scan(topic, partition, offset..offset + 1, |record| {
            found = Some(record.to_owned());
            std::ops::ControlFlow::Break(())
        })?;
        found.ok_or_else(|| LogReadError::NoRecord { topic: topic.to_owned(), partition, offset })
    }
}

/// Whether the log does not hold the offset that was asked for.
#[must_use]
pub fn is_wrong_offset(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
}

/// A message's raw content, lent.
pub fn raw<M: Message>(message: &M) -> RawRecord<&[u8]> {
    RawRecord {
        offset: message.offset().unsigned_abs(),
        append_time_ms: match message.timestamp() {
            rdkafka::Timestamp::LogAppendTime(ms) => Some(ms),
            rdkafka::Timestamp::CreateTime(_) | rdkafka::Timestamp::NotAvailable => None,
        },
        payload: message.payload(),
    }
}

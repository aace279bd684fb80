//! How far the database is behind the log, in records and in time. Blocking.

use crate::{limits, topics};
use chassis::{kafka::ReadsToTheEnd, log_reader::bounds};
use rdkafka::{
    ClientConfig, Message, Offset, Timestamp, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A topic's partition, by its name on the broker.
pub type Spot = (String, i32);

/// One poll while records are looked at.
const POLL: Duration = Duration::from_millis(50);
/// For all the records that are looked at together.
const LOOK: Duration = Duration::from_secs(2);

/// End offsets of partitions.
///
/// # Errors
/// Brokers that do not answer.
pub fn ends(settings: &ClientConfig, spots: &[Spot]) -> KafkaResult<BTreeMap<Spot, u64>> {
    let consumer: BaseConsumer = settings.create()?;
    let mut list = TopicPartitionList::new();
    for (topic, partition) in spots {
        list.add_partition_offset(topic, *partition, Offset::End)?;
    }
    let ends = consumer.offsets_for_times(list, limits::CALL)?;
    let end = |spot: &Spot| match ends.find_partition(&spot.0, spot.1)?.offset() {
        Offset::Offset(end) => Some((spot.clone(), end.unsigned_abs())),
        _ => None,
    };
    Ok(spots.iter().filter_map(end).collect())
}

/// Where the topics of operators end, by one client for all questions; blocking.
pub struct Ends {
    consumer: BaseConsumer,
    prefix: String,
}

impl Ends {
    /// A client of its own.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(settings: &ClientConfig, prefix: &str) -> KafkaResult<Self> {
        let mut settings = settings.clone();
        // A change is confirmed before the mark of its transaction stands behind it: its records count already.
        settings.set("isolation.level", "read_uncommitted");
        Ok(Self { consumer: settings.create()?, prefix: prefix.to_owned() })
    }

    /// The offset behind everything that was confirmed.
    ///
    /// # Errors
    /// Brokers that do not answer.
    pub fn of(&self, topic: &str) -> KafkaResult<u64> {
        let (_, end) = bounds(&self.consumer, &topics::name(&self.prefix, topic), 0, limits::CALL)?;
        Ok(end)
    }
}

/// When the records at, or next behind, these offsets were appended, in ms since the epoch: none where no record follows,
/// but at most the mark of a transaction. What does not answer in time is left out.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn append_times(
    settings: &ClientConfig,
    behind: &BTreeMap<Spot, Behind>,
) -> KafkaResult<BTreeMap<Spot, Option<i64>>> {
    let mut found = BTreeMap::new();
    if behind.is_empty() {
        return Ok(found);
    }
    let mut settings = settings.clone();
    // One record of each is wanted, not a queue full of them.
    settings
        .set("queued.min.messages", "1")
        .set("fetch.message.max.bytes", "4096")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer<ReadsToTheEnd> = settings.create_with_context(ReadsToTheEnd)?;
    let mut list = TopicPartitionList::new();
    for ((topic, partition), Behind { committed, .. }) in behind {
        list.add_partition_offset(topic, *partition, Offset::Offset(*committed as i64))?;
    }
    consumer.assign(&list)?;
    let began = Instant::now();
    while found.len() < behind.len() && began.elapsed() < LOOK {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                if let Timestamp::LogAppendTime(ms) = message.timestamp() {
                    found.entry((message.topic().to_owned(), message.partition())).or_insert(Some(ms));
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                let positions = consumer.position()?;
                for (spot, Behind { end, .. }) in behind {
                    let at = positions.find_partition(&spot.0, spot.1).map(|found| found.offset());
                    if matches!(at, Some(Offset::Offset(at)) if at >= *end as i64) {
                        found.entry(spot.clone()).or_insert(None);
                    }
                }
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(found)
}

/// A partition that the database lacks something of, or seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// What the database waits for.
    pub committed: u64,
    /// Where the log ends.
    pub end: u64,
}

//! How far the database is behind the log, in records and in time. Blocking.

use crate::limits;
use rdkafka::{
    ClientConfig, Message, Offset, Timestamp, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaResult,
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

/// When the records at, or next behind, these offsets were appended, in ms since the epoch; what does not answer in time
/// is left out.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn append_times(
    settings: &ClientConfig,
    spots: &BTreeMap<Spot, u64>,
) -> KafkaResult<BTreeMap<Spot, i64>> {
    let mut found = BTreeMap::new();
    if spots.is_empty() {
        return Ok(found);
    }
    let mut settings = settings.clone();
    // One record of each is wanted, not a queue full of them.
    settings.set("queued.min.messages", "1").set("fetch.message.max.bytes", "4096");
    let consumer: BaseConsumer = settings.create()?;
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in spots {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset as i64))?;
    }
    consumer.assign(&list)?;
    let began = Instant::now();
    while found.len() < spots.len() && began.elapsed() < LOOK {
        if let Some(Ok(message)) = consumer.poll(POLL)
            && let Timestamp::LogAppendTime(ms) = message.timestamp()
        {
            found.entry((message.topic().to_owned(), message.partition())).or_insert(ms);
        }
    }
    Ok(found)
}

//! The newest records of a log with gaps, read backwards from its end; blocking. It must never take a gap for an end:
//! compaction and the marks of transactions leave offsets without a record, also the last ones.

use crate::limits;
use chassis::{
    kafka::ReadsToTheEnd,
    log_reader::{LogReadError, LogReader, RawRecord, is_wrong_offset, raw},
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Instant,
};

/// One partition, and how far its search has come.
struct Search<T> {
    low: u64,
    /// Everything from here on was read.
    end: u64,
    chunk: u64,
    found: T,
}

impl<T> Search<T> {
    fn next(&self) -> Range<u64> {
        self.end.saturating_sub(self.chunk).max(self.low)..self.end
    }
}

/// Reads partitions (each from an offset on) backwards in growing chunks, until `enough` was found in it or it begins.
/// `take` sees the records of a chunk in order, and the chunks from the newest to the oldest.
///
/// # Errors
/// A log that cannot be read.
pub fn search<T: Default>(
    config: &ClientConfig,
    topic: &str,
    partitions: &[(i32, u64)],
    mut take: impl FnMut(i32, &mut T, &RawRecord<&[u8]>),
    enough: impl Fn(&T) -> bool,
) -> Result<BTreeMap<i32, T>, LogReadError> {
    let reader = LogReader::new(config.clone())?.patient(limits::CHUNK_PATIENCE);
    let mut searches: BTreeMap<i32, Search<T>> = BTreeMap::new();
    for &(partition, from) in partitions {
        let (low, end) = reader.bounds(topic, partition)?;
        let (low, chunk, found) = (low.max(from), limits::FIRST_CHUNK_OFFSETS, T::default());
        searches.insert(partition, Search { low, end, chunk, found });
    }
    loop {
        let open = searches.iter().filter(|(_, search)| search.end > search.low && !enough(&search.found));
        let ranges: BTreeMap<i32, Range<u64>> = open.map(|(at, search)| (*at, search.next())).collect();
        if ranges.is_empty() {
            return Ok(searches.into_iter().map(|(at, search)| (at, search.found)).collect());
        }
        read(config, topic, &ranges, |partition, record| {
            if let Some(search) = searches.get_mut(&partition) {
                take(partition, &mut search.found, record);
            }
        })?;
        for (partition, range) in ranges {
            if let Some(search) = searches.get_mut(&partition) {
                search.end = range.start;
                search.chunk = search.chunk.saturating_mul(limits::CHUNK_GROWTH);
            }
        }
    }
}

/// Reads a range of each of several partitions, up to its end or the end of the log.
fn read(
    config: &ClientConfig,
    topic: &str,
    ranges: &BTreeMap<i32, Range<u64>>,
    mut each: impl FnMut(i32, &RawRecord<&[u8]>),
) -> Result<(), LogReadError> {
    let mut config = config.clone();
    config.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    let consumer: BaseConsumer<ReadsToTheEnd> = config.create_with_context(ReadsToTheEnd)?;
    let mut list = TopicPartitionList::new();
    for (partition, range) in ranges {
        list.add_partition_offset(topic, *partition, Offset::Offset(range.start as i64))?;
    }
    consumer.assign(&list)?;
    // A list that outlives its consumer would block the drop for ever.
    drop(list);
    let mut left: BTreeSet<i32> = ranges.keys().copied().collect();
    let mut heard = Instant::now();
    while let Some(&next) = left.first() {
        match consumer.poll(limits::CHUNK_POLL) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let (partition, record) = (message.partition(), raw(&message));
                let end = ranges.get(&partition).map_or(0, |range| range.end);
                if record.offset < end {
                    each(partition, &record);
                }
                if record.offset + 1 >= end {
                    left.remove(&partition);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                heard = Instant::now();
                left.remove(&partition);
            }
            Some(Err(error)) if is_wrong_offset(&error) => return Err(error.into()),
            Some(Err(_)) | None if heard.elapsed() > limits::CHUNK_PATIENCE => {
                let offset = ranges.get(&next).map_or(0, |range| range.start);
                return Err(LogReadError::NoRecord { topic: topic.to_owned(), partition: next, offset });
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}

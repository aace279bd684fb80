//! Questions of where a partition begins, where it ends, and where a consumer is.

use super::{CALL_TIMEOUT, RETRY_PAUSE};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::time::{Duration, Instant};

/// How many partitions a topic has, against how many it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionCount {
    /// So many as it is to have.
    Right,
    /// More, of which the spare ones hold nothing: they are left alone.
    Spare,
    /// Fewer; 0 where there is no such topic.
    Fewer(usize),
    /// More, and a spare one holds records.
    Strange {
        /// The first that does.
        partition: i32,
    },
}

/// First and end offset of one partition, asked of its leader, again and again within that time.
///
/// librdkafka's own question for both takes an answer that is missing for the other one: while a leader comes back, a whole
/// log looked as if all of it had been deleted ("198 to 198").
///
/// # Errors
/// A leader that did not answer, or answered that it cannot know yet.
pub fn bounds<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<(u64, u64), KafkaError> {
    let wanted = [(topic.to_owned(), partition)];
    let deadline = Instant::now() + timeout;
    let ask = |which| loop {
        match offsets(consumer, &wanted, which, timeout) {
            Ok(found) => break Ok(found[0]),
            Err(error) if Instant::now() >= deadline => break Err(error),
            // A leader that has started again has another epoch than the client knows until it looks anew.
            Err(_) => {
                let _ = consumer.fetch_metadata(Some(topic), CALL_TIMEOUT);
                std::thread::sleep(RETRY_PAUSE);
            }
        }
    };
    let low = ask(Offset::Beginning)?;
    Ok((low, ask(Offset::End)?))
}

/// First or end offsets of all the partitions named, in one call; each was answered by its leader.
pub(super) fn offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    wanted: &[(String, i32)],
    which: Offset,
    timeout: Duration,
) -> Result<Vec<u64>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(wanted.len());
    for (topic, partition) in wanted {
        list.add_partition_offset(topic, *partition, which)?;
    }
    let found = consumer.offsets_for_times(list, timeout)?;
    wanted
        .iter()
        .map(|(topic, partition)| {
            let element = found.find_partition(topic, *partition);
            match element.map(|element| (element.error(), element.offset())) {
                Some((Ok(()), Offset::Offset(offset))) => Ok(offset.unsigned_abs()),
                Some((Err(error), _)) => Err(error),
                _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::OffsetNotAvailable)),
            }
        })
        .collect()
}

/// Up to where a consumer was given all there is: behind markers of transactions, too, once it has come to the end.
///
/// # Errors
/// librdkafka's own.
pub fn position<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Result<Option<u64>, KafkaError> {
    let positions = consumer.position()?;
    Ok(match positions.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(at)) => Some(at.unsigned_abs()),
        _ => None,
    })
}

pub(super) fn topics(wanted: &[(String, i32)]) -> Vec<&str> {
    let mut topics: Vec<&str> = wanted.iter().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    topics
}

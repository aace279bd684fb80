//! Follows one topic to its end for ever: poll, decode, fold. A thread of its own, no group, never paused.

use super::{cell::Cell, topic_log::TopicLog};
use crate::metric;
use arc_swap::ArcSwap;
use chassis::{
    kafka::ReadsToTheEnd,
    log_reader::{LogReadError, LogReader, is_wrong_offset, position},
    shutdown::CancellationToken,
};
use control::skips::Skips;
use domain::{Input, LogPosition, Verdict, digest::record_hash, fold::State};
use rdkafka::{
    ClientConfig, Message, Offset, Timestamp, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::BorrowedMessage,
};
use schemas::codec::{Codec, CodecError, DecodeError, decode_founding};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

/// One poll; also how soon a shutdown is noticed.
const POLL: Duration = Duration::from_millis(100);
/// A poll that took longer means that this process stood still; the log may have changed under it meanwhile.
const FROZEN: Duration = Duration::from_secs(1);
/// Going back to where a partition stopped.
const SEEK: Duration = Duration::from_secs(5);
/// Longest time of one comparison with the log; one that took longer is done again.
const VERIFIED_WITHIN: Duration = Duration::from_secs(15);
/// Asking where the partitions end, for that.
const VERIFY_ENDS: Duration = Duration::from_secs(2);
/// Pause between two attempts to look at a log that does not answer.
const VERIFY_RETRY: Duration = Duration::from_millis(200);

/// Why the process must end.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The client cannot follow any more.
    #[error("following {topic} failed for good: {source}")]
    Client {
        /// Topic.
        topic: String,
        /// librdkafka's word.
        source: KafkaError,
    },
    /// The log does not hold what this process has folded.
    #[error(
        "{topic}-{partition} is not the log that this process has folded: {reason}. \
         Offsets up to {next_offset} were answered from another history; restore the log, or start anew against it"
    )]
    AnotherHistory {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Next offset of this process.
        next_offset: u64,
        /// What was found.
        reason: String,
    },
}

/// Follows one topic.
pub struct Tail<S: State> {
    consumer: BaseConsumer<ReadsToTheEnd>,
    follower: Follower<S>,
}

struct Follower<S: State> {
    log: TopicLog<S>,
    reader: LogReader,
    /// Per partition; absent until its first rules.
    codecs: Vec<Option<Arc<Codec>>>,
    /// What the ingress encodes with: the newest rules seen.
    current: Arc<ArcSwap<Codec>>,
    /// Version of the rules that `current` comes from.
    newest: AtomicI32,
    suspicious: bool,
    skips: Skips,
}

impl<S: State> Tail<S> {
    /// Assigns every partition from its beginning.
    ///
    /// # Errors
    /// Settings or an assignment that librdkafka refuses.
    pub fn new(
        log: TopicLog<S>,
        config: &ClientConfig,
        current: Arc<ArcSwap<Codec>>,
        skips: Skips,
    ) -> Result<Self, KafkaError> {
        let mut following = config.clone();
        // That the end is reached says that nothing but markers of transactions stands behind the last record.
        following.set("enable.partition.eof", "true");
        let consumer: BaseConsumer<ReadsToTheEnd> = following.create_with_context(ReadsToTheEnd)?;
        let mut list = TopicPartitionList::new();
        for cell in log.cells() {
            list.add_partition_offset(log.name(), cell.partition(), Offset::Offset(0))?;
        }
        consumer.assign(&list)?;
        let codecs = log.cells().iter().map(|_| None).collect();
        let reader = LogReader::new(config.clone())?;
        Ok(Self {
            consumer,
            follower: Follower {
                log,
                reader,
                codecs,
                current,
                newest: AtomicI32::new(0),
                suspicious: false,
                skips,
            },
        })
    }

    /// Follows until shutdown.
    ///
    /// # Errors
    /// See [`Fatal`].
    pub fn run(self, shutdown: &CancellationToken) -> Result<(), Fatal> {
        let Self { consumer, mut follower } = self;
        let mut last_poll = Instant::now();
        while !shutdown.is_cancelled() {
            let polled = consumer.poll(POLL);
            // From poll to poll, so that no place where the process may have stood still is missed.
            follower.suspicious |= last_poll.elapsed() > FROZEN;
            last_poll = Instant::now();
            if follower.skips.refresh() {
                follower.go_on(&consumer);
            }
            if let Some(Err(KafkaError::PartitionEOF(partition))) = polled {
                follower.reach(&consumer, partition);
                continue;
            }
            if follower.suspicious && !matches!(polled, Some(Err(_))) {
                follower.verify(shutdown)?;
                // What was said of an end meanwhile was not believed.
                (0..follower.log.cells().len() as i32)
                    .for_each(|partition| follower.reach(&consumer, partition));
                // What that took is no sign of having stood still: else a slow machine would verify before every record.
                last_poll = Instant::now();
            }
            match polled {
                None => {}
                Some(Err(source)) if is_wrong_offset(&source) => {
                    return Err(Fatal::Client { topic: follower.log.name().to_string(), source });
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, topic = %follower.log.name(), "the tail lost its broker");
                    follower.suspicious = true;
                }
                Some(Ok(message)) => follower.fold(&message),
            }
        }
        Ok(())
    }
}

impl<S: State> Follower<S> {
    /// The reader has come to the end of a partition. A client that has just come back may say so of another log: nothing
    /// counts before it was compared.
    fn reach(&self, consumer: &BaseConsumer<ReadsToTheEnd>, partition: i32) {
        let Some(cell) = self.log.cells().get(partition as usize).filter(|_| !self.suspicious) else {
            return;
        };
        match position(consumer, self.log.name(), partition) {
            Ok(Some(at)) => cell.reach(at),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, partition, "the reader does not say where it is"),
        }
    }

    fn fold(&mut self, message: &BorrowedMessage<'_>) {
        let partition = message.partition();
        let at = partition as usize;
        let Some(cell) = self.log.cells().get(at).filter(|cell| cell.stopped().is_none()) else { return };
        let Timestamp::LogAppendTime(timestamp_ms) = message.timestamp() else {
            self.stop(
                cell,
                "a record without an append time; set message.timestamp.type=LogAppendTime",
                message.offset(),
            );
            return;
        };
        let (payload, offset) = (message.payload(), message.offset().unsigned_abs());
        let position = LogPosition { offset, timestamp_ms, record_hash: record_hash(payload) };
        if self.skips.has(S::TOPIC.base_name(), partition, offset) {
            if let Err(reason) = cell.apply(position, Input::OperatorSkip) {
                self.report(cell, &reason);
            }
            return;
        }
        let codec = match &self.codecs[at] {
            Some(codec) => Ok(Some(codec.clone())),
            None => founding_codec(payload),
        };
        let codec = match codec {
            Ok(codec) => codec,
            Err(error) => return self.stop(cell, &error.to_string(), message.offset()),
        };
        let decoded = codec.as_ref().map(|codec| codec.decode(S::TOPIC, payload));
        let input = match &decoded {
            Some(Ok(record)) => Input::Record(record),
            Some(Err(DecodeError::Malformed(_))) | None => Input::Malformed,
            Some(Err(unknown)) => {
                self.stop(cell, &unknown.to_string(), message.offset());
                return;
            }
        };
        match cell.apply(position, input) {
            Ok(decision) if matches!(decision.verdict, Verdict::RulesActivated(_)) => self.adopt(at),
            Ok(_) => {}
            Err(reason) => self.report(cell, &reason),
        }
    }

    /// Partitions that stopped at a record which an operator decided to pass over begin there anew.
    fn go_on(&self, consumer: &BaseConsumer<ReadsToTheEnd>) {
        for cell in self.log.cells() {
            let next = cell.next_offset();
            let skipped = self.skips.has(S::TOPIC.base_name(), cell.partition(), next);
            if !skipped || cell.stopped().is_none() {
                continue;
            }
            let (topic, partition) = (self.log.name(), cell.partition());
            if let Err(error) = consumer.seek(topic, partition, Offset::Offset(next as i64), SEEK) {
                tracing::error!(%error, %topic, partition, "it cannot go on behind a record that is passed over; restart");
                continue;
            }
            cell.go_on();
            metrics::gauge!(metric::STOPPED_PARTITIONS, "topic" => topic.to_string()).decrement(1.0);
            tracing::warn!(%topic, partition, offset = next, "an operator decided to pass over this record; going on");
        }
    }

    fn stop(&self, cell: &Cell<S>, why: &str, offset: i64) {
        let (topic, partition) = (self.log.name(), cell.partition());
        let reason = cell.stop(format!("{topic}-{partition} stopped at offset {offset}: {why}").into());
        self.report(cell, &reason);
    }

    fn report(&self, cell: &Cell<S>, reason: &str) {
        let topic = self.log.name().to_string();
        metrics::gauge!(metric::STOPPED_PARTITIONS, "topic" => topic.clone()).increment(1.0);
        tracing::error!(topic, partition = cell.partition(), reason, "partition stopped; nothing is skipped");
    }

    /// New rules list the schemas to read and write with from here on.
    fn adopt(&mut self, at: usize) {
        let rules = self.log.cells()[at].look(|fold| fold.rules().cloned());
        let (version, schemas) = rules.map(|rules| (rules.version, rules.schemas)).unwrap_or_default();
        match Codec::new(&schemas) {
            Ok(codec) => {
                let codec = Arc::new(codec);
                self.codecs[at] = Some(codec.clone());
                // Another partition may still be reading its older rules: only a newer version is written with.
                if self.newest.fetch_max(version, Ordering::AcqRel) <= version {
                    self.current.store(codec);
                }
            }
            Err(error) => {
                let cell = &self.log.cells()[at];
                self.stop(cell, &error.to_string(), cell.next_offset() as i64);
            }
        }
    }

    /// Compares the last folded record of every partition with the log.
    fn verify(&mut self, shutdown: &CancellationToken) -> Result<(), Fatal> {
        let next_offsets = self.log.cells().iter().map(|cell| (cell.partition(), cell.next_offset()));
        let folded: BTreeMap<i32, u64> =
            next_offsets.filter_map(|(partition, next)| Some((partition, next.checked_sub(1)?))).collect();
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let is_seen = self.is_the_log(&folded)?;
            // Who stood still in the middle of it has seen a part of it before and a part after.
            if is_seen && began.elapsed() <= VERIFIED_WITHIN {
                break;
            }
            if !is_seen {
                std::thread::sleep(VERIFY_RETRY);
            }
        }
        self.suspicious = false;
        Ok(())
    }

    /// Whether the last folded records stand in the log; no where the brokers do not answer.
    fn is_the_log(&self, folded: &BTreeMap<i32, u64>) -> Result<bool, Fatal> {
        let another = |partition: i32, reason: &str| Fatal::AnotherHistory {
            topic: self.log.name().to_string(),
            partition,
            next_offset: folded[&partition] + 1,
            reason: reason.to_owned(),
        };
        let ends_early = "the log ends before the last folded record";
        let wanted: Vec<_> =
            folded.keys().map(|partition| (self.log.name().to_string(), *partition)).collect();
        let asked = self.reader.end_offsets(&wanted, VERIFY_ENDS);
        let Ok(ends) = asked.inspect_err(|error| tracing::debug!(%error, "the log cannot be verified yet"))
        else {
            return Ok(false);
        };
        for ((partition, last), end) in folded.iter().zip(ends) {
            if end <= *last {
                return Err(another(*partition, ends_early));
            }
        }
        let records = match self.reader.records(self.log.name(), folded) {
            Ok(records) => records,
            Err(LogReadError::Unavailable(error)) if is_wrong_offset(&error) => {
                // Of which partition it is, librdkafka does not say.
                let missing = |(partition, last): &(&i32, &u64)| {
                    let bounds = self.reader.bounds(self.log.name(), **partition);
                    bounds.is_ok_and(|(first, end)| !(first..end).contains(*last))
                };
                return folded.iter().find(missing).map_or(Ok(false), |(p, _)| Err(another(*p, ends_early)));
            }
            Err(error) => {
                tracing::debug!(%error, "the log cannot be verified yet");
                return Ok(false);
            }
        };
        for (partition, record) in records {
            let expected = self.log.cell(partition).look(|fold| fold.header().last_record_hash);
            if record_hash(record.payload.as_deref()) != expected {
                return Err(another(partition, "the last folded record is another one there"));
            }
        }
        Ok(true)
    }
}

fn founding_codec(payload: Option<&[u8]>) -> Result<Option<Arc<Codec>>, CodecError> {
    let rules = decode_founding(payload.unwrap_or_default())?;
    rules.map(|rules| Codec::new(&rules.schemas).map(Arc::new)).transpose()
}

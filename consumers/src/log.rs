//! The log from a projection's side: where it begins, what founded it, how its bytes become inputs.

use crate::config::Config;
use chassis::{
    kafka,
    log_reader::{LogReadError, LogReader, PartitionCount},
};
use domain::Input;
use rdkafka::error::KafkaError;
use schemas::{
    Record, Topic,
    codec::{Codec, CodecError, DecodeError, decode_founding},
    records::{Mode, RulesActivated},
};
use std::{sync::Arc, time::Duration};

/// Why this log cannot be worked with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is and what to do")]
pub enum LogError {
    #[error("Kafka cannot be reached at {brokers}: {source}. Is the broker up, and TIDEMARK_KAFKA right?")]
    Kafka { brokers: String, source: KafkaError },
    #[error("reading the log: {0}")]
    Read(#[from] LogReadError),
    #[error(
        "topic {topic} has {found} partitions, not {expected}: run `consumers init` once (0), or check TIDEMARK_TOPIC_PREFIX"
    )]
    Partitions { topic: String, found: usize, expected: i32 },
    #[error(
        "{topic}-{partition} holds records, and this log has {expected} partitions: nothing of ours writes there. Find who \
         does, keep what is worth it, delete the records up to the end (kafka-delete-records), and start again"
    )]
    StrangePartition { topic: String, partition: i32, expected: i32 },
    #[error("{topic}-{partition} has no rules yet: run `consumers init`")]
    NoRules { topic: String, partition: i32 },
    #[error("{topic}-{partition} belongs to another log than the partitions before it")]
    AnotherLog { topic: String, partition: i32 },
    #[error(
        "the log was founded in {log:?} mode and this process is set to {own:?} (TIDEMARK_MODE); a log never changes its mode"
    )]
    Mode { log: Mode, own: Mode },
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A reader for this configuration.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn reader(config: &Config) -> Result<LogReader, LogError> {
    LogReader::new(kafka::log_reader(&config.kafka, &config.instance))
        .map_err(|source| LogError::Kafka { brokers: config.kafka.clone(), source })
}

/// A reader for whoever starts, or is a tool that somebody waits for: it waits for the brokers.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn patient_reader(config: &Config) -> Result<LogReader, LogError> {
    Ok(reader(config)?.patient(Duration::from_millis(config.kafka_wait_ms)))
}

/// The rules that founded a partition, if it is founded; blocking.
///
/// # Errors
/// See [`LogError`].
pub fn founding(reader: &LogReader, topic: &str, partition: i32) -> Result<Option<RulesActivated>, LogError> {
    let found = reader
        .find_first(topic, partition, |raw| decode_founding(raw.payload.unwrap_or_default()).transpose())?;
    Ok(found.transpose()?)
}

/// Checks every partition and returns the rules that founded the log; blocking.
///
/// # Errors
/// See [`LogError`].
pub fn foundation(config: &Config, reader: &LogReader) -> Result<RulesActivated, LogError> {
    let mut first: Option<RulesActivated> = None;
    for topic in Topic::ALL {
        let name = topic.name(&config.topic_prefix);
        let kafka = |source| LogError::Kafka { brokers: config.kafka.clone(), source };
        let expected = topic.partitions();
        match reader.partition_count(&name, expected).map_err(kafka)? {
            PartitionCount::Right | PartitionCount::Spare => {}
            PartitionCount::Fewer(found) => {
                return Err(LogError::Partitions { topic: name, found, expected });
            }
            PartitionCount::Strange { partition } => {
                return Err(LogError::StrangePartition { topic: name, partition, expected });
            }
        }
        for partition in 0..topic.partitions() {
            let none = || LogError::NoRules { topic: name.clone(), partition };
            let rules = founding(reader, &name, partition)?.ok_or_else(none)?;
            match &first {
                Some(first) if first.log_id != rules.log_id => {
                    return Err(LogError::AnotherLog { topic: name, partition });
                }
                Some(_) => {}
                None => first = Some(rules),
            }
        }
    }
    let rules = first.ok_or(LogError::NoRules { topic: String::new(), partition: 0 })?;
    if rules.mode == config.mode {
        Ok(rules)
    } else {
        Err(LogError::Mode { log: rules.mode, own: config.mode })
    }
}

/// Turns the bytes of one partition into inputs of its fold, by the rules that are in force there.
#[derive(Clone, Default)]
pub struct Decoder {
    codec: Option<Arc<Codec>>,
    /// Payload of the rules in force; stored beside the offset.
    rules: Vec<u8>,
}

/// What a payload turned out to be.
#[derive(Debug)]
pub enum Decoded {
    /// A record.
    Record(Box<Record>),
    /// No record; skipped by everybody alike.
    Malformed,
}

impl Decoded {
    /// For the fold.
    #[must_use]
    pub fn input(&self) -> Input<'_> {
        match self {
            Self::Record(record) => Input::Record(record),
            Self::Malformed => Input::Malformed,
        }
    }
}

/// Something that must not be skipped: the partition stops before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MustStop(pub String);

impl Decoder {
    /// With the payload of rules that were stored; an empty one means before the first rules.
    ///
    /// # Errors
    /// Rules that this binary cannot work by.
    pub fn with_rules(payload: &[u8]) -> Result<(Self, Option<RulesActivated>), MustStop> {
        let stop = |error: CodecError| MustStop(error.to_string());
        let Some(rules) = decode_founding(payload).map_err(stop)? else {
            return Ok((Self::default(), None));
        };
        let codec = Codec::new(&rules.schemas).map_err(stop)?;
        Ok((Self { codec: Some(Arc::new(codec)), rules: payload.to_vec() }, Some(rules)))
    }

    /// What a payload is.
    ///
    /// # Errors
    /// An unknown schema id, a foreign record type, or rules that this binary cannot work by.
    pub fn decode(&self, topic: Topic, payload: Option<&[u8]>) -> Result<Decoded, MustStop> {
        let Some(codec) = &self.codec else {
            let founding = decode_founding(payload.unwrap_or_default());
            return Ok(match founding.map_err(|error| MustStop(error.to_string()))? {
                Some(rules) => Decoded::Record(Box::new(rules.into())),
                None => Decoded::Malformed,
            });
        };
        match codec.decode(topic, payload) {
            Ok(record) => Ok(Decoded::Record(Box::new(record))),
            Err(DecodeError::Malformed(_)) => Ok(Decoded::Malformed),
            Err(unknown) => Err(MustStop(unknown.to_string())),
        }
    }

    /// Takes over rules that the fold just activated.
    ///
    /// # Errors
    /// Rules that this binary cannot work by.
    pub fn adopt(&mut self, payload: &[u8]) -> Result<(), MustStop> {
        (*self, _) = Self::with_rules(payload)?;
        Ok(())
    }

    /// Payload of the rules in force; empty before the first.
    #[must_use]
    pub fn rules(&self) -> &[u8] {
        &self.rules
    }
}

//! Before anything is served: the log's topics, its first rules, and whether this process fits them.

use crate::config::{Config, Secrets};
use chassis::{
    log_reader::{LogReadError, LogReader, PartitionCount},
    registry::{Registry, RegistryError},
};
use rdkafka::error::KafkaError;
use schemas::{
    KeyCheck, LogId, Topic, catalogue,
    codec::{CodecError, decode_founding},
    records::{Mode, RegisteredSchema, RulesActivated},
};

/// Why this process must not serve this log.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is and what to do")]
pub enum FoundationError {
    #[error("Kafka cannot be reached at {brokers}: {source}. Is the broker up, and TIDEMARK_KAFKA right?")]
    Kafka { brokers: String, source: KafkaError },
    #[error("reading the log: {0}")]
    Log(#[from] LogReadError),
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
    #[error("{variable} is not the key that this log was founded with")]
    Key { variable: &'static str },
    #[error(
        "the registry numbers {subject} as {registry}, the log as {log}: this is not the registry that the log was written with"
    )]
    SchemaId { subject: String, registry: i32, log: i32 },
    #[error("the registry does not know {subject}: this is not the registry that the log was written with")]
    SchemaGone { subject: String },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// What the log's first rules fixed for ever, and the schemas to begin with.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// Id of this log.
    pub log_id: LogId,
    /// Who may act.
    pub mode: Mode,
    /// Balance of a user never charged, in minor units.
    pub opening_balance: i64,
    /// Schemas of the first rules.
    pub schemas: Vec<RegisteredSchema>,
}

/// Reads and checks the foundation of every partition; blocking.
///
/// # Errors
/// See [`FoundationError`].
pub fn read(config: &Config, secrets: &Secrets, reader: &LogReader) -> Result<Foundation, FoundationError> {
    let mut first: Option<RulesActivated> = None;
    for topic in Topic::ALL {
        let name = topic.name(&config.topic_prefix);
        let expected = topic.partitions();
        let kafka = |source| FoundationError::Kafka { brokers: config.kafka.clone(), source };
        match reader.partition_count(&name, expected).map_err(kafka)? {
            PartitionCount::Right | PartitionCount::Spare => {}
            PartitionCount::Fewer(found) => {
                return Err(FoundationError::Partitions { topic: name, found, expected });
            }
            PartitionCount::Strange { partition } => {
                return Err(FoundationError::StrangePartition { topic: name, partition, expected });
            }
        }
        for partition in 0..topic.partitions() {
            let rules = founding_rules(reader, &name, partition)?;
            match &first {
                Some(first) if first.log_id != rules.log_id => {
                    return Err(FoundationError::AnotherLog { topic: name, partition });
                }
                Some(_) => {}
                None => first = Some(rules),
            }
        }
    }
    let rules = first.ok_or(FoundationError::NoRules { topic: String::new(), partition: 0 })?;
    fits(config, secrets, &rules)?;
    let RulesActivated { log_id, mode, opening_balance, schemas, .. } = rules;
    Ok(Foundation { log_id, mode, opening_balance, schemas })
}

fn founding_rules(
    reader: &LogReader,
    topic: &str,
    partition: i32,
) -> Result<RulesActivated, FoundationError> {
    let found = reader
        .find_first(topic, partition, |raw| decode_founding(raw.payload.unwrap_or_default()).transpose())?;
    match found {
        Some(rules) => Ok(rules?),
        None => Err(FoundationError::NoRules { topic: topic.to_owned(), partition }),
    }
}

fn fits(config: &Config, secrets: &Secrets, rules: &RulesActivated) -> Result<(), FoundationError> {
    let own = config.mode.into();
    if rules.mode != own {
        return Err(FoundationError::Mode { log: rules.mode, own });
    }
    let keys = [
        ("TIDEMARK_EMAIL_KEY", &secrets.email_key, rules.email_key_check),
        ("TIDEMARK_FINGERPRINT_KEY", &secrets.fingerprint_key, rules.fingerprint_key_check),
    ];
    for (variable, key, check) in keys {
        if KeyCheck::of(key) != check {
            return Err(FoundationError::Key { variable });
        }
    }
    Ok(())
}

/// Compares the registry's ids with the log's. The log has the last word: a registry that does not say its ids stops nobody.
///
/// # Errors
/// A registry that numbers our schemas otherwise, or does not know them.
pub async fn compare_registry(url: &str, listed: &[RegisteredSchema]) -> Result<(), FoundationError> {
    let registry = Registry::new(url)?;
    for entry in catalogue::all() {
        let Some(log) = listed.iter().find(|schema| schema.crc64 == entry.crc64) else { continue };
        match registry.look_up(&entry.subject, entry.kind.avsc()).await {
            Ok(Some(id)) if id == log.id => {}
            Ok(Some(registry)) => {
                let subject = entry.subject.clone();
                return Err(FoundationError::SchemaId { subject, registry, log: log.id });
            }
            Ok(None) => return Err(FoundationError::SchemaGone { subject: entry.subject.clone() }),
            Err(RegistryError::Unreachable { url, reason }) => {
                tracing::warn!(
                    url,
                    reason,
                    "the schema registry is away; going on with the ids that the log lists"
                );
                return Ok(());
            }
            Err(error @ RegistryError::Refused { .. }) => {
                tracing::warn!(%error, "going on with the ids that the log lists");
                return Ok(());
            }
        }
    }
    Ok(())
}

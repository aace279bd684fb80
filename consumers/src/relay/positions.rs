//! How far each target partition has been published, read back from the partitions themselves.

use super::PublishError;
use crate::{config::Config, newest};
use chassis::{
    kafka,
    log_reader::{LogReader, RawRecord},
};
use schemas::{
    Fact, FactTopic,
    codec::{DecodeError, FactCodec},
    partition::home_of_fact,
};
use std::collections::BTreeMap;

/// The offset of the last payment that was published, by target partition; absent where none was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<(FactTopic, i32), u64>);

/// What was found at the end of one partition.
#[derive(Default)]
struct Found {
    newest: Option<u64>,
    /// Nothing before can be newer.
    settled: bool,
    /// Why this binary cannot tell.
    unknown: Option<String>,
}

impl Positions {
    /// Reads them back; blocking. Only right once the former relay was fenced.
    ///
    /// # Errors
    /// Topics that cannot be read, or that hold what this binary does not know.
    pub fn read(config: &Config, codec: &FactCodec) -> Result<Self, PublishError> {
        let settings = kafka::reader(&config.kafka, &config.instance);
        let transient = |error: &dyn std::fmt::Display| PublishError::Transient(error.to_string());
        let reader = LogReader::new(settings.clone()).map_err(|error| transient(&error))?;
        let (mut positions, mut cleared) = (BTreeMap::new(), Vec::new());
        for topic in FactTopic::ALL {
            let name = topic.name(&config.topic_prefix);
            let partitions: Vec<(i32, u64)> = (0..topic.partitions()).map(|p| (p, 0)).collect();
            let take = |partition, found: &mut Found, raw: &RawRecord<&[u8]>| {
                found.take(codec, (topic, partition), raw);
            };
            let found = newest::search(&settings, &name, &partitions, take, Found::is_enough);
            for (partition, found) in found.map_err(|error| transient(&error))? {
                if let Some(reason) = found.unknown {
                    return Err(PublishError::Stuck(format!("{name}-{partition}: {reason}")));
                }
                let (low, _) = reader.bounds(&name, partition).map_err(|error| transient(&error))?;
                match found.newest {
                    Some(newest) => drop(positions.insert((topic, partition), newest)),
                    None if low > 0 => cleared.push((topic, partition)),
                    None => {}
                }
            }
        }
        // Where all was kept for its time and is gone, others tell: payments are published in one order, and all facts of
        // one payment at once.
        if let Some(newest) = positions.values().copied().max() {
            positions.extend(cleared.into_iter().map(|at| (at, newest)));
        }
        Ok(Self(positions))
    }

    /// Whether a payment of this offset was published there.
    #[must_use]
    pub fn has(&self, topic: FactTopic, partition: i32, source_offset: u64) -> bool {
        self.0.get(&(topic, partition)).is_some_and(|newest| *newest >= source_offset)
    }

    /// Notes that it was.
    pub fn note(&mut self, topic: FactTopic, partition: i32, source_offset: u64) {
        let newest = self.0.entry((topic, partition)).or_default();
        *newest = source_offset.max(*newest);
    }

    /// The last payment of all.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.0.values().copied().max()
    }
}

impl Found {
    fn take(&mut self, codec: &FactCodec, (topic, partition): (FactTopic, i32), raw: &RawRecord<&[u8]>) {
        let (source_offset, is_first) = match codec.decode(topic, raw.payload) {
            // None of ours: a relay never writes to a wrong partition, so it proves nothing.
            Ok(fact) if home_of_fact(&fact) != partition => return,
            Ok(Fact::PaymentCaptured(fact)) => (fact.source_offset, true),
            Ok(Fact::PaymentDeclined(fact)) => (fact.source_offset, true),
            // Compaction may leave only the redriven one of an order. It proves that the first was there, but stands
            // behind newer ones.
            Ok(Fact::DispatchRequested(fact)) => (fact.source_offset, !fact.redriven),
            Ok(_) | Err(DecodeError::Malformed(_)) => return,
            Err(unknown) => {
                self.unknown = Some(format!("at offset {}: {unknown}", raw.offset));
                return;
            }
        };
        self.newest = self.newest.max(u64::try_from(source_offset).ok());
        self.settled |= is_first;
    }

    const fn is_enough(&self) -> bool {
        self.settled || self.unknown.is_some()
    }
}

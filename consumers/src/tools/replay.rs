//! `consumers replay`: folds the log from its beginning and prints where it comes to. Writes nothing.

use crate::{config::Config, log, log::Decoder, projection::Projection};
use chassis::log_reader::LogReader;
use domain::{Fold, LogPosition, Scope, Verdict, accounts::Accounts, coupons::Coupons, digest::record_hash};
use serde::Serialize;
use std::{ops::ControlFlow, time::Instant};

/// Where a partition comes to.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records folded.
    pub records: u64,
    /// Digest, in hex.
    pub digest: String,
    /// Fold included.
    pub seconds: f64,
}

/// Replays `signup` and `coupon`; blocking.
///
/// # Errors
/// A log that cannot be read, or that holds what this binary must not pass.
pub fn run(config: &Config) -> anyhow::Result<Vec<Replayed>> {
    let reader = log::reader(config)?;
    let mut all = Vec::new();
    topic::<Accounts>(config, &reader, &mut all)?;
    topic::<Coupons>(config, &reader, &mut all)?;
    Ok(all)
}

fn topic<S: Projection>(config: &Config, reader: &LogReader, all: &mut Vec<Replayed>) -> anyhow::Result<()> {
    let name = S::TOPIC.name(&config.topic_prefix);
    for partition in 0..S::TOPIC.partitions() {
        let began = Instant::now();
        let fold = fold::<S>(reader, &name, partition)?;
        all.push(Replayed {
            topic: name.clone(),
            partition,
            records: fold.header().next_offset,
            digest: format!("{:016x}", fold.header().digest),
            seconds: began.elapsed().as_secs_f64(),
        });
    }
    Ok(())
}

/// One partition's full state.
///
/// # Errors
/// See [`run`].
pub fn fold<S: Projection>(reader: &LogReader, topic: &str, partition: i32) -> anyhow::Result<Fold<S>> {
    let (low, end) = reader.bounds(topic, partition)?;
    let mut fold = Fold::new(partition, S::empty(Scope::Full));
    let mut decoder = Decoder::default();
    let mut stopped = Ok(());
    reader.scan(topic, partition, low..end, |raw| {
        let payload = raw.payload.as_deref();
        let mut step = || -> anyhow::Result<()> {
            let decoded = decoder.decode(S::TOPIC, payload)?;
            let timestamp_ms = raw.append_time_ms.unwrap_or_default();
            let at = LogPosition { offset: raw.offset, timestamp_ms, record_hash: record_hash(payload) };
            let decision = fold.decide(at, decoded.input()).map_err(|why| anyhow::anyhow!("{why:?}"))?;
            fold.evolve(&decision);
            if matches!(decision.verdict, Verdict::RulesActivated(_)) {
                decoder.adopt(payload.unwrap_or_default())?;
            }
            Ok(())
        };
        stopped = step().map_err(|error| error.context(format!("{topic}-{partition} offset {}", raw.offset)));
        if stopped.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    stopped.map(|()| fold)
}

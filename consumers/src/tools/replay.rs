//! `consumers replay`: folds the log from its beginning and prints where it comes to. Writes nothing.

use crate::{
    config::Config,
    projection::Projection,
    replay::{Source, replay},
};
use domain::{Fold, accounts::Accounts, coupons::Coupons, shop::Shop};
use serde::Serialize;
use std::time::Instant;

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

/// Replays every request log; blocking.
///
/// # Errors
/// A log that cannot be read, or that holds what this binary must not pass.
pub fn run(config: &Config) -> anyhow::Result<Vec<Replayed>> {
    let source = Source::open(config)?;
    let mut all = Vec::new();
    topic::<Accounts>(config, &source, &mut all)?;
    topic::<Coupons>(config, &source, &mut all)?;
    topic::<Shop>(config, &source, &mut all)?;
    Ok(all)
}

fn topic<S: Projection>(config: &Config, source: &Source, all: &mut Vec<Replayed>) -> anyhow::Result<()> {
    let name = S::TOPIC.name(&config.topic_prefix);
    for partition in 0..S::TOPIC.partitions() {
        let began = Instant::now();
        let fold = fold::<S>(source, &name, partition)?;
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
pub fn fold<S: Projection>(source: &Source, topic: &str, partition: i32) -> anyhow::Result<Fold<S>> {
    let replayed = replay::<S>(source, topic, partition, |_, _, _| {})?;
    match replayed.stopped {
        Some(reason) => anyhow::bail!("{topic}-{partition} {reason}"),
        None => Ok(replayed.fold),
    }
}

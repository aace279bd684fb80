//! Folds one partition from its beginning into a full state: for the audit, for tools, for nobody's tables.

use crate::{
    config::Config,
    log::{self, Decoded, Decoder},
    projection::Projection,
};
use chassis::{
    kafka,
    log_reader::{LogReader, RawRecord},
};
use control::{State, tail::read_now};
use domain::{Decision, Fold, Input, LogPosition, Scope, Verdict, digest::record_hash};
use std::{ops::ControlFlow, sync::Arc};

/// A replayed partition.
pub struct Replayed<S: Projection> {
    /// The fold at the end, or where it stopped.
    pub fold: Fold<S>,
    /// End of the log when the replay began.
    pub end: u64,
    /// Why it stopped before the end.
    pub stopped: Option<String>,
}

/// The log, with what operators decided to pass over.
pub struct Source {
    /// For looks at it.
    pub reader: LogReader,
    control: Arc<State>,
}

impl Source {
    /// Reads topic `control`; blocking.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, or a topic that cannot be read.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let settings = kafka::reader(&config.kafka, &config.instance);
        Ok(Self { reader: log::patient_reader(config)?, control: read_now(&settings, &config.topic_prefix)? })
    }
}

/// Replays a partition; `each` sees every record with what came of it. Blocking.
///
/// # Errors
/// A log that cannot be read, or that does not begin at offset 0.
pub fn replay<S: Projection>(
    source: &Source,
    topic: &str,
    partition: i32,
    mut each: impl FnMut(&RawRecord<&[u8]>, &Decision<S::Outcome>, &Fold<S>),
) -> anyhow::Result<Replayed<S>> {
    let reader = &source.reader;
    let (low, end) = reader.bounds(topic, partition)?;
    anyhow::ensure!(
        low == 0,
        "{topic}-{partition} begins at offset {low}: a request log must be kept for ever"
    );
    let mut fold = Fold::new(partition, S::empty(Scope::Full));
    let mut decoder = Decoder::default();
    let mut stopped = None;
    let skipped = |offset| source.control.is_skipped(S::TOPIC.base_name(), partition, offset);
    reader.scan(topic, partition, 0..end, |raw| {
        match step(&mut fold, &mut decoder, &raw, skipped(raw.offset)) {
            Ok(decision) => {
                each(&raw, &decision, &fold);
                ControlFlow::Continue(())
            }
            Err(reason) => {
                stopped = Some(format!("at offset {}: {reason}", raw.offset));
                ControlFlow::Break(())
            }
        }
    })?;
    Ok(Replayed { fold, end, stopped })
}

fn step<S: Projection>(
    fold: &mut Fold<S>,
    decoder: &mut Decoder,
    raw: &RawRecord<&[u8]>,
    is_skipped: bool,
) -> Result<Decision<S::Outcome>, String> {
    let payload = raw.payload;
    let timestamp_ms = raw.append_time_ms.ok_or("a record without an append time")?;
    let at = LogPosition { offset: raw.offset, timestamp_ms, record_hash: record_hash(payload) };
    let decoded = if is_skipped {
        None
    } else {
        Some(decoder.decode(S::TOPIC, payload).map_err(|stop| stop.to_string())?)
    };
    let input = decoded.as_ref().map_or(Input::OperatorSkip, Decoded::input);
    let decision = fold.decide(at, input).map_err(|undecided| format!("{undecided:?}"))?;
    fold.evolve(&decision);
    if matches!(decision.verdict, Verdict::RulesActivated(_)) {
        decoder.adopt(payload.unwrap_or_default()).map_err(|stop| stop.to_string())?;
    }
    Ok(decision)
}

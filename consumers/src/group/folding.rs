//! Work of a projection: decode, load what is missing, fold, hand the changed rows over.

use super::{
    opening::{self, NotOpened},
    work::{Desk, NO_TIME, Source, Stop, Work, unloaded},
    worker::Finished,
};
use crate::{
    config::Config,
    log::{self, Decoded, Decoder, MustStop},
    projection::Projection,
};
use chassis::log_reader::{LogReader, RawRecord};
use domain::{
    Fold, Header, LogPosition, Scope, Undecided, Verdict,
    digest::record_hash,
    replays::Sighting,
    rules::{ActiveRules, REPLAY_REACH},
};
use migrations::entity::{
    Bytes,
    projection_offset::{Model, Progress},
};
use schemas::{Fingerprint, Record, Uuid};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use std::ops::ControlFlow;

/// A partition's fold between two transactions.
pub struct Folding<S: Projection> {
    fold: Fold<S>,
    decoder: Decoder,
    dead_lettered: u64,
}

impl<S: Projection> Work for Folding<S>
where
    S::Change: Clone + Send + Sync,
    S::Key: Send + Sync,
    S::Outcome: Send + Sync,
{
    const GROUP: &'static str = S::GROUP;
    const SOURCE: Source = Source::Log(S::TOPIC);
    type Change = S::Change;

    async fn open(config: &Config, place: &Model) -> Result<Self, NotOpened> {
        let (decoder, rules) = Decoder::with_rules(&place.active_rules)?;
        let rules = rules.as_ref().and_then(ActiveRules::of);
        let mut fold = Fold::resume(place.partition_id, S::empty(Scope::Partial), header_of(place), rules);
        let replays = {
            let (config, decoder, place) = (config.clone(), decoder.clone(), place.clone());
            let look = move || look_back::<S>(&config, &decoder, &place);
            tokio::task::spawn_blocking(look).await.map_err(|error| NotOpened::Stop(error.to_string()))??
        };
        for (envelope, sighting) in replays {
            fold.remember_raw(envelope, sighting);
        }
        Ok(Self { fold, decoder, dead_lettered: place.dead_lettered })
    }

    async fn take(
        &mut self,
        desk: &Desk,
        batch: &[RawRecord],
        changes: &mut Vec<S::Change>,
    ) -> Result<Option<Stop>, Finished> {
        let mut decoded = self.decode(batch);
        let db = desk.pool.get().map_err(|error| unloaded(&error))?;
        self.load_ahead(&db, &decoded).await.map_err(|error| unloaded(&error))?;
        for (n, raw) in batch.iter().enumerate() {
            let input = match &decoded[n] {
                _ if desk.is_skipped::<Self>(raw.offset) => domain::Input::OperatorSkip,
                Ok(decoded) => decoded.input(),
                Err(stop) => return Ok(Some(Stop::unjudgeable(raw.offset, stop))),
            };
            let Some(timestamp_ms) = raw.append_time_ms else {
                return Ok(Some(Stop::because(format!("at offset {}: {NO_TIME}", raw.offset))));
            };
            let record_hash = record_hash(raw.payload.as_deref());
            let at = LogPosition { offset: raw.offset, timestamp_ms, record_hash };
            let decision = loop {
                match self.fold.decide(at, input) {
                    Ok(decision) => break decision,
                    Err(Undecided::Missing(keys)) => {
                        self.load(&db, &keys).await.map_err(|error| unloaded(&error))?;
                        if self.fold.decide(at, input) == Err(Undecided::Missing(keys.clone())) {
                            let reason = format!("offset {} needs rows that MySQL lost: {keys:?}", at.offset);
                            return Err(Finished::Fatal(reason));
                        }
                    }
                    Err(Undecided::Contradiction(reason)) => {
                        let reason = format!("MySQL contradicts the log at offset {}: {reason}", at.offset);
                        return Ok(Some(Stop::because(reason)));
                    }
                    Err(Undecided::UnknownRules(version)) => {
                        let reason = format!("rules version {version} is newer than this binary");
                        return Ok(Some(Stop::unjudgeable(raw.offset, &reason)));
                    }
                }
            };
            if decision.verdict == Verdict::Malformed {
                desk.bury(raw, "not a record of its schema").await?;
                self.dead_lettered += 1;
            }
            self.fold.evolve(&decision);
            self.fold.changes(&decision, changes);
            if matches!(decision.verdict, Verdict::RulesActivated(_)) {
                let payload = raw.payload.as_deref().unwrap_or_default();
                self.decoder.adopt(payload).map_err(|stop| Finished::Fatal(stop.to_string()))?;
                // What follows was decoded by the rules before these.
                decoded.truncate(n + 1);
                decoded.extend(self.decode(&batch[n + 1..]));
            }
        }
        Ok(None)
    }

    fn progress(&self) -> Progress {
        let header = self.fold.header();
        Progress {
            next_offset: header.next_offset,
            digest: Bytes(header.digest.to_be_bytes()),
            last_record_hash: Bytes(header.last_record_hash.to_be_bytes()),
            clock_ms: header.clock_ms,
            rules: header.rules.unsigned_abs(),
            active_rules: self.decoder.rules().to_vec(),
            next_seq: header.next_seq,
            earliest_due_ms: header.earliest_due_ms,
            dead_lettered: self.dead_lettered,
        }
    }

    async fn write(transaction: &DatabaseTransaction, changes: &[S::Change]) -> Result<(), DbErr> {
        S::write(transaction, changes).await
    }

    fn settle(&mut self) {
        self.fold.state_mut().settle();
    }
}

impl<S: Projection> Folding<S> {
    fn decode(&self, batch: &[RawRecord]) -> Vec<Result<Decoded, MustStop>> {
        batch.iter().map(|raw| self.decoder.decode(S::TOPIC, raw.payload.as_deref())).collect()
    }

    async fn load(&mut self, db: &DatabaseConnection, keys: &[S::Key]) -> Result<(), DbErr> {
        self.fold.state_mut().load(db, keys).await
    }

    /// One round of loads for the whole batch instead of one for each record.
    async fn load_ahead(
        &mut self,
        db: &DatabaseConnection,
        decoded: &[Result<Decoded, MustStop>],
    ) -> Result<(), DbErr> {
        let records: Vec<_> = decoded
            .iter()
            .filter_map(|decoded| match decoded {
                Ok(Decoded::Record(record)) => Some(record.as_ref()),
                Ok(Decoded::Malformed) | Err(_) => None,
            })
            .collect();
        let keys = self.fold.state().wanted(&records);
        if keys.is_empty() {
            return Ok(());
        }
        self.load(db, &keys).await
    }
}

/// The fold's header as MySQL keeps it.
fn header_of(place: &Model) -> Header {
    Header {
        next_offset: place.next_offset,
        clock_ms: place.clock_ms,
        rules: place.rules as i32,
        next_seq: place.next_seq,
        earliest_due_ms: place.earliest_due_ms,
        digest: u64::from_be_bytes(place.digest.0),
        last_record_hash: u64::from_be_bytes(place.last_record_hash.0),
    }
}

type Remembered = Vec<((Uuid, Option<Fingerprint>), Sighting)>;

/// Checks the last record that MySQL has seen, and reads the raw records that a replay may reach.
fn look_back<S: Projection>(
    config: &Config,
    decoder: &Decoder,
    place: &Model,
) -> Result<Remembered, NotOpened> {
    let reader = log::reader(config).map_err(|error| NotOpened::Stop(error.to_string()))?;
    let held = opening::check_bounds(&reader, place)?;
    let Some(last) = place.next_offset.checked_sub(1) else { return Ok(Vec::new()) };
    let (topic, partition) = (&place.topic, place.partition_id);
    let found = reader.record(topic, partition, last).map_err(|error| held.unreadable(place, error))?;
    if record_hash(found.payload.as_deref()).to_be_bytes() != place.last_record_hash.0 {
        return Err(held.another(place, "the last applied record is another one in this log"));
    }
    let from = place.next_offset.saturating_sub(REPLAY_REACH.keyed_offsets).max(held.low);
    let remembered = refill::<S>(&reader, decoder, place, from);
    remembered.map_err(|error| held.unreadable(place, error))
}

fn refill<S: Projection>(
    reader: &LogReader,
    decoder: &Decoder,
    place: &Model,
    from: u64,
) -> Result<Remembered, chassis::log_reader::LogReadError> {
    let mut remembered = Vec::new();
    let mut founded = false;
    reader.scan(&place.topic, place.partition_id, from..place.next_offset, |raw| {
        // Before the first rules nothing is a record: see the fold.
        if let Ok(Decoded::Record(record)) = decoder.decode(S::TOPIC, raw.payload) {
            founded |= from > 0 || matches!(*record, Record::RulesActivated(_));
            if founded {
                let timestamp_ms = raw.append_time_ms.unwrap_or_default();
                remembered.push((record.envelope(), Sighting { offset: raw.offset, timestamp_ms }));
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(remembered)
}

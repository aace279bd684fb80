//! One partition's fold: header, rules and replay window around the state of its topic.
//!
//! `decide` reads and never fails for any content of a record; `evolve` writes and cannot fail. They are apart so
//! that a projection can load what `decide` misses and try again.

use crate::{
    digest::DigestInput,
    header::Header,
    replays::{ReplayWindow, Seen, Sighting},
    rules::{ActiveRules, REPLAY_REACH, SUPPORTED_RULES},
};
use schemas::{Fingerprint, Record, Topic, Uuid, partition, records::RulesActivated};
use std::fmt::Debug;

/// Where a record stands in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// Offset.
    pub offset: u64,
    /// The broker's append time, in ms since the epoch.
    pub timestamp_ms: i64,
    /// `digest::record_hash` of the payload.
    pub record_hash: u64,
}

/// What stands at a position.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A record.
    Record(&'a Record),
    /// Bytes that are no record; skipped by everybody alike.
    Malformed,
    /// An operator decided to skip this offset.
    OperatorSkip,
}

/// What came of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<O> {
    /// Not a record.
    Malformed,
    /// Skipped by an operator's decision.
    OperatorSkip,
    /// Stands before the first rules.
    NoRules,
    /// The same request again: nothing changes.
    Replayed,
    /// The same key for another request.
    KeyReused,
    /// Stands in a partition where it does not belong.
    Misplaced,
    /// A value that no request of ours can have.
    Impossible,
    /// Rules came into force.
    RulesActivated(i32),
    /// Rules of the same or a lower version: nothing changes.
    RulesUnchanged,
    /// Rules that would change what the first fixed for ever.
    RulesRefused,
    /// The topic's own outcome.
    Decided(O),
}

/// Why a fold did not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undecided<K> {
    /// These rows are not loaded; only in a partial state.
    Missing(Vec<K>),
    /// Rules newer than this binary: the partition stops here.
    UnknownRules(i32),
    /// Loaded rows that this log cannot have made, in words: the partition stops here. Only in a partial state.
    Contradiction(String),
}

/// What `evolve` applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<O> {
    /// Where.
    pub at: LogPosition,
    /// The log's clock with this record, in ms since the epoch.
    pub now_ms: i64,
    /// What came of it.
    pub verdict: Verdict<O>,
    /// For a replay: the first verdict, unless the window was rebuilt from raw records.
    pub first: Option<Verdict<O>>,
    /// The request that it was.
    pub envelope: Option<(Uuid, Option<Fingerprint>)>,
    rules: Option<Box<ActiveRules>>,
}

impl<O> Decision<O> {
    /// What is answered to the one who asked: a replay gets the first verdict.
    #[must_use]
    pub fn answer(&self) -> &Verdict<O> {
        self.first.as_ref().unwrap_or(&self.verdict)
    }
}

/// What a topic's decider may look at besides its own rows.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The partition.
    pub partition: i32,
    /// Its header before this record.
    pub header: &'a Header,
    /// The log's clock with this record.
    pub now_ms: i64,
    /// The rules in force.
    pub rules: &'a ActiveRules,
}

/// Where and when an outcome was applied.
#[derive(Clone, Copy, Debug)]
pub struct Applied {
    /// Offset of the record.
    pub offset: u64,
    /// The log's clock with it, in ms since the epoch.
    pub now_ms: i64,
}

/// The state of one topic's partition and how its records are judged.
pub trait State: Debug {
    /// Which topic.
    const TOPIC: Topic;
    /// What can come of a record.
    type Outcome: Clone + Debug + PartialEq + Eq;
    /// Names a row.
    type Key: Clone + Debug + PartialEq + Eq;
    /// A change of a row, for a projection.
    type Change: Clone + Debug + PartialEq + Eq;

    /// Judges a record of this topic. Total: any content has an answer.
    ///
    /// # Errors
    /// The rows that it would need; never with the full state.
    fn decide(&self, context: Context<'_>, record: &Record)
    -> Result<Verdict<Self::Outcome>, Vec<Self::Key>>;

    /// Why the rows cannot take an outcome, in words: then they are not what this log has made. Never with the full state.
    fn contradiction(&self, outcome: &Self::Outcome) -> Option<String> {
        let _ = outcome;
        None
    }

    /// Applies an outcome.
    fn evolve(&mut self, header: &mut Header, now_ms: i64, outcome: &Self::Outcome);

    /// The row changes of an outcome that was just applied.
    fn changes(&self, at: Applied, outcome: &Self::Outcome, out: &mut Vec<Self::Change>);

    /// What a replay is told of an outcome, where that is less than all of it.
    fn retold(outcome: &Self::Outcome) -> Self::Outcome {
        outcome.clone()
    }

    /// The outcome's tag (32 or more, unique over all topics) and fields.
    fn digest(outcome: &Self::Outcome, begin: impl FnOnce(u8) -> DigestInput) -> u64;
}

/// The fold of one partition.
#[derive(Debug)]
pub struct Fold<S: State> {
    partition: i32,
    supported_rules: i32,
    header: Header,
    rules: Option<ActiveRules>,
    window: ReplayWindow<Verdict<S::Outcome>>,
    state: S,
}

impl<S: State> Fold<S> {
    /// At offset 0 with nothing known.
    #[must_use]
    pub fn new(partition: i32, state: S) -> Self {
        Self::resume(partition, state, Header::default(), None)
    }

    /// Where an earlier fold stood. The window is empty: see [`Fold::remember_raw`].
    #[must_use]
    pub fn resume(partition: i32, state: S, header: Header, rules: Option<ActiveRules>) -> Self {
        let window = ReplayWindow::default();
        Self { partition, supported_rules: SUPPORTED_RULES, header, rules, window, state }
    }

    /// Applies rules up to another version than this binary's own; for tests of a rolling deploy.
    #[must_use]
    pub fn supporting(mut self, version: i32) -> Self {
        self.supported_rules = version;
        self
    }

    /// Refills the replay window with a record that was folded before; in offset order.
    pub fn remember_raw(&mut self, envelope: (Uuid, Option<Fingerprint>), at: Sighting) {
        self.window.remember(envelope, at, None, REPLAY_REACH);
    }

    /// Judges what stands at `at`.
    ///
    /// # Errors
    /// Rows that are not loaded, rows that contradict the log, or rules that this binary does not know.
    pub fn decide(
        &self,
        at: LogPosition,
        input: Input<'_>,
    ) -> Result<Decision<S::Outcome>, Undecided<S::Key>> {
        let mut decision = Decision {
            at,
            now_ms: self.header.clock_ms.max(at.timestamp_ms),
            verdict: Verdict::Malformed,
            first: None,
            envelope: None,
            rules: None,
        };
        match input {
            Input::OperatorSkip => decision.verdict = Verdict::OperatorSkip,
            Input::Record(Record::RulesActivated(record)) if self.rules.is_none() => {
                self.judge_founding(record, &mut decision)?;
            }
            // Whatever it is: before the rules there is no list of schemas, so nobody can tell records from garbage.
            Input::Record(_) | Input::Malformed if self.rules.is_none() => {
                decision.verdict = Verdict::NoRules
            }
            Input::Malformed => {}
            Input::Record(record) => {
                decision.envelope = Some(record.envelope());
                self.judge(record, &mut decision)?;
            }
        }
        Ok(decision)
    }

    fn judge_founding(
        &self,
        record: &RulesActivated,
        decision: &mut Decision<S::Outcome>,
    ) -> Result<(), Undecided<S::Key>> {
        decision.verdict = match self.judge_rules(record, &mut decision.rules)? {
            founded @ Verdict::RulesActivated(_) => {
                decision.envelope = Some((record.event_id, record.fingerprint));
                founded
            }
            _ => Verdict::NoRules,
        };
        Ok(())
    }

    fn judge(&self, record: &Record, decision: &mut Decision<S::Outcome>) -> Result<(), Undecided<S::Key>> {
        let (offset, now_ms) = (decision.at.offset, decision.now_ms);
        decision.verdict = match self.window.look(record.envelope(), offset, now_ms, REPLAY_REACH) {
            Seen::Replay(first) => {
                decision.first = first;
                Verdict::Replayed
            }
            Seen::KeyReused => Verdict::KeyReused,
            Seen::Fresh => match record {
                Record::RulesActivated(record) => self.judge_rules(record, &mut decision.rules)?,
                record if partition::home(record) != Some(self.partition) => Verdict::Misplaced,
                record => match &self.rules {
                    Some(rules) => {
                        let context =
                            Context { partition: self.partition, header: &self.header, now_ms, rules };
                        let verdict = self.state.decide(context, record).map_err(Undecided::Missing)?;
                        if let Verdict::Decided(outcome) = &verdict
                            && let Some(reason) = self.state.contradiction(outcome)
                        {
                            return Err(Undecided::Contradiction(reason));
                        }
                        verdict
                    }
                    None => Verdict::NoRules,
                },
            },
        };
        Ok(())
    }

    fn judge_rules(
        &self,
        record: &RulesActivated,
        activated: &mut Option<Box<ActiveRules>>,
    ) -> Result<Verdict<S::Outcome>, Undecided<S::Key>> {
        let Some(proposed) = ActiveRules::of(record) else {
            return Ok(Verdict::Impossible);
        };
        if proposed.version > self.supported_rules {
            return Err(Undecided::UnknownRules(proposed.version));
        }
        let version = proposed.version;
        match &self.rules {
            Some(active) if !active.may_become(&proposed) => return Ok(Verdict::RulesRefused),
            Some(active) if version <= active.version => return Ok(Verdict::RulesUnchanged),
            Some(_) | None => {}
        }
        *activated = Some(Box::new(proposed));
        Ok(Verdict::RulesActivated(version))
    }

    /// What this topic's rules would make of a record if it stood at the end now, replays aside; `None` before the
    /// first rules, or where a partial state misses rows. Decides nothing.
    #[must_use]
    pub fn foresee(&self, record: &Record) -> Option<Verdict<S::Outcome>> {
        let rules = self.rules.as_ref()?;
        let (header, now_ms) = (&self.header, self.header.clock_ms);
        self.state.decide(Context { partition: self.partition, header, now_ms, rules }, record).ok()
    }

    /// Applies a decision of this fold's own state.
    pub fn evolve(&mut self, decision: &Decision<S::Outcome>) {
        let at = decision.at;
        self.header.digest = self.chain(decision);
        self.header.clock_ms = decision.now_ms;
        self.header.next_offset = at.offset + 1;
        self.header.last_record_hash = at.record_hash;
        if let Some(rules) = &decision.rules {
            self.header.rules = rules.version;
            self.rules = Some(rules.as_ref().clone());
        }
        if let Some(envelope) = decision.envelope {
            let sighting = Sighting { offset: at.offset, timestamp_ms: at.timestamp_ms };
            // An unknown first verdict stays unknown: "replayed" is not what the first one was told.
            let answer = match (&decision.verdict, &decision.first) {
                (Verdict::Replayed, first) => first.clone(),
                (Verdict::Decided(outcome), _) => Some(Verdict::Decided(S::retold(outcome))),
                (verdict, _) => Some(verdict.clone()),
            };
            self.window.remember(envelope, sighting, answer, REPLAY_REACH);
        }
        if let Verdict::Decided(outcome) = &decision.verdict {
            self.state.evolve(&mut self.header, decision.now_ms, outcome);
        }
    }

    fn chain(&self, decision: &Decision<S::Outcome>) -> u64 {
        let begin = |tag| DigestInput::new(self.header.digest, decision.at.offset, tag);
        match &decision.verdict {
            Verdict::Malformed => begin(1).finish(),
            Verdict::OperatorSkip => begin(2).finish(),
            Verdict::NoRules => begin(3).finish(),
            Verdict::Replayed => begin(4).finish(),
            Verdict::KeyReused => begin(5).finish(),
            Verdict::Misplaced => begin(6).finish(),
            Verdict::Impossible => begin(7).finish(),
            Verdict::RulesActivated(version) => begin(8).i64(i64::from(*version)).finish(),
            Verdict::RulesUnchanged => begin(9).finish(),
            Verdict::RulesRefused => begin(10).finish(),
            Verdict::Decided(outcome) => S::digest(outcome, begin),
        }
    }

    /// The row changes of a decision that was just applied.
    pub fn changes(&self, decision: &Decision<S::Outcome>, out: &mut Vec<S::Change>) {
        if let Verdict::Decided(outcome) = &decision.verdict {
            let at = Applied { offset: decision.at.offset, now_ms: decision.now_ms };
            self.state.changes(at, outcome, out);
        }
    }

    /// Where the fold stands.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> Option<&ActiveRules> {
        self.rules.as_ref()
    }

    /// The topic's own state.
    #[must_use]
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// The topic's own state, to load rows into.
    pub const fn state_mut(&mut self) -> &mut S {
        &mut self.state
    }

    /// What a request that stands in the window was answered; `None` for a fresh one.
    #[must_use]
    pub fn look(&self, envelope: (Uuid, Option<Fingerprint>)) -> Seen<Verdict<S::Outcome>> {
        self.window.look(envelope, self.header.next_offset, self.header.clock_ms, REPLAY_REACH)
    }

    /// The first answers to an event id, whatever its fingerprint.
    pub fn answers(&self, event_id: Uuid) -> impl Iterator<Item = &Verdict<S::Outcome>> {
        self.window.answers(event_id)
    }
}

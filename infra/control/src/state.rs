//! What `control` comes to: the same state in every process that has read it as far.
//!
//! The topic is compacted, so the state must be the same whether or not older records of a key are still there. Hence
//! each kind of record has a key of its own, and what refers to a hold names its epoch: the offset where it was placed.

use crate::{
    Database, Holder, Mode, OnExpiry, Scope,
    hold::{Hold, Place},
    records::{Key, Passed, Ramp, Skip, Spot, Target, Term, Tuning, Value},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Offset of the next record: everything before it is obeyed.
    next: u64,
    holds: BTreeMap<Place, (u64, Hold)>,
    /// Where holds were taken back, as far as the topic still says so.
    taken_back: BTreeMap<Place, u64>,
    terms: BTreeMap<Place, Term>,
    expired: BTreeMap<Place, Passed>,
    stayed: BTreeMap<Place, Passed>,
    tunings: BTreeMap<Target, (u64, Tuning)>,
    ramps: BTreeMap<Scope, Ramp>,
    skips: BTreeMap<Spot, Skip>,
    database: Option<(u64, Database)>,
    /// Keys whose newest record is not understood.
    unreadable: BTreeMap<String, String>,
}

/// A hold that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Live {
    /// Who, and what.
    #[serde(flatten)]
    pub place: Place,
    /// The offset where it was placed: its name in reports.
    pub epoch: u64,
    /// How.
    pub mode: Mode,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub actor: String,
    /// The operation that placed it.
    pub operation: uuid::Uuid,
    /// Since when.
    pub created_at_ms: i64,
    /// Until when.
    pub expires_at_ms: Option<i64>,
    /// What then.
    pub on_expiry: OnExpiry,
    /// Why it stays although its time has passed.
    pub overdue: Option<String>,
}

/// What holders want of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Who holds it; nobody, where it is to flow.
    pub holders: Vec<Holder>,
    /// The open batch is to be rolled back.
    pub at_once: bool,
    /// The database is to be let go of.
    pub release: bool,
    /// Epoch of the youngest of these holds.
    pub epoch: u64,
    /// Nobody knows what is wanted.
    pub is_unknown: bool,
}

impl Desired {
    /// Before `control` was read: rest, whoever may want it.
    #[must_use]
    pub fn unknown() -> Self {
        Self { is_unknown: true, ..Self::default() }
    }

    /// Whether it is to rest.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.is_unknown || !self.holders.is_empty()
    }
}

impl State {
    /// Offset of the next record.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Everything before `next` was read, or is gone.
    pub fn reached(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// One record more.
    pub fn apply(&mut self, offset: u64, key: &str, value: Option<&[u8]>) {
        self.next = offset + 1;
        let read = key.parse::<Key>().and_then(|key| {
            let value = value.map(|value| key.read(value)).transpose()?;
            Ok((key, value))
        });
        match read {
            Ok((key, value)) => {
                self.unreadable.remove(&key.to_string());
                self.enter(offset, key, value);
            }
            Err(why) => drop(self.unreadable.insert(key.to_owned(), why.to_string())),
        }
    }

    fn enter(&mut self, offset: u64, key: Key, value: Option<Value>) {
        match (key, value) {
            (Key::Hold(place), Some(Value::Hold(hold))) => {
                self.taken_back.remove(&place);
                self.holds.insert(place, (offset, hold));
            }
            (Key::Hold(place), _) => {
                self.holds.remove(&place);
                self.taken_back.insert(place, offset);
            }
            (Key::Term(place), Some(Value::Term(term))) => drop(self.terms.insert(place, term)),
            (Key::Term(place), _) => drop(self.terms.remove(&place)),
            (Key::Expired(place), Some(Value::Expired(passed))) => drop(self.expired.insert(place, passed)),
            (Key::Expired(place), _) => drop(self.expired.remove(&place)),
            (Key::Stayed(place), Some(Value::Stayed(passed))) => drop(self.stayed.insert(place, passed)),
            (Key::Stayed(place), _) => drop(self.stayed.remove(&place)),
            (Key::Tuning(target), Some(Value::Tuning(tuning))) => {
                self.tunings.insert(target, (offset, tuning));
            }
            (Key::Tuning(target), _) => drop(self.tunings.remove(&target)),
            (Key::Ramp(scope), Some(Value::Ramp(ramp))) => drop(self.ramps.insert(scope, ramp)),
            (Key::Ramp(scope), _) => drop(self.ramps.remove(&scope)),
            // For ever: whoever folded past it would come to another state.
            (Key::Skip(spot), Some(Value::Skip(skip))) => drop(self.skips.insert(spot, skip)),
            (Key::Skip(_), _) => {}
            (Key::Database, Some(Value::Database(database))) => self.database = Some((offset, database)),
            (Key::Database, _) => self.database = None,
        }
    }

    /// Every hold that is in force.
    pub fn live(&self) -> impl Iterator<Item = Live> + '_ {
        self.holds.iter().filter_map(|(place, (epoch, hold))| self.live_one(place, *epoch, hold))
    }

    /// The hold at a place, where it is in force.
    #[must_use]
    pub fn live_at(&self, place: &Place) -> Option<Live> {
        self.holds.get(place).and_then(|(epoch, hold)| self.live_one(place, *epoch, hold))
    }

    fn live_one(&self, place: &Place, epoch: u64, hold: &Hold) -> Option<Live> {
        let term = self.terms.get(place).filter(|term| term.epoch == epoch);
        let expires_at_ms = term.map_or(hold.expires_at_ms, |term| term.expires_at_ms);
        let on_expiry = term.map_or(hold.on_expiry, |term| term.on_expiry);
        let is_this = |passed: &&Passed| passed.epoch == epoch && Some(passed.expires_at_ms) == expires_at_ms;
        let stayed = self.stayed.get(place).filter(is_this);
        // Where one instance found the database sick and another one did not, it stays: that is the safe side.
        if stayed.is_none() && self.expired.get(place).filter(is_this).is_some() {
            return None;
        }
        Some(Live {
            place: place.clone(),
            epoch,
            mode: hold.mode,
            reason: hold.reason.clone(),
            actor: hold.actor.clone(),
            operation: hold.operation,
            created_at_ms: hold.created_at_ms,
            expires_at_ms,
            on_expiry,
            overdue: stayed.map(|passed| passed.reason.clone().unwrap_or_default()),
        })
    }

    /// What is wanted of a partition that a group consumes.
    #[must_use]
    pub fn desired(&self, group: &str, topic: &str, partition: i32) -> Desired {
        let mut desired = Desired::default();
        for live in self.live().filter(|live| live.place.scope.covers(group, topic, partition)) {
            if !desired.holders.contains(&live.place.holder) {
                desired.holders.push(live.place.holder);
            }
            desired.at_once |= live.mode == Mode::Hold;
            desired.release |= live.mode == Mode::Release;
            desired.epoch = desired.epoch.max(live.epoch);
        }
        desired
    }

    /// Where the hold at a place was taken back, as far as it is known.
    #[must_use]
    pub fn taken_back(&self, place: &Place) -> Option<u64> {
        self.taken_back.get(place).copied()
    }

    /// Drops settings that are for those only who were there when they were made: for whoever begins now.
    pub fn begin(&mut self) {
        self.tunings.retain(|_, (_, tuning)| tuning.durable);
    }

    /// Settings for a target, and where they were made.
    #[must_use]
    pub fn tuning(&self, target: &Target) -> Option<(u64, &Tuning)> {
        self.tunings.get(target).map(|(offset, tuning)| (*offset, tuning))
    }

    /// All settings.
    pub fn tunings(&self) -> impl Iterator<Item = (&Target, &Tuning)> {
        self.tunings.iter().map(|(target, (_, tuning))| (target, tuning))
    }

    /// In how much of its time a partition may work, in percent.
    #[must_use]
    pub fn percent(&self, group: &str, topic: &str, partition: i32, now_ms: i64) -> u32 {
        let covering = self.ramps.iter().filter(|(scope, _)| scope.covers(group, topic, partition));
        covering.map(|(_, ramp)| ramp.percent(now_ms)).min().unwrap_or(100)
    }

    /// Whether an operator decided that this record is passed over.
    #[must_use]
    pub fn is_skipped(&self, topic: &str, partition: i32, offset: u64) -> bool {
        let is_it = |spot: &Spot| spot.offset == offset && spot.partition == partition && spot.topic == topic;
        !self.skips.is_empty() && self.skips.keys().any(is_it)
    }

    /// Which server counts, and where that was said; nothing, where it is the configured one.
    #[must_use]
    pub fn database(&self) -> Option<(u64, &Database)> {
        self.database.as_ref().map(|(offset, database)| (*offset, database))
    }

    /// Every such decision.
    pub fn skips(&self) -> impl Iterator<Item = (&Spot, &Skip)> {
        self.skips.iter()
    }

    /// Records that were not understood: key, and why.
    #[must_use]
    pub const fn unreadable(&self) -> &BTreeMap<String, String> {
        &self.unreadable
    }
}

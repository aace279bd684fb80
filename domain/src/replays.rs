//! The replay window: which requests stand among the recent records, and what came of them.
//!
//! The rule looks at raw records only, so a projection can rebuild its window by reading them again. A window
//! entry is one (event id, fingerprint); a record that finds its own pair is a replay of it, a record that finds
//! only its event id under another fingerprint reuses a key.

use crate::rules::ReplayReach;
use hashbrown::{HashTable, hash_table::Entry as TableEntry};
use schemas::{Fingerprint, Uuid};
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_64;

/// What the window says of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<A> {
    /// Nothing of that event id within reach.
    Fresh,
    /// The same request again; the answer is missing where the window was rebuilt from raw records.
    Replay(Option<A>),
    /// The event id with another fingerprint.
    KeyReused,
}

/// Recent requests of one partition and their first answers.
#[derive(Debug)]
pub struct ReplayWindow<A> {
    keyed: Ring<Fingerprint, A>,
    unkeyed: Ring<(), A>,
}

/// One record's place in the log, as far as the window needs it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Offset of the record.
    pub offset: u64,
    /// The record's own timestamp, in ms since the epoch.
    pub timestamp_ms: i64,
}

impl<A> Default for ReplayWindow<A> {
    fn default() -> Self {
        Self { keyed: Ring::default(), unkeyed: Ring::default() }
    }
}

impl<A: Clone> ReplayWindow<A> {
    /// Judges a record at `offset` when the log's clock shows `now_ms`.
    #[must_use]
    pub fn look(
        &self,
        envelope: (Uuid, Option<Fingerprint>),
        offset: u64,
        now_ms: i64,
        reach: ReplayReach,
    ) -> Seen<A> {
        let (event_id, fingerprint) = envelope;
        let keyed_from = offset.saturating_sub(reach.keyed_offsets);
        let unkeyed_from = offset.saturating_sub(reach.unkeyed_offsets);
        let since_ms = now_ms.saturating_sub(reach.age_ms);
        let keyed = |fingerprint| self.keyed.find(event_id, fingerprint, keyed_from, since_ms);
        let unkeyed = || self.unkeyed.find(event_id, None, unkeyed_from, since_ms);
        let (same, other) = match fingerprint {
            Some(fingerprint) => (keyed(Some(fingerprint)), keyed(None).is_some() || unkeyed().is_some()),
            None => (unkeyed(), keyed(None).is_some()),
        };
        match same {
            Some(answer) => Seen::Replay(answer.cloned()),
            None if other => Seen::KeyReused,
            None => Seen::Fresh,
        }
    }

    /// Remembers a record with what is answered to its kind from now on.
    pub fn remember(
        &mut self,
        (event_id, fingerprint): (Uuid, Option<Fingerprint>),
        at: Sighting,
        answer: Option<A>,
        reach: ReplayReach,
    ) {
        match fingerprint {
            Some(fingerprint) => self.keyed.push(event_id, fingerprint, at, answer),
            None => self.unkeyed.push(event_id, (), at, answer),
        }
        // The next record stands at offset + 1: what it cannot reach is of no use to anybody.
        self.keyed.forget_before((at.offset + 1).saturating_sub(reach.keyed_offsets));
        self.unkeyed.forget_before((at.offset + 1).saturating_sub(reach.unkeyed_offsets));
    }

    /// The first answer to an event id under whatever fingerprint, for somebody who knows only the id.
    pub fn answers(&self, event_id: Uuid) -> impl Iterator<Item = &A> {
        self.keyed.answers(event_id).chain(self.unkeyed.answers(event_id))
    }
}

#[derive(Debug)]
struct Remembered<F, A> {
    event_id: Uuid,
    fingerprint: F,
    at: Sighting,
    answer: Option<A>,
}

/// Entries in offset order, and an index over them by event id. A pair stands in the index once: under its latest
/// sighting; an older sighting of the pair stays in the queue, unindexed, until it falls out.
#[derive(Debug)]
struct Ring<F, A> {
    queue: VecDeque<Remembered<F, A>>,
    /// Sequence numbers (wrapping); `first_seq` is that of the queue's front.
    index: HashTable<u32>,
    first_seq: u32,
}

impl<F, A> Default for Ring<F, A> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), index: HashTable::new(), first_seq: 0 }
    }
}

fn hash_of(event_id: Uuid) -> u64 {
    xxh3_64(event_id.as_bytes())
}

impl<F: Copy + Eq, A> Ring<F, A> {
    /// The latest sighting of the pair (or of the event id under any fingerprint) at or after both limits.
    fn find(&self, event_id: Uuid, fingerprint: Option<F>, from: u64, since_ms: i64) -> Option<Option<&A>> {
        if self.index.is_empty() {
            return None;
        }
        let found = self.index.find(hash_of(event_id), |&seq| {
            let entry = &self.queue[seq.wrapping_sub(self.first_seq) as usize];
            entry.event_id == event_id
                && fingerprint.is_none_or(|f| f == entry.fingerprint)
                && entry.at.offset >= from
                && entry.at.timestamp_ms >= since_ms
        })?;
        Some(self.queue[found.wrapping_sub(self.first_seq) as usize].answer.as_ref())
    }

    fn push(&mut self, event_id: Uuid, fingerprint: F, at: Sighting, answer: Option<A>) {
        let seq = self.first_seq.wrapping_add(self.queue.len() as u32);
        let (queue, first_seq) = (&self.queue, self.first_seq);
        let entry = |seq: u32| &queue[seq.wrapping_sub(first_seq) as usize];
        match self.index.entry(
            hash_of(event_id),
            |&other| entry(other).event_id == event_id && entry(other).fingerprint == fingerprint,
            |&other| hash_of(entry(other).event_id),
        ) {
            TableEntry::Occupied(mut slot) => *slot.get_mut() = seq,
            TableEntry::Vacant(slot) => {
                slot.insert(seq);
            }
        }
        self.queue.push_back(Remembered { event_id, fingerprint, at, answer });
    }

    fn forget_before(&mut self, offset: u64) {
        while self.queue.front().is_some_and(|entry| entry.at.offset < offset) {
            let Some(gone) = self.queue.pop_front() else {
                break;
            };
            let seq = self.first_seq;
            if let Ok(slot) = self.index.find_entry(hash_of(gone.event_id), |&other| other == seq) {
                slot.remove();
            }
            self.first_seq = self.first_seq.wrapping_add(1);
        }
    }

    fn answers(&self, event_id: Uuid) -> impl Iterator<Item = &A> {
        self.index
            .iter_hash(hash_of(event_id))
            .map(|seq| &self.queue[seq.wrapping_sub(self.first_seq) as usize])
            .filter(move |entry| entry.event_id == event_id)
            .filter_map(|entry| entry.answer.as_ref())
    }
}

//! What happens to the partitions of a group: (state, event) to (state, effects). No I/O, no clock, no tasks.
//!
//! `runtime` turns Kafka, MySQL, `control` and timers into events, and carries the effects out. Who is told to do something
//! gets the generation of its partition, and brings it back: what an earlier generation began is ignored.

mod partition;
#[cfg(test)]
mod tests;
mod trouble;
mod wish;

pub use partition::{Client, Kept, Partition, Phase};
pub use trouble::{Trouble, Until};
pub use wish::{Hold, Wish};

use super::work::Stop;
use crate::limits;
use std::{collections::BTreeMap, time::Duration};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The group gave a partition to this instance.
    Assigned(Wish),
    /// The group took it away.
    Revoked,
    /// What operators want of it, perhaps something else than before.
    Wanted(Wish),
    /// Records wait, and may go into a transaction.
    Due,
    /// Its place was claimed and checked.
    Opened {
        /// Of the opening.
        generation: u64,
        /// The offset that MySQL waits for.
        next_offset: u64,
    },
    /// It was not.
    NotOpened {
        /// Of the opening.
        generation: u64,
        /// Why.
        why: NotOpened,
    },
    /// The client reads it from its place in MySQL on.
    Started {
        /// Of the opening.
        generation: u64,
    },
    /// A transaction ended.
    Ended {
        /// Of the opening before it.
        generation: u64,
        /// How.
        how: Ended,
    },
    /// The pause before another try is over.
    Retry {
        /// Of the state that waits.
        generation: u64,
    },
    /// MySQL was changed by somebody else while it rested.
    Changed {
        /// Of the opening.
        generation: u64,
    },
}

/// Something that happened to all partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Common {
    /// A probe did not get through.
    DatabaseAway,
    /// One got through.
    DatabaseBack,
    /// The log was away, and may be another one now.
    LogSuspected,
    /// Another MySQL counts.
    DatabaseMoved,
}

/// Why a partition was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// The database refused, for a reason that may pass.
    Refused(String),
    /// Kafka did not answer, or not yet.
    LogUnavailable,
    /// Something that must not be passed over.
    Stop(Stop),
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Committed.
    Committed {
        /// The offset that MySQL waits for now.
        next_offset: u64,
    },
    /// It was to stop at once; nothing was written.
    RolledBack,
    /// The database refused, for a reason that may pass; it may have committed.
    Refused(String),
    /// Somebody else has claimed the partition; nothing was written.
    Lost,
    /// At something that must not be passed over; what stood before it is committed.
    Stop {
        /// The offset that MySQL waits for, where it moved.
        next_offset: Option<u64>,
        /// At what.
        stop: Stop,
    },
}

/// Something to do for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Claim its place and check it.
    Open {
        /// To bring back.
        generation: u64,
        /// Whether the worker that rests goes on where MySQL is as it was left.
        kept: Kept,
    },
    /// Let the client read it from its place on, then say `Started`.
    Start {
        /// To bring back.
        generation: u64,
    },
    /// Tell whoever works beside it that it is open.
    Announce,
    /// Put what waits into a transaction.
    Run {
        /// To bring back.
        generation: u64,
    },
    /// Roll the transaction back that is under way.
    Cancel,
    /// End the pause of a slow start.
    Hurry,
    /// Let the client rest.
    Pause,
    /// Tell whoever works beside it that it is not open any more; throw away what waits.
    Close,
    /// Throw the resting worker away.
    Forget,
    /// Say `Retry` after this.
    RetryAfter {
        /// To bring back.
        generation: u64,
        /// Pause.
        pause: Duration,
    },
    /// Find out whether the database takes writes.
    Probe,
    /// Somebody must look.
    Alarm(Stop),
    /// It waits for something that may pass.
    Warn(String),
    /// It flows again.
    Recovered,
}

/// An effect and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Partition.
    pub partition: i32,
    /// What to do.
    pub effect: Effect,
}

/// Whether a probe of the database gets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Database {
    /// As far as anybody knows.
    #[default]
    Usable,
    /// It does not; somebody probes.
    Away,
}

/// All partitions of a group that this instance owns.
#[derive(Debug, Default)]
pub struct Lifecycle {
    partitions: BTreeMap<i32, Partition>,
    database: Database,
    generations: u64,
}

impl Lifecycle {
    /// The owned partitions.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Partition)> {
        self.partitions.iter().map(|(partition, state)| (*partition, state))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, partition: i32) -> Option<&Partition> {
        self.partitions.get(&partition)
    }

    /// Whether what began in that generation still counts.
    #[must_use]
    pub fn is_current(&self, partition: i32, generation: u64) -> bool {
        self.get(partition).is_some_and(|state| state.generation == generation)
    }

    /// Whether a probe gets through.
    #[must_use]
    pub const fn database(&self) -> Database {
        self.database
    }

    /// Something happened to a partition.
    pub fn on(&mut self, partition: i32, event: Event) -> Vec<Task> {
        let mut effects = Vec::new();
        match event {
            Event::Assigned(wish) => {
                let state = Partition::assigned(wish);
                self.partitions.insert(partition, state);
                // Also where it is to rest: claiming it keeps a former owner from writing who has not confirmed.
                if !wish.is_known_quiet() {
                    self.open(partition, &mut effects);
                }
            }
            Event::Revoked => {
                if self.partitions.remove(&partition).is_some() {
                    effects.extend([Effect::Cancel, Effect::Close, Effect::Forget]);
                }
            }
            event => self.happened(partition, event, &mut effects),
        }
        effects.into_iter().map(|effect| Task { partition, effect }).collect()
    }

    fn happened(&mut self, partition: i32, event: Event, effects: &mut Vec<Effect>) {
        let database = self.database;
        let Some(state) = self.partitions.get_mut(&partition) else { return };
        let is_stale = |generation| generation != state.generation;
        let next = match event {
            Event::Assigned(_) | Event::Revoked => Next::Stay,
            Event::Wanted(wish) => state.wanted(wish, database, effects),
            Event::Due => state.due(effects),
            Event::Opened { generation, .. }
            | Event::NotOpened { generation, .. }
            | Event::Started { generation }
            | Event::Ended { generation, .. }
            | Event::Retry { generation }
            | Event::Changed { generation }
                if is_stale(generation) =>
            {
                Next::Stay
            }
            Event::Opened { next_offset, .. } => state.opened(next_offset, effects),
            Event::NotOpened { why, .. } => state.not_opened(why, database, effects),
            Event::Started { .. } => state.started(effects),
            Event::Ended { how, .. } => state.ended(how, database, effects),
            Event::Retry { .. } => state.retry(database),
            Event::Changed { .. } if state.phase == Phase::Idle => state.begin_anew(effects),
            Event::Changed { .. } => Next::Stay,
        };
        if next == Next::Open {
            self.open(partition, effects);
        }
    }

    /// Claims and checks it; while the database is away, once it is back.
    fn open(&mut self, partition: i32, effects: &mut Vec<Effect>) {
        self.generations += 1;
        let generation = self.generations;
        let Some(state) = self.partitions.get_mut(&partition) else { return };
        state.generation = generation;
        let was = std::mem::replace(&mut state.phase, Phase::Waiting);
        if was == Phase::Busy {
            // What it writes is refused once the place is claimed anew; this only spares the wait for its rows.
            effects.push(Effect::Cancel);
            state.fenced = false;
        }
        effects.push(Effect::Close);
        let kept = if was == Phase::Paused { Kept::Worker } else { Kept::Nothing };
        if kept == Kept::Nothing {
            effects.push(Effect::Forget);
        }
        if self.database == Database::Usable {
            state.phase = Phase::Opening;
            effects.push(Effect::Open { generation, kept });
        }
    }

    /// Something happened to all of them.
    pub fn on_all(&mut self, event: &Common) -> Vec<Task> {
        match event {
            Common::DatabaseAway => self.database = Database::Away,
            Common::DatabaseBack => self.database = Database::Usable,
            Common::LogSuspected | Common::DatabaseMoved => {}
        }
        let partitions: Vec<i32> = self.partitions.keys().copied().collect();
        let mut tasks = Vec::new();
        for partition in partitions {
            let mut effects = Vec::new();
            if self.concerns(partition, event, &mut effects) == Next::Open {
                self.open(partition, &mut effects);
            }
            tasks.extend(effects.into_iter().map(|effect| Task { partition, effect }));
        }
        tasks
    }

    fn concerns(&mut self, partition: i32, event: &Common, effects: &mut Vec<Effect>) -> Next {
        let database = self.database;
        let Some(state) = self.partitions.get_mut(&partition) else { return Next::Stay };
        match event {
            Common::DatabaseAway => {
                self.generations += 1;
                state.database_away(self.generations, effects);
                Next::Stay
            }
            // Those that stopped too: what stopped them may be over, and asking costs nothing.
            Common::DatabaseBack if state.phase == Phase::Waiting && !state.rests_stopped() => Next::Open,
            Common::DatabaseBack => Next::Stay,
            Common::LogSuspected if matches!(state.phase, Phase::Opening | Phase::Idle | Phase::Busy) => {
                state.begin_anew(effects)
            }
            Common::LogSuspected => {
                // Nothing of what a resting worker knows counts either.
                effects.push(Effect::Forget);
                Next::Stay
            }
            Common::DatabaseMoved => state.database_moved(database, effects),
        }
    }

    /// Pause before another try of a partition that was refused so often in a row.
    #[must_use]
    pub fn backoff(refused: u32) -> Duration {
        let doubled = limits::REOPEN_PAUSE.saturating_mul(1 << refused.saturating_sub(1).min(8));
        doubled.min(limits::MAX_REOPEN_PAUSE)
    }
}

/// Whether a partition is to be opened now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Open,
}

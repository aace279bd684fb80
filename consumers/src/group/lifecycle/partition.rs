//! The state of one partition.

use super::{Database, Effect, Ended, Hold, Lifecycle, Next, NotOpened, Trouble, Until, Wish};
use crate::{group::work::Stop, limits};
use std::time::Duration;

/// What a partition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is claimed, checked, and the client is sent to its place.
    Opening,
    /// It waits for records; its worker is at rest.
    Idle,
    /// A transaction is under way.
    Busy,
    /// It waits for the database, for the next try, or for somebody who looks.
    Waiting,
    /// Somebody holds it; nothing is under way.
    Paused,
}

/// Whether a worker that rested is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Where MySQL is as the worker left it.
    Worker,
    /// A new one begins.
    Nothing,
}

/// Whether the client hands records of a partition over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// From the place in MySQL on, without a gap of ours.
    Follows,
    /// Not; what it had handed over was thrown away.
    Rests,
}

/// One partition that this instance owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What it does.
    pub phase: Phase,
    /// Another one for each opening, and for each wait.
    pub generation: u64,
    /// This instance has claimed it, and none of its own transactions has an unknown end: nobody else writes.
    pub fenced: bool,
    /// What the client does with it.
    pub client: Client,
    /// The offset that MySQL waits for, once it is known.
    pub next_offset: Option<u64>,
    /// What operators want.
    pub wish: Wish,
    /// Why it does not get on.
    pub trouble: Option<Trouble>,
}

impl Partition {
    pub(super) const fn assigned(wish: Wish) -> Self {
        let rests = matches!(wish.hold, Some(Hold { quiet: true, .. }));
        let phase = if rests { Phase::Paused } else { Phase::Waiting };
        Self {
            phase,
            generation: 0,
            fenced: false,
            client: Client::Rests,
            next_offset: None,
            wish,
            trouble: None,
        }
    }

    /// Why it is stopped, if it is.
    #[must_use]
    pub const fn stopped(&self) -> Option<&Stop> {
        match &self.trouble {
            Some(Trouble::Stopped { stop, .. }) => Some(stop),
            _ => None,
        }
    }

    /// Why it waits, if it does, for something that may pass.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        match &self.trouble {
            Some(Trouble::Refused { reason, .. }) if self.phase != Phase::Paused => Some(reason),
            _ => None,
        }
    }

    /// Whether it is open, with nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Whether records that come are its next ones.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.client == Client::Follows
    }

    /// Whether nothing is under way.
    #[must_use]
    pub const fn rests(&self) -> bool {
        matches!(self.phase, Phase::Paused) || self.rests_stopped()
    }

    pub(super) const fn rests_stopped(&self) -> bool {
        matches!(self.phase, Phase::Waiting) && self.stopped().is_some() && self.wish.is_paused()
    }

    pub(super) fn wanted(&mut self, wish: Wish, database: Database, effects: &mut Vec<Effect>) -> Next {
        let was_paused = self.wish.is_paused();
        self.wish = wish;
        if wish.is_paused() && !was_paused {
            effects.push(Effect::Hurry);
            self.halt(effects);
        }
        if wish.hold.is_some_and(|hold| hold.at_once) {
            effects.push(Effect::Cancel);
        }
        let opens = match self.phase {
            Phase::Paused if !wish.is_paused() => true,
            // Paused before anybody knew whether a former owner is fenced.
            Phase::Paused => !self.may_rest(database),
            Phase::Waiting => {
                self.stopped().is_some() && !wish.is_paused() && (wish.passes_over || was_paused)
            }
            Phase::Opening | Phase::Idle | Phase::Busy => false,
        };
        if opens {
            return Next::Open;
        }
        self.settle(database, effects);
        Next::Stay
    }

    pub(super) fn due(&mut self, effects: &mut Vec<Effect>) -> Next {
        if self.phase == Phase::Idle && !self.wish.is_paused() {
            self.phase = Phase::Busy;
            effects.push(Effect::Run { generation: self.generation });
        }
        Next::Stay
    }

    pub(super) fn opened(&mut self, next_offset: u64, effects: &mut Vec<Effect>) -> Next {
        if self.phase != Phase::Opening {
            return Next::Stay;
        }
        self.next_offset = Some(next_offset);
        self.fenced = true;
        if self.wish.is_paused() {
            self.phase = Phase::Paused;
        } else {
            effects.push(Effect::Start { generation: self.generation });
        }
        Next::Stay
    }

    pub(super) fn not_opened(
        &mut self,
        why: NotOpened,
        database: Database,
        effects: &mut Vec<Effect>,
    ) -> Next {
        if self.phase != Phase::Opening {
            return Next::Stay;
        }
        match why {
            NotOpened::Refused(reason) => self.refuse(reason, Until::Opened, database, effects),
            NotOpened::LogUnavailable => self.wait(effects),
            NotOpened::Stop(stop) => self.stop(stop, Until::Opened, effects),
        }
        Next::Stay
    }

    pub(super) fn started(&mut self, effects: &mut Vec<Effect>) -> Next {
        if self.phase != Phase::Opening {
            return Next::Stay;
        }
        if self.wish.is_paused() {
            self.phase = Phase::Paused;
            self.halt(effects);
        } else {
            self.phase = Phase::Idle;
            self.client = Client::Follows;
            self.got_on(effects);
            effects.push(Effect::Announce);
        }
        Next::Stay
    }

    pub(super) fn ended(&mut self, how: Ended, database: Database, effects: &mut Vec<Effect>) -> Next {
        if self.phase != Phase::Busy {
            return Next::Stay;
        }
        match how {
            Ended::Committed { next_offset } => {
                self.phase = Phase::Idle;
                self.next_offset = Some(next_offset);
                self.got_on(effects);
                // Held and let go of again meanwhile.
                if self.client == Client::Rests && !self.wish.is_paused() {
                    return Next::Open;
                }
                self.settle(database, effects);
            }
            Ended::RolledBack => {
                self.phase = Phase::Waiting;
                if !self.wish.is_paused() {
                    self.halt(effects);
                    return Next::Open;
                }
                self.settle(database, effects);
            }
            Ended::Refused(reason) => {
                // What became of it is not known: it comes to rest only once it is claimed again, which waits for the row
                // that such a transaction has moved.
                self.fenced = false;
                self.refuse(reason, self.until_past(), database, effects);
            }
            Ended::Lost => {
                self.fenced = false;
                self.wait(effects);
            }
            Ended::Stop { next_offset, stop } => {
                self.next_offset = next_offset.or(self.next_offset);
                self.stop(stop, self.until_past(), effects);
            }
        }
        Next::Stay
    }

    pub(super) fn retry(&self, database: Database) -> Next {
        // Whoever resumes opens what stopped, and a probe that gets through opens everything.
        let is_awaited = self.phase == Phase::Waiting && !self.rests_stopped();
        if is_awaited && database == Database::Usable { Next::Open } else { Next::Stay }
    }

    pub(super) fn database_away(&mut self, generation: u64, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Paused | Phase::Waiting) {
            return self.settle(Database::Away, effects);
        }
        self.fenced &= self.phase != Phase::Busy;
        // Whatever is still on its way back belongs to a state that is gone.
        self.generation = generation;
        self.phase = Phase::Waiting;
        effects.extend([Effect::Cancel, Effect::Forget]);
        self.halt(effects);
        self.settle(Database::Away, effects);
    }

    /// Where another server counts, nothing of what is known of the former one does. Whoever rests aims at it and no more;
    /// whoever heard neither of the pause nor of its end, because it was frozen, begins anew. Former owners of a partition
    /// rested when the server was named, and have never written there: what is fenced stays so.
    pub(super) fn database_moved(&mut self, database: Database, effects: &mut Vec<Effect>) -> Next {
        effects.extend([Effect::Cancel, Effect::Forget]);
        if self.rests_stopped() {
            // What stopped it may have been a row of the former server.
            self.phase = Phase::Paused;
        }
        self.trouble = None;
        match (self.phase, database) {
            (Phase::Paused, _) => Next::Stay,
            // It is opened once the probe has found the other server.
            (_, Database::Away) => {
                self.phase = Phase::Waiting;
                Next::Stay
            }
            (Phase::Opening | Phase::Idle | Phase::Busy | Phase::Waiting, Database::Usable) => {
                self.halt(effects);
                Next::Open
            }
        }
    }

    /// Somebody else has changed what the worker believes.
    pub(super) fn begin_anew(&mut self, effects: &mut Vec<Effect>) -> Next {
        self.halt(effects);
        Next::Open
    }

    /// Brings a partition to rest that somebody holds and nothing is under way of: not here, nor at a former owner, who may
    /// be frozen within a transaction. Where that is not known, it waits until it is claimed.
    fn settle(&mut self, database: Database, effects: &mut Vec<Effect>) {
        let was_idle = self.phase == Phase::Idle;
        if self.may_rest(database) && (was_idle || self.phase == Phase::Waiting && self.stopped().is_none()) {
            self.phase = Phase::Paused;
            effects.push(Effect::Close);
            if !was_idle {
                effects.push(Effect::Forget);
            }
        }
    }

    /// Nothing comes any more, and what came is thrown away: whoever goes on begins at the place in MySQL.
    fn halt(&mut self, effects: &mut Vec<Effect>) {
        self.client = Client::Rests;
        effects.extend([Effect::Pause, Effect::Close]);
    }

    /// Whether somebody holds it, and nobody else writes.
    fn may_rest(&self, database: Database) -> bool {
        // Who leaves a server that is away does not ask it to fence anybody: nothing that is written there counts once
        // another one does, and where none is named, resuming claims.
        let leaves = |hold: Hold| database == Database::Away && hold.leaves;
        self.wish.hold.is_some_and(|hold| self.fenced || hold.quiet || leaves(hold))
    }

    fn got_on(&mut self, effects: &mut Vec<Effect>) {
        let next_offset = self.next_offset.unwrap_or_default();
        if self.trouble.as_ref().is_some_and(|trouble| trouble.is_over(next_offset)) {
            self.trouble = None;
            effects.push(Effect::Recovered);
        }
    }

    fn until_past(&self) -> Until {
        Until::Past(self.next_offset.unwrap_or_default())
    }

    fn wait(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Waiting;
        let pause = limits::REOPEN_PAUSE;
        self.halt(effects);
        effects.extend([Effect::Forget, Effect::RetryAfter { generation: self.generation, pause }]);
    }

    fn refuse(&mut self, reason: String, until: Until, database: Database, effects: &mut Vec<Effect>) {
        self.phase = Phase::Waiting;
        self.halt(effects);
        effects.extend([Effect::Forget, Effect::Probe]);
        let pause = match &self.trouble {
            // Whoever stopped is stopped until it flows, whatever else comes between.
            Some(Trouble::Stopped { .. }) => limits::STOPPED_RETRY_PAUSE,
            Some(Trouble::Refused { times, .. }) => {
                self.refused_again(reason, times.saturating_add(1), until)
            }
            None => {
                effects.push(Effect::Warn(reason.clone()));
                self.refused_again(reason, 1, until)
            }
        };
        effects.push(Effect::RetryAfter { generation: self.generation, pause });
        self.settle(database, effects);
    }

    fn refused_again(&mut self, reason: String, times: u32, until: Until) -> Duration {
        self.trouble = Some(Trouble::Refused { reason, times, until });
        Lifecycle::backoff(times)
    }

    fn stop(&mut self, stop: Stop, until: Until, effects: &mut Vec<Effect>) {
        self.phase = Phase::Waiting;
        self.halt(effects);
        effects.push(Effect::Forget);
        if self.stopped() != Some(&stop) {
            effects.push(Effect::Alarm(stop.clone()));
        }
        self.trouble = Some(Trouble::Stopped { stop, until });
        let pause = limits::STOPPED_RETRY_PAUSE;
        effects.push(Effect::RetryAfter { generation: self.generation, pause });
    }
}

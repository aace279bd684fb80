//! How records flow: queued per partition, handed to its worker, the worker back to rest; and how a partition is
//! opened, which is the only way in which it ever begins to flow.

use super::{
    Input,
    opening::{self, NotOpened, Opened},
    ownership::{Group, GroupError, OpenPartition, Owned, Phase},
    work::{Desk, Stop, Work},
    worker::{Finished, Worker},
};
use crate::{config::Config, limits};
use chassis::{log_reader::RawRecord, shutdown::CancellationToken};
use rdkafka::{Offset, consumer::Consumer, error::KafkaResult};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

impl<W: Work> Group<W> {
    pub(super) fn queue(&mut self, (partition, record): (i32, RawRecord)) {
        if self.suspicious {
            self.open_all_again(); // This record comes again, after the seek.
            return;
        }
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        if !matches!(owned.phase, Phase::Idle(_) | Phase::Busy) || record.offset < owned.next {
            return; // From before a seek, or of a partition that waits.
        }
        if record.offset > owned.next && !W::SOURCE.has_gaps() {
            let reason = format!("the log jumps from offset {} to {}", owned.next, record.offset);
            self.stop(partition, Stop::because(reason));
            return;
        }
        owned.next = record.offset + 1;
        owned.waiting.push(record);
    }

    /// Gives every resting worker what waits for it.
    pub(super) fn dispatch(&mut self) {
        let is_ready = |owned: &Owned<W>| owned.is_resting() && !owned.waiting.is_empty();
        // Most inputs find nobody ready.
        if !self.owned.values().any(is_ready) {
            return;
        }
        let (limit, wait) = (self.batch_records(), self.batch_wait());
        for (&partition, owned) in self.owned.iter_mut().filter(|(_, owned)| is_ready(owned)) {
            let percent = Self::percent(self.wanted.as_deref(), partition);
            // A slow start is one from the first transaction on.
            let limit = (limit * percent as usize / 100).max(1);
            if owned.waiting.len() < limit && owned.may_wait(wait, &self.tell) {
                continue;
            }
            owned.waits_since = None;
            let Phase::Idle(mut worker) = std::mem::replace(&mut owned.phase, Phase::Busy) else { continue };
            let rest = owned.waiting.split_off(owned.waiting.len().min(limit));
            let batch = std::mem::replace(&mut owned.waiting, rest);
            let (tell, returning, generation) = (self.tell.clone(), self.returning.clone(), owned.generation);
            let (stop, rest) = (CancellationToken::new(), CancellationToken::new());
            (owned.stop, owned.rest) = (stop.clone(), rest.clone());
            // Also where nobody waits for it any more: a pause is confirmed only once it has ended.
            let within = self.activity.enter();
            tokio::spawn(async move {
                let began = Instant::now();
                let finished = worker.apply(&batch, &stop).await;
                drop(within);
                slow_down(began.elapsed(), percent, &rest).await;
                returning.lock().insert((partition, generation), *worker);
                let _ = tell.send(Input::Finished(partition, generation, finished));
            });
        }
    }

    pub(super) fn take(&mut self, partition: i32) {
        let desired = self.desired(partition);
        let rests = self.is_known_quiet(partition, &desired);
        let owned = Owned {
            phase: if rests { Phase::Paused(None) } else { Phase::Held },
            generation: 0,
            next: 0,
            waiting: Vec::new(),
            waits_since: None,
            desired,
            fenced: false,
            rest: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        self.owned.insert(partition, owned);
        // Also where it is to rest: claiming it keeps a former owner from writing who has not confirmed.
        if !rests && !self.held {
            self.open(partition);
        }
    }

    /// Claims and checks a partition in the background; it stays paused meanwhile.
    pub(super) fn open(&mut self, partition: i32) {
        self.generations += 1;
        let generation = self.generations;
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        let rested = match std::mem::replace(&mut owned.phase, Phase::Opening) {
            // A log that was away may hold another history: then nothing of what is known counts.
            Phase::Paused(worker) if !self.suspicious => worker,
            _ => None,
        };
        owned.generation = generation;
        owned.waiting.clear();
        self.close(partition);
        let (config, returning, tell) = (self.config.clone(), self.returning.clone(), self.tell.clone());
        let desk = Desk {
            pool: self.pool.clone(),
            partition,
            dead_letters: self.dead_letters.clone(),
            view: self.view.clone(),
        };
        tokio::spawn(async move {
            let result = worker_for(config, desk, rested).await.map(|(opened, worker)| {
                returning.lock().insert((partition, generation), worker);
                opened
            });
            let _ = tell.send(Input::Opened(partition, generation, Box::new(result)));
        });
    }

    pub(super) fn opened(
        &mut self,
        partition: i32,
        generation: u64,
        result: Result<Opened, NotOpened>,
    ) -> Result<(), GroupError> {
        let worker = self.returning.lock().remove(&(partition, generation));
        if !self.is_current(partition, generation) || self.held {
            return Ok(());
        }
        match (result, worker) {
            (Ok(Opened { place, .. }), Some(worker)) if self.is_to_rest(partition) => {
                self.note(partition, place.next_offset);
                if let Some(owned) = self.owned.get_mut(&partition) {
                    (owned.phase, owned.fenced) = (Phase::Paused(Some(Box::new(worker))), true);
                }
            }
            (Ok(Opened { place, caught_up_at }), Some(worker)) => {
                if let Err(error) = self.start_at(partition, place.next_offset) {
                    tracing::warn!(%error, group = W::GROUP, partition, "seeking failed; opening again");
                    self.later(partition, generation);
                    return Ok(());
                }
                self.note(partition, place.next_offset);
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.next = place.next_offset;
                    owned.fenced = true;
                    owned.phase = Phase::Idle(Box::new(worker));
                }
                let open = OpenPartition {
                    generation,
                    epoch: place.epoch,
                    next_offset: place.next_offset,
                    caught_up_at,
                };
                self.open.send_modify(|all| {
                    all.insert(partition, open);
                });
                tracing::info!(
                    group = W::GROUP,
                    partition,
                    offset = place.next_offset,
                    epoch = place.epoch,
                    "opened"
                );
            }
            (Err(NotOpened::Outage(reason)), _) => self.hold(&reason),
            (Err(NotOpened::LogUnavailable(error)), _) => {
                tracing::warn!(%error, group = W::GROUP, partition, "the log cannot be read; opening again");
                self.later(partition, generation);
            }
            (Err(NotOpened::Stop(reason)), _) => self.stop(partition, Stop::because(reason)),
            (Err(NotOpened::AnotherHistory(reason)), _) => return Err(GroupError::AnotherHistory(reason)),
            (Ok(_), None) => self.later(partition, generation),
        }
        Ok(())
    }

    /// Lets a partition flow from `offset`.
    pub(super) fn start_at(&self, partition: i32, offset: u64) -> KafkaResult<()> {
        let deadline = Instant::now() + limits::SEEK_BUDGET;
        loop {
            // A partition that was just assigned refuses a seek for some milliseconds.
            match self.consumer.seek(&self.topic, partition, Offset::Offset(offset as i64), Duration::ZERO) {
                Ok(()) => break,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        self.consumer.resume(&self.list(&[partition])?)
    }

    fn is_to_rest(&self, partition: i32) -> bool {
        self.owned.get(&partition).is_some_and(|owned| owned.desired.is_paused())
    }

    pub(super) fn later(&mut self, partition: i32, generation: u64) {
        self.close(partition);
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.phase = Phase::Held;
        }
        let tell = self.tell.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limits::REOPEN_PAUSE).await;
            let _ = tell.send(Input::Reopen(partition, generation));
        });
    }

    pub(super) fn finished(&mut self, partition: i32, generation: u64, finished: Finished) {
        let worker = self.returning.lock().remove(&(partition, generation));
        if !self.is_current(partition, generation) {
            return;
        }
        match (finished, worker) {
            (Finished::Committed(next), Some(worker)) => {
                self.note(partition, next);
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.phase = Phase::Idle(Box::new(worker));
                }
                self.settle(partition);
            }
            (Finished::RolledBack, _) => {
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.phase = Phase::Held;
                }
                if self.is_to_rest(partition) {
                    self.settle(partition);
                } else {
                    self.pause(&[partition]);
                    self.open(partition);
                }
            }
            (Finished::Stopped(next, stop), _) => {
                self.note(partition, next);
                self.stop(partition, stop);
            }
            (Finished::Outage(reason), _) => self.hold(&reason),
            (Finished::Lost, _) => {
                tracing::warn!(
                    group = W::GROUP,
                    partition,
                    "another instance claimed the partition; nothing was written"
                );
                self.pause(&[partition]);
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.fenced = false;
                }
                self.later(partition, generation);
            }
            (Finished::Fatal(reason), _) => self.stop(partition, Stop::because(reason)),
            (Finished::Committed(_), None) => self.later(partition, generation),
        }
    }
}

/// Claims a partition. Whoever rested goes on where MySQL is as it was left, without a look at the log: but for facts, of
/// which some may have been appended after the rest began, and who works beside them must have seen these first.
async fn worker_for<W: Work>(
    config: Config,
    desk: Desk,
    rested: Option<Box<Worker<W>>>,
) -> Result<(Opened, Worker<W>), NotOpened> {
    let place = opening::claim::<W>(&config, &desk.pool, desk.partition).await?;
    if let Some(mut worker) = rested.filter(|_| !W::SOURCE.has_gaps())
        && worker.goes_on_at(&place)
    {
        // Its log has no gaps, so there is nothing to have seen.
        return Ok((Opened { place, caught_up_at: 0 }, *worker));
    }
    let (opened, work) = opening::open::<W>(&config, place).await?;
    let expected = opened.place.expected();
    Ok((opened, Worker::new(config, desk, expected, work)))
}

impl<W: Work> Owned<W> {
    /// Whether what waits may wait for more; whoever waits longest is told of the end.
    fn may_wait(&mut self, wait: Duration, tell: &UnboundedSender<Input>) -> bool {
        if wait.is_zero() {
            return false;
        }
        if let Some(since) = self.waits_since {
            return since.elapsed() < wait;
        }
        self.waits_since = Some(tokio::time::Instant::now());
        let tell = tell.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = tell.send(Input::Ripe);
        });
        true
    }
}

/// After a resume with a ramp a partition works in a share of its time only; whoever pauses it again does not wait.
async fn slow_down(worked: Duration, percent: u32, rest: &CancellationToken) {
    if percent >= 100 {
        return;
    }
    let pause = worked.mul_f64(f64::from(100 - percent) / f64::from(percent.max(1)));
    let pause = tokio::time::sleep(pause.min(limits::MAX_RAMP_PAUSE));
    tokio::select! {
        () = rest.cancelled() => {}
        () = pause => {}
    }
}

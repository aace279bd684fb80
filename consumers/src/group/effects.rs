//! Carries out what the lifecycle says: tasks for what takes time, calls of the client for what does not.

use super::{
    Group, OpenPartition,
    lifecycle::{Common, Database, Effect, Event, Kept, Task},
    opening::{self, NotOpened, Opened},
    tasks::{Done, Job},
    work::{Desk, Stop, Work},
    worker::{Finished, Worker},
};
use crate::{
    config::Config,
    limits, metric,
    pool::{WriterPool, in_time, takes_writes},
};
use chassis::shutdown::CancellationToken;
use futures_util::{FutureExt, future::BoxFuture};
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer, error::KafkaResult};
use std::time::Duration;
use tokio::time::Instant;

impl<W: Work> Group<W> {
    /// Something happened to a partition.
    pub(super) fn on(&mut self, partition: i32, event: Event) {
        let tasks = self.lifecycle.on(partition, event);
        self.carry_out(tasks);
    }

    /// Something happened to all partitions.
    pub(super) fn on_all(&mut self, event: &Common) {
        let tasks = self.lifecycle.on_all(event);
        self.carry_out(tasks);
    }

    pub(super) fn carry_out(&mut self, tasks: Vec<Task>) {
        let (mut paused, mut again) = (Vec::new(), Vec::new());
        for Task { partition, effect } in tasks {
            match effect {
                Effect::Pause => paused.push(partition),
                // An operator may have decided about it while it was under way.
                Effect::Alarm(stop) => {
                    self.alarm(partition, &stop);
                    again.push(partition);
                }
                Effect::Start { generation } => {
                    if let Some(seat) = self.seats.get_mut(&partition) {
                        seat.seeking_since = Instant::now();
                    }
                    self.start(Job { partition, generation });
                }
                Effect::Open { generation, kept } => self.open(Job { partition, generation }, kept),
                Effect::Run { generation } => self.run_batch(Job { partition, generation }),
                Effect::RetryAfter { generation, pause } => {
                    self.after(pause, move || Done::Retry(Job { partition, generation }))
                }
                Effect::Probe => self.probe(),
                other => self.at_once(partition, &other),
            }
        }
        if !paused.is_empty() {
            self.pause(&paused);
        }
        for partition in again {
            let wish = self.wish(partition);
            self.on(partition, Event::Wanted(wish));
        }
    }

    fn at_once(&mut self, partition: i32, effect: &Effect) {
        match effect {
            Effect::Close => {
                self.open.send_if_modified(|all| all.remove(&partition).is_some());
            }
            Effect::Announce => {
                if let Some(opened) = self.seats.get(&partition).and_then(|seat| seat.opened) {
                    let OpenPartition { epoch, next_offset: offset, .. } = opened;
                    self.open.send_modify(|all| {
                        all.insert(partition, opened);
                    });
                    tracing::info!(group = W::GROUP, partition, offset, epoch, "opened");
                }
            }
            Effect::Warn(reason) => {
                tracing::warn!(group = W::GROUP, topic = %self.topic, partition, reason, "the database refuses a partition; it is held and tried again");
            }
            Effect::Recovered => {
                tracing::info!(group = W::GROUP, topic = %self.topic, partition, "the partition flows again");
            }
            _ => {}
        }
        let Some(seat) = self.seats.get_mut(&partition) else { return };
        match effect {
            Effect::Close => {
                seat.waiting.clear();
                seat.waits_since = None;
            }
            Effect::Forget => seat.worker = None,
            Effect::Cancel => seat.stop.cancel(),
            Effect::Hurry => seat.rest.cancel(),
            _ => {}
        }
    }

    fn alarm(&self, partition: i32, stop: &Stop) {
        let reason = &stop.reason;
        tracing::error!(group = W::GROUP, topic = %self.topic, partition, reason, "partition stopped; nothing is skipped");
    }

    /// Claims and checks a partition in the background; it stays paused meanwhile.
    fn open(&mut self, job: Job, kept: Kept) {
        let Job { partition, .. } = job;
        let Some(seat) = self.seats.get_mut(&partition) else { return };
        let rested = seat.worker.take().filter(|_| kept == Kept::Worker);
        let config = self.config.clone();
        let desk = Desk {
            pool: self.pool.clone(),
            partition,
            dead_letters: self.dead_letters.clone(),
            view: self.view.clone(),
        };
        let panicked =
            move |words: String| Done::Opened { job, result: Err(NotOpened::Stop(panicked(&words))) };
        self.tasks.spawn(panicked, async move {
            Done::Opened { job, result: worker_for(config, desk, rested).await }
        });
    }

    /// Keeps what an opening that still counts has found.
    pub(super) fn take_seat(&mut self, job: Job, opened: &Opened, worker: Box<Worker<W>>) {
        let Job { partition, generation } = job;
        if !self.lifecycle.is_current(partition, generation) {
            return;
        }
        let Some(seat) = self.seats.get_mut(&partition) else { return };
        let Opened { place, caught_up_at } = opened;
        seat.worker = Some(worker);
        seat.next = place.next_offset;
        seat.opened = Some(OpenPartition {
            generation,
            epoch: place.epoch,
            next_offset: place.next_offset,
            caught_up_at: *caught_up_at,
        });
        self.note(partition, place.next_offset);
    }

    /// Lets the client read a partition from its place in MySQL on. One that was just assigned refuses for some
    /// milliseconds.
    pub(super) fn start(&mut self, job: Job) {
        let Job { partition, generation } = job;
        if !self.lifecycle.is_current(partition, generation) {
            return;
        }
        let Some(seat) = self.seats.get(&partition) else { return };
        let (offset, since) = (seat.next, seat.seeking_since);
        match self.start_at(partition, offset) {
            Ok(()) => self.on(partition, Event::Started { generation }),
            Err(_) if since.elapsed() < limits::SEEK_BUDGET => {
                self.after(limits::SEEK_PAUSE, move || Done::Seek(job));
            }
            Err(error) => {
                tracing::warn!(%error, group = W::GROUP, partition, "seeking failed; opening again");
                let why = super::lifecycle::NotOpened::LogUnavailable;
                self.on(partition, Event::NotOpened { generation, why });
            }
        }
    }

    fn start_at(&self, partition: i32, offset: u64) -> KafkaResult<()> {
        self.consumer.seek(&self.topic, partition, Offset::Offset(offset as i64), Duration::ZERO)?;
        self.consumer.resume(&self.list(&[partition])?)
    }

    fn pause(&self, partitions: &[i32]) {
        if let Err(error) = self.list(partitions).and_then(|list| self.consumer.pause(&list)) {
            tracing::warn!(%error, group = W::GROUP, ?partitions, "pausing failed");
        }
    }

    fn list(&self, partitions: &[i32]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        Ok(list)
    }

    /// Gives every resting worker what waits for it.
    pub(super) fn dispatch(&mut self) {
        let (limit, wait, now_ms) = (self.batch_records(), self.batch_wait(), self.view.now_ms());
        let mut due = Vec::new();
        for (&partition, seat) in self.seats.iter_mut().filter(|(_, seat)| !seat.waiting.is_empty()) {
            if !self.lifecycle.get(partition).is_some_and(super::lifecycle::Partition::is_idle) {
                continue;
            }
            // A slow start is one from the first transaction on.
            let percent = Self::percent(self.wanted.as_deref(), partition, now_ms) as usize;
            let limit = (limit * percent / 100).max(1);
            if seat.waiting.len() < limit && !wait.is_zero() {
                match seat.waits_since {
                    Some(since) if since.elapsed() >= wait => {}
                    Some(_) => continue,
                    None => {
                        seat.waits_since = Some(Instant::now());
                        let ripe = async move {
                            tokio::time::sleep(wait).await;
                            Done::Ripe
                        };
                        self.tasks.spawn(|_| Done::Ripe, ripe);
                        continue;
                    }
                }
            }
            due.push(partition);
        }
        for partition in due {
            self.on(partition, Event::Due);
        }
    }

    fn run_batch(&mut self, job: Job) {
        let Job { partition, .. } = job;
        let percent = Self::percent(self.wanted.as_deref(), partition, self.view.now_ms());
        let limit = (self.batch_records() * percent as usize / 100).max(1);
        let Some(seat) = self.seats.get_mut(&partition) else { return };
        seat.waits_since = None;
        let rest = seat.waiting.split_off(seat.waiting.len().min(limit));
        let batch = std::mem::replace(&mut seat.waiting, rest);
        let (stop, rest) = (CancellationToken::new(), CancellationToken::new());
        (seat.stop, seat.rest) = (stop.clone(), rest.clone());
        let worker = seat.worker.take();
        self.transactions += 1;
        // Also where nobody waits for it any more: a pause is confirmed only once it has ended.
        let within = self.activity.enter();
        let panicked = move |words: String| Done::Ended {
            job,
            finished: Finished::Fatal(panicked(&words)),
            worker: None,
        };
        self.tasks.spawn(panicked, async move {
            let Some(mut worker) = worker else {
                let finished = Finished::Fatal("a partition was idle without a worker: a bug".to_owned());
                return Done::Ended { job, finished, worker: None };
            };
            let began = Instant::now();
            let finished = worker.apply(&batch, &stop).await;
            drop(within);
            slow_down(began.elapsed(), percent, &rest).await;
            Done::Ended { job, finished, worker: Some(worker) }
        });
    }

    /// Closes sessions that nobody is given any more; nobody waits for that.
    pub(super) fn close_behind(&mut self, closing: BoxFuture<'static, ()>) {
        self.tasks.spawn(|_| Done::Pool, closing.map(|()| Done::Pool));
    }

    pub(super) fn after(&mut self, pause: Duration, then: impl Fn() -> Done<W> + Clone + Send + 'static) {
        let or_else = then.clone();
        self.tasks.spawn(move |_| or_else(), async move {
            tokio::time::sleep(pause).await;
            then()
        });
    }

    /// Finds out whether the database takes writes; one question at a time, and while it does not, again and again. By
    /// sessions of its own, which whoever goes on uses then: the old ones may lead to a server that was demoted.
    pub(super) fn probe(&mut self) {
        if std::mem::replace(&mut self.probing, true) {
            return;
        }
        let pause = match self.lifecycle.database() {
            Database::Usable => Duration::ZERO,
            Database::Away => limits::PROBE_INTERVAL,
        };
        let pool = self.pool.clone();
        let is_first = self.lifecycle.database() == Database::Usable;
        self.tasks.spawn(|_| Done::Probed { found: Database::Away, closing: None }, async move {
            tokio::time::sleep(pause).await;
            let found = probe(&pool).await;
            let renewed = if is_first || found == Database::Usable { pool.renew().await } else { Ok(None) };
            let closing = renewed.unwrap_or_else(|error| {
                tracing::warn!(%error, "the writer pool keeps its sessions");
                None
            });
            Done::Probed { found, closing: closing.map(FutureExt::boxed) }
        });
    }

    pub(super) fn probed(&mut self, found: Database, closing: Option<BoxFuture<'static, ()>>) {
        self.probing = false;
        if let Some(closing) = closing {
            self.close_behind(closing);
        }
        let known = self.lifecycle.database();
        match (known, found) {
            (_, Database::Away) => {
                if known == Database::Usable {
                    tracing::warn!(group = W::GROUP, "the database takes no writes; holding until it does");
                    metrics::gauge!(metric::DATABASE_HOLD, "group" => W::GROUP).set(1.0);
                    self.on_all(&Common::DatabaseAway);
                }
                self.probe();
            }
            (Database::Away, Database::Usable) => {
                metrics::gauge!(metric::DATABASE_HOLD, "group" => W::GROUP).set(0.0);
                tracing::info!(group = W::GROUP, "the database takes writes again");
                self.on_all(&Common::DatabaseBack);
            }
            (Database::Usable, Database::Usable) => {}
        }
    }

    /// Shows how far MySQL is.
    pub(super) fn note(&self, partition: i32, next: u64) {
        self.open.send_if_modified(|all| match all.get_mut(&partition) {
            Some(open) => std::mem::replace(&mut open.next_offset, next) != next,
            None => false,
        });
        metrics::gauge!(metric::NEXT_OFFSET, "group" => W::GROUP, "topic" => self.topic.clone(), "partition" => partition.to_string())
            .set(next as f64);
    }
}

fn panicked(words: &str) -> String {
    format!("its worker panicked, which is a bug: {words}")
}

/// Claims a partition. Whoever rested goes on where MySQL is as it was left, without a look at the log: but for facts, of
/// which some may have been appended after the rest began, and who works beside them must have seen these first.
async fn worker_for<W: Work>(
    config: Config,
    desk: Desk,
    rested: Option<Box<Worker<W>>>,
) -> Result<(Opened, Box<Worker<W>>), NotOpened> {
    let place = opening::claim::<W>(&config, &desk.pool, desk.partition).await?;
    if let Some(mut worker) = rested.filter(|_| !W::SOURCE.has_gaps())
        && worker.goes_on_at(&place)
    {
        // A fold need not have seen anything before it goes on.
        return Ok((Opened { place, caught_up_at: 0 }, worker));
    }
    let (opened, work) = opening::open::<W>(&config, place).await?;
    let expected = opened.place.expected();
    Ok((opened, Box::new(Worker::new(config, desk, expected, work))))
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

/// Whether the server answers and takes writes, asked by a session of its own: it connects to whatever the address leads to
/// now.
async fn probe(pool: &WriterPool) -> Database {
    // What was let go of is opened when somebody resumes; nobody asks meanwhile.
    if pool.get().is_err() {
        return Database::Usable;
    }
    let asked = async { takes_writes(&pool.url()?).await };
    match in_time(asked).await {
        Ok(true) => Database::Usable,
        Ok(false) | Err(_) => Database::Away,
    }
}

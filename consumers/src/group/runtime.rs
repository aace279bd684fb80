//! The one loop of a group: it turns Kafka, MySQL, `control` and timers into events of the lifecycle, and carries out what
//! the lifecycle says. Nothing in it waits but the `select!`.

use super::{
    Activity, Controls, DeadLetters, Rebalance,
    client::{self, Context},
    lifecycle::{Common, Ended, Event, Lifecycle, NotOpened},
    opening,
    seat::Seat,
    status::{GroupStatus, OpenPartitions},
    tasks::{Done, Tasks},
    work::{Stop, Work},
    worker::Finished,
};
use crate::{config::Config, limits, metric, pool::WriterPool};
use chassis::{
    kafka::{self, ProducerLimits},
    log_reader::{RawRecord, is_wrong_offset, raw},
    shutdown::CancellationToken,
};
use control::{State, tail::View};
use futures_util::FutureExt;
use parking_lot::Mutex;
use rdkafka::{
    Message,
    consumer::StreamConsumer,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

/// Why a group, and with it the process, ends.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The client cannot go on.
    #[error("the client of {group} failed for good: {source}")]
    Client {
        /// Group.
        group: &'static str,
        /// librdkafka's word.
        source: KafkaError,
    },
    /// The log is not the one that MySQL was filled from.
    #[error("{0}")]
    AnotherHistory(String),
}

/// One group on one instance.
pub struct Group<W: Work> {
    pub(super) config: Config,
    pub(super) pool: WriterPool,
    pub(super) view: View,
    control: watch::Receiver<Option<Arc<State>>>,
    /// What operators want; nothing until it is known.
    pub(super) wanted: Option<Arc<State>>,
    /// Told whenever there is something new to report.
    pub(super) changed: Arc<Notify>,
    pub(super) activity: Activity,
    pub(super) consumer: StreamConsumer<Context>,
    pub(super) dead_letters: DeadLetters,
    rebalances: mpsc::Receiver<Rebalance>,
    pub(super) topic: String,
    pub(super) lifecycle: Lifecycle,
    pub(super) seats: HashMap<i32, Seat<W>>,
    pub(super) tasks: Tasks<W>,
    /// Transactions under way, also such as nobody waits for any more.
    pub(super) transactions: usize,
    pub(super) status: Arc<Mutex<GroupStatus>>,
    pub(super) open: watch::Sender<OpenPartitions>,
    /// The client has lost all brokers since the partitions were opened.
    suspicious: bool,
    /// MySQL is being asked where the partitions stand.
    pub(super) looking: bool,
    /// The database is being probed.
    pub(super) probing: bool,
}

impl<W: Work> Group<W> {
    /// Joins the group.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn join(
        config: Config,
        pool: WriterPool,
        status: Arc<Mutex<GroupStatus>>,
        controls: Controls,
    ) -> KafkaResult<Self> {
        let Controls { view, changed, activity } = controls;
        let mut control = view.states();
        let wanted = control.borrow_and_update().clone();
        let topic = W::SOURCE.name(&config.topic_prefix);
        let (tell, rebalances) = mpsc::channel(limits::WAITING_REBALANCES);
        let producer = kafka::producer(&config.kafka, &config.instance, 0, DEAD_LETTER_QUEUE);
        let dead_letters = DeadLetters::new(&producer, W::SOURCE, &config.topic_prefix, W::GROUP)?;
        let consumer = client::connect::<W>(&config, &topic, tell)?;
        Ok(Self {
            config,
            pool,
            view,
            control,
            wanted,
            changed,
            activity,
            consumer,
            dead_letters,
            rebalances,
            topic,
            lifecycle: Lifecycle::default(),
            seats: HashMap::new(),
            tasks: Tasks::default(),
            transactions: 0,
            status,
            open: watch::Sender::default(),
            suspicious: false,
            looking: false,
            probing: false,
        })
    }

    /// Its open partitions, as they change.
    #[must_use]
    pub fn open_partitions(&self) -> watch::Receiver<OpenPartitions> {
        self.open.subscribe()
    }

    /// Works until shutdown.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), GroupError> {
        self.obey(self.wanted.clone());
        let mut look = interval(limits::LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whoever is given no partition has obeyed `control` all the same, and is waited for.
        self.tell_report();
        let ended = loop {
            let full = self.seats.values().any(|seat| seat.waiting.len() >= limits::MAX_WAITING_RECORDS);
            let step = tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                Some(rebalance) = self.rebalances.recv() => Step::Rebalance(rebalance),
                Some(done) = self.tasks.next() => Step::Done(done),
                changed = self.control.changed() => match changed {
                    Ok(()) => Step::Control,
                    // Whoever reads it is gone, and with it the process.
                    Err(_) => break Ok(()),
                },
                _ = look.tick() => Step::Look,
                polled = self.consumer.recv(), if !full => Step::Polled(polled.map(|message| queued(&message))),
            };
            if let Err(error) = self.step(step) {
                break Err(error);
            }
            self.dispatch();
        };
        self.leave().await;
        ended
    }

    fn step(&mut self, step: Step<W>) -> Result<(), GroupError> {
        match step {
            Step::Rebalance(rebalance) => self.rebalanced(rebalance),
            Step::Done(done) => self.done(done)?,
            Step::Control => {
                let wanted = self.control.borrow_and_update().clone();
                self.obey(wanted);
            }
            Step::Look => self.look(),
            Step::Polled(Ok(record)) => {
                self.queue(record);
                return self.drain_client();
            }
            Step::Polled(Err(error)) => return self.client_error(error),
        }
        self.let_go();
        self.tell_report();
        Ok(())
    }

    fn drain_client(&mut self) -> Result<(), GroupError> {
        for _ in 0..limits::MAX_DRAIN_RECORDS {
            let polled = match self.consumer.recv().now_or_never() {
                Some(Ok(message)) => Ok(queued(&message)),
                Some(Err(error)) => Err(error),
                None => break,
            };
            match polled {
                Ok(record) => self.queue(record),
                Err(error) => self.client_error(error)?,
            }
        }
        Ok(())
    }

    fn client_error(&mut self, source: KafkaError) -> Result<(), GroupError> {
        let fatal = matches!(source, KafkaError::MessageConsumptionFatal(_)) || is_wrong_offset(&source);
        if fatal {
            return Err(GroupError::Client { group: W::GROUP, source });
        }
        tracing::debug!(error = %source, group = W::GROUP, "the client lost its broker");
        self.suspicious |= source.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        Ok(())
    }

    fn rebalanced(&mut self, rebalance: Rebalance) {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                tracing::info!(group = W::GROUP, ?partitions, "assigned");
                let (ours, spare): (Vec<i32>, Vec<i32>) =
                    partitions.into_iter().partition(|partition| *partition < W::SOURCE.partitions());
                if !spare.is_empty() {
                    tracing::error!(
                        topic = %self.topic,
                        partitions = ?spare,
                        "somebody has added partitions that this log does not have; nothing of ours writes there, they are ignored"
                    );
                }
                for partition in ours {
                    self.seats.insert(partition, Seat::default());
                    let wish = self.wish(partition);
                    self.on(partition, Event::Assigned(wish));
                }
            }
            Rebalance::Revoked(partitions) => {
                tracing::info!(group = W::GROUP, ?partitions, "revoked");
                for partition in partitions {
                    self.on(partition, Event::Revoked);
                    self.seats.remove(&partition);
                }
            }
        }
    }

    fn queue(&mut self, queued: Queued) {
        let Queued { partition, record } = queued;
        if std::mem::take(&mut self.suspicious) {
            // The log that answers again may hold another history, and Kafka does not say so: opening checks it. This
            // record comes again, after the seek.
            self.on_all(&Common::LogSuspected);
            return;
        }
        let follows = self.lifecycle.get(partition).is_some_and(super::lifecycle::Partition::follows);
        let Some(seat) = self.seats.get_mut(&partition).filter(|_| follows) else { return };
        if record.offset < seat.next {
            return; // From before a seek.
        }
        if record.offset > seat.next && !W::SOURCE.has_gaps() {
            // Markers of somebody's transactions: nothing is delivered there, to nobody.
            metrics::counter!(metric::HOLES, "group" => W::GROUP).increment(record.offset - seat.next);
        }
        seat.next = record.offset + 1;
        seat.waiting.push(record);
    }

    /// Another state of `control`.
    fn obey(&mut self, wanted: Option<Arc<State>>) {
        self.wanted = wanted;
        if self.is_moved() {
            self.on_all(&Common::DatabaseMoved);
        }
        let mut tasks = Vec::new();
        let partitions: Vec<i32> = self.seats.keys().copied().collect();
        for partition in partitions {
            let wish = self.wish(partition);
            tasks.extend(self.lifecycle.on(partition, Event::Wanted(wish)));
        }
        // Together: each pause throws away what the client has fetched ahead.
        self.carry_out(tasks);
        self.tune();
    }

    fn done(&mut self, done: Done<W>) -> Result<(), GroupError> {
        match done {
            Done::Opened { job, result } => {
                let why = match result {
                    Ok((opened, worker)) => {
                        self.take_seat(job, &opened, worker);
                        let (generation, next_offset) = (job.generation, opened.place.next_offset);
                        self.on(job.partition, Event::Opened { generation, next_offset });
                        return Ok(());
                    }
                    Err(opening::NotOpened::AnotherHistory(reason)) => {
                        let is_current = self.lifecycle.is_current(job.partition, job.generation);
                        return if is_current { Err(GroupError::AnotherHistory(reason)) } else { Ok(()) };
                    }
                    Err(opening::NotOpened::Outage(reason)) => NotOpened::Refused(reason),
                    Err(opening::NotOpened::Stop(reason)) => NotOpened::Stop(Stop::because(reason)),
                    Err(opening::NotOpened::LogUnavailable(error)) => {
                        let partition = job.partition;
                        tracing::warn!(%error, group = W::GROUP, partition, "the log cannot be read; opening again");
                        NotOpened::LogUnavailable
                    }
                };
                self.on(job.partition, Event::NotOpened { generation: job.generation, why });
            }
            Done::Ended { job, finished, worker } => {
                self.transactions -= 1;
                if self.lifecycle.is_current(job.partition, job.generation)
                    && let Some(seat) = self.seats.get_mut(&job.partition)
                {
                    seat.worker = worker;
                }
                let how = self.how(job.partition, finished);
                self.on(job.partition, Event::Ended { generation: job.generation, how });
            }
            Done::Seek(job) => self.start(job),
            Done::Retry(job) => self.on(job.partition, Event::Retry { generation: job.generation }),
            Done::Looked(looked) => self.looked(looked),
            Done::Probed { found, closing } => self.probed(found, closing),
            // Only so that the waiting is looked at again, and what is reported.
            Done::Ripe | Done::Pool => {}
        }
        Ok(())
    }

    fn how(&self, partition: i32, finished: Finished) -> Ended {
        match finished {
            Finished::Committed(next_offset) => {
                self.note(partition, next_offset);
                Ended::Committed { next_offset }
            }
            Finished::RolledBack => Ended::RolledBack,
            Finished::Stopped(next_offset, stop) => {
                self.note(partition, next_offset);
                Ended::Stop { next_offset: Some(next_offset), stop }
            }
            Finished::Outage(reason) => Ended::Refused(reason),
            Finished::Fatal(reason) => Ended::Stop { next_offset: None, stop: Stop::because(reason) },
            Finished::Lost => {
                let group = W::GROUP;
                tracing::warn!(
                    group,
                    partition,
                    "another instance claimed the partition; nothing was written"
                );
                Ended::Lost
            }
        }
    }

    /// Lets running transactions finish, then leaves the group.
    async fn leave(mut self) {
        self.open.send_modify(BTreeMap::clear);
        self.seats.values().for_each(|seat| seat.rest.cancel());
        let deadline = Instant::now() + limits::DRAIN;
        while self.transactions > 0 {
            match tokio::time::timeout_at(deadline, self.tasks.next()).await {
                Ok(Some(Done::Ended { job, finished, .. })) => {
                    self.transactions -= 1;
                    self.how(job.partition, finished);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    tracing::warn!(group = W::GROUP, "a transaction was running at the drain's deadline");
                    break;
                }
            }
        }
        // Closing blocks; nothing of an assignment may be alive any more, or it would block for ever.
        let consumer = self.consumer;
        let closed = tokio::task::spawn_blocking(move || drop(consumer));
        if tokio::time::timeout(limits::DRAIN, closed).await.is_err() {
            tracing::warn!(group = W::GROUP, "the client did not close in time");
        }
    }
}

/// Room for dead letters on their way to the brokers.
const DEAD_LETTER_QUEUE: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 8_000, queue_messages: 1_000, queue_kbytes: 16_384 };

enum Step<W: Work> {
    Rebalance(Rebalance),
    Done(Done<W>),
    Control,
    Look,
    Polled(KafkaResult<Queued>),
}

struct Queued {
    partition: i32,
    record: RawRecord,
}

fn queued(message: &BorrowedMessage<'_>) -> Queued {
    Queued { partition: message.partition(), record: raw(message).to_owned() }
}

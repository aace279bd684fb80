//! The loop of a group: which partitions are ours, in which phase each of them is, and what comes next.

use super::{
    Activity, DeadLetters, Input, Rebalance,
    client::{self, Context},
    work::{Stop, Work},
    worker::Worker,
};
use crate::{config::Config, limits, metric, pool::WriterPool};
use chassis::{
    kafka::{self, ProducerLimits},
    log_reader::{RawRecord, is_wrong_offset, raw},
    shutdown::CancellationToken,
};
use control::{Desired, State, acks::GroupReport, tail::View};
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
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
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

/// What a group says of itself.
#[derive(Clone, Debug, Default)]
pub struct GroupStatus {
    /// Where each owned partition stands: next offset and digest unknown until opened.
    pub next_offsets: BTreeMap<i32, u64>,
    /// Partitions that stopped, and why.
    pub stopped: BTreeMap<i32, Stop>,
    /// Why this instance holds itself.
    pub held: Option<String>,
    /// For `control.acks`.
    pub report: GroupReport,
}

/// A partition that is claimed, checked and followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenPartition {
    /// Another one for each opening.
    pub generation: u64,
    /// How often MySQL had given the partition away; a larger one there means that it is somebody else's.
    pub epoch: u64,
    /// The offset that MySQL waits for.
    pub next_offset: u64,
    /// The offset from which on all that stood in the log at the opening has been seen.
    pub caught_up_at: u64,
}

impl OpenPartition {
    /// Whether MySQL holds what stood in the log at the opening.
    #[must_use]
    pub const fn has_caught_up(&self) -> bool {
        self.next_offset >= self.caught_up_at
    }
}

/// All open partitions of a group, for whoever works beside it.
pub type OpenPartitions = BTreeMap<i32, OpenPartition>;

pub(super) enum Phase<W: Work> {
    /// Being claimed and checked.
    Opening,
    /// Waiting for records; the worker is at rest.
    Idle(Box<Worker<W>>),
    /// A batch is in its transaction.
    Busy,
    /// Waits for the database, or for the next try.
    Held,
    /// Somebody holds it; nothing is under way. The worker waits, for the case that MySQL is left as it is.
    Paused(Option<Box<Worker<W>>>),
    /// Stopped at something that must not be skipped.
    Stopped,
}

pub(super) struct Owned<W: Work> {
    pub(super) phase: Phase<W>,
    /// Counts openings; what an earlier one started is ignored.
    pub(super) generation: u64,
    /// The next offset to queue.
    pub(super) next: u64,
    pub(super) waiting: Vec<RawRecord>,
    /// Since when the first of these waits; nothing where nobody counts.
    pub(super) waits_since: Option<Instant>,
    /// What holders want of it.
    pub(super) desired: Desired,
    /// This instance has claimed it: whoever had it before writes nothing any more.
    pub(super) fenced: bool,
    /// Ends the pause of a slow start between two transactions.
    pub(super) rest: CancellationToken,
    /// Rolls the transaction back that is under way.
    pub(super) stop: CancellationToken,
}

impl<W: Work> Owned<W> {
    /// Open, with nothing to do.
    pub(super) const fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Idle(_))
    }
}

/// Workers by partition and generation.
pub(super) type Returning<W> = Arc<Mutex<HashMap<(i32, u64), Worker<W>>>>;

/// What operators want, and where to say that something changed.
#[derive(Clone)]
pub struct Controls {
    /// What is known of `control`.
    pub view: View,
    /// Wakes whoever reports.
    pub changed: Arc<Notify>,
    /// What is under way in this group.
    pub activity: Activity,
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
    pub(super) tell: UnboundedSender<Input>,
    pub(super) inputs: UnboundedReceiver<Input>,
    pub(super) topic: String,
    pub(super) owned: HashMap<i32, Owned<W>>,
    /// Workers on their way back from a transaction or an opening.
    pub(super) returning: Returning<W>,
    pub(super) status: Arc<Mutex<GroupStatus>>,
    pub(super) open: watch::Sender<OpenPartitions>,
    pub(super) generations: u64,
    pub(super) held: bool,
    /// The client has lost all brokers since the partitions were opened.
    pub(super) suspicious: bool,
    /// MySQL is being asked where the partitions stand.
    pub(super) looking: bool,
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
        let (tell, inputs) = unbounded_channel();
        let producer = kafka::producer(&config.kafka, &config.instance, 0, DEAD_LETTER_QUEUE);
        let dead_letters = DeadLetters::new(&producer, W::SOURCE, &config.topic_prefix, W::GROUP)?;
        let consumer = client::connect(&config, W::GROUP, &topic, tell.clone())?;
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
            tell,
            inputs,
            topic,
            owned: HashMap::new(),
            returning: Arc::default(),
            status,
            open: watch::Sender::default(),
            generations: 0,
            held: false,
            suspicious: false,
            looking: false,
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
            let full = self.owned.values().any(|owned| owned.waiting.len() >= limits::MAX_WAITING_RECORDS);
            let step = tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                Some(input) = self.inputs.recv() => Step::Input(input),
                changed = self.control.changed() => match changed {
                    Ok(()) => Step::Control,
                    // Whoever reads it is gone, and with it the process.
                    Err(_) => break Ok(()),
                },
                _ = look.tick() => Step::Look,
                polled = self.consumer.recv(), if !full => Step::Polled(polled.map(|message| queued(&message))),
            };
            let done = match step {
                Step::Input(input) => self.handle(input),
                Step::Control => {
                    let wanted = self.control.borrow_and_update().clone();
                    self.obey(wanted);
                    Ok(())
                }
                Step::Look => {
                    self.look();
                    Ok(())
                }
                Step::Polled(Ok(record)) => {
                    self.queue(record);
                    self.drain_client()
                }
                Step::Polled(Err(error)) => self.client_error(error),
            };
            if let Err(error) = done {
                break Err(error);
            }
            self.dispatch();
        };
        self.leave().await;
        ended
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

    fn handle(&mut self, input: Input) -> Result<(), GroupError> {
        let handled = self.enter(input);
        self.let_go();
        self.tell_report();
        handled
    }

    fn enter(&mut self, input: Input) -> Result<(), GroupError> {
        match input {
            Input::Rebalance(Rebalance::Assigned(partitions)) => {
                tracing::info!(group = W::GROUP, ?partitions, "assigned");
                partitions.into_iter().for_each(|partition| self.take(partition));
            }
            Input::Rebalance(Rebalance::Revoked(partitions)) => {
                tracing::info!(group = W::GROUP, ?partitions, "revoked");
                for partition in partitions {
                    if let Some(owned) = self.owned.remove(&partition) {
                        owned.stop.cancel();
                    }
                    self.close(partition);
                    let mut status = self.status.lock();
                    status.next_offsets.remove(&partition);
                    if status.stopped.remove(&partition).is_some() {
                        metrics::gauge!(metric::STOPPED_PARTITIONS, "group" => W::GROUP).decrement(1.0);
                    }
                }
            }
            Input::Opened(partition, generation, result) => {
                return self.opened(partition, generation, *result);
            }
            Input::Finished(partition, generation, finished) => {
                self.finished(partition, generation, finished)
            }
            Input::DatabaseIsBack => self.release(),
            // Only so that the waiting is looked at again.
            Input::Ripe => {}
            Input::Looked(looked) => self.looked(looked),
            Input::Reopen(partition, generation) => {
                if self.is_current(partition, generation) && !self.held {
                    self.open(partition);
                }
            }
        }
        Ok(())
    }

    pub(super) fn is_current(&self, partition: i32, generation: u64) -> bool {
        self.owned.get(&partition).is_some_and(|owned| owned.generation == generation)
    }

    /// Lets running transactions finish, then leaves the group.
    async fn leave(mut self) {
        self.open.send_modify(BTreeMap::clear);
        let deadline = tokio::time::Instant::now() + limits::DRAIN;
        while self.owned.values().any(|owned| matches!(owned.phase, Phase::Busy)) {
            match tokio::time::timeout_at(deadline, self.inputs.recv()).await {
                Ok(Some(Input::Finished(partition, generation, finished))) => {
                    self.finished(partition, generation, finished);
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

enum Step {
    Input(Input),
    Control,
    Look,
    Polled(KafkaResult<(i32, RawRecord)>),
}

fn queued(message: &BorrowedMessage<'_>) -> (i32, RawRecord) {
    (message.partition(), raw(message).to_owned())
}

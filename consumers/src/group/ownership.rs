//! The loop of a group: which partitions are ours, in which phase each of them is, and what comes next.

use super::{
    DeadLetters, Input, Rebalance,
    client::{self, Context},
    opening::{self, NotOpened, Opened, Place},
    worker::{Finished, Worker},
};
use crate::{config::Config, limits, metric, projection::Projection};
use chassis::{
    kafka::{self, ProducerLimits},
    log_reader::{RawRecord, is_wrong_offset, raw},
    shutdown::CancellationToken,
};
use futures_util::FutureExt;
use parking_lot::Mutex;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
    pub stopped: BTreeMap<i32, String>,
    /// Why this instance holds itself.
    pub held: Option<String>,
}

enum Phase<S: Projection> {
    /// Being claimed and checked.
    Opening,
    /// Waiting for records; the worker is at rest.
    Idle(Box<Worker<S>>),
    /// A batch is in its transaction.
    Busy,
    /// Waits for the database, or for the next try.
    Held,
    /// Stopped at something that must not be skipped.
    Stopped,
}

struct Owned<S: Projection> {
    phase: Phase<S>,
    /// Counts openings; what an earlier one started is ignored.
    generation: u64,
    /// The next offset to queue.
    next: u64,
    waiting: Vec<RawRecord>,
}

/// Workers by partition and generation.
type Returning<S> = Arc<Mutex<HashMap<(i32, u64), Worker<S>>>>;

/// One group on one instance.
pub struct Group<S: Projection> {
    config: Config,
    db: DatabaseConnection,
    consumer: StreamConsumer<Context>,
    dead_letters: DeadLetters,
    tell: UnboundedSender<Input>,
    inputs: UnboundedReceiver<Input>,
    topic: String,
    owned: HashMap<i32, Owned<S>>,
    /// Workers on their way back from a transaction or an opening.
    returning: Returning<S>,
    status: Arc<Mutex<GroupStatus>>,
    generations: u64,
    held: bool,
    /// The client has lost all brokers since the partitions were opened.
    suspicious: bool,
}

impl<S: Projection> Group<S>
where
    S::Change: Send + Sync,
    S::Key: Send + Sync,
    S::Outcome: Send + Sync,
{
    /// Joins the group.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn join(
        config: Config,
        db: DatabaseConnection,
        status: Arc<Mutex<GroupStatus>>,
    ) -> KafkaResult<Self> {
        let topic = S::TOPIC.name(&config.topic_prefix);
        let (tell, inputs) = unbounded_channel();
        let producer = kafka::producer(&config.kafka, &config.instance, 0, DEAD_LETTER_QUEUE);
        let dead_letters = DeadLetters::new(&producer, S::TOPIC, &config.topic_prefix, S::GROUP)?;
        let consumer = client::connect(&config, S::GROUP, &topic, tell.clone())?;
        Ok(Self {
            config,
            db,
            consumer,
            dead_letters,
            tell,
            inputs,
            topic,
            owned: HashMap::new(),
            returning: Arc::default(),
            status,
            generations: 0,
            held: false,
            suspicious: false,
        })
    }

    /// Works until shutdown.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), GroupError> {
        let ended = loop {
            let full = self.owned.values().any(|owned| owned.waiting.len() >= limits::MAX_WAITING_RECORDS);
            let step = tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                Some(input) = self.inputs.recv() => Step::Input(input),
                polled = self.consumer.recv(), if !full => Step::Polled(polled.map(|message| queued(&message))),
            };
            let done = match step {
                Step::Input(input) => self.handle(input),
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
            return Err(GroupError::Client { group: S::GROUP, source });
        }
        tracing::debug!(error = %source, group = S::GROUP, "the client lost its broker");
        self.suspicious |= source.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        Ok(())
    }

    /// The log that answers again may hold another history, and Kafka does not say so: opening checks it.
    fn open_all_again(&mut self) {
        self.suspicious = false;
        let following = |phase: &Phase<S>| matches!(phase, Phase::Opening | Phase::Idle(_) | Phase::Busy);
        let again = self.owned.iter().filter(|(_, owned)| following(&owned.phase));
        let again: Vec<i32> = again.map(|(partition, _)| *partition).collect();
        self.pause(&again);
        again.into_iter().for_each(|partition| self.open(partition));
    }

    fn queue(&mut self, (partition, record): (i32, RawRecord)) {
        if self.suspicious {
            self.open_all_again(); // This record comes again, after the seek.
            return;
        }
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        if !matches!(owned.phase, Phase::Idle(_) | Phase::Busy) || record.offset < owned.next {
            return; // From before a seek, or of a partition that waits.
        }
        if record.offset > owned.next {
            let reason = format!("the log jumps from offset {} to {}", owned.next, record.offset);
            self.stop(partition, reason);
            return;
        }
        owned.next = record.offset + 1;
        owned.waiting.push(record);
    }

    /// Gives every resting worker what waits for it.
    fn dispatch(&mut self) {
        let limit = self.config.batch_records.clamp(1, limits::MAX_BATCH_RECORDS);
        for (&partition, owned) in &mut self.owned {
            if owned.waiting.is_empty() || !matches!(owned.phase, Phase::Idle(_)) {
                continue;
            }
            let Phase::Idle(mut worker) = std::mem::replace(&mut owned.phase, Phase::Busy) else { continue };
            let rest = owned.waiting.split_off(owned.waiting.len().min(limit));
            let batch = std::mem::replace(&mut owned.waiting, rest);
            let (tell, returning, generation) = (self.tell.clone(), self.returning.clone(), owned.generation);
            tokio::spawn(async move {
                let finished = worker.apply(&batch).await;
                returning.lock().insert((partition, generation), *worker);
                let _ = tell.send(Input::Finished(partition, generation, finished));
            });
        }
    }

    fn handle(&mut self, input: Input) -> Result<(), GroupError> {
        match input {
            Input::Rebalance(Rebalance::Assigned(partitions)) => {
                tracing::info!(group = S::GROUP, ?partitions, "assigned");
                partitions.into_iter().for_each(|partition| self.take(partition));
            }
            Input::Rebalance(Rebalance::Revoked(partitions)) => {
                tracing::info!(group = S::GROUP, ?partitions, "revoked");
                for partition in partitions {
                    self.owned.remove(&partition);
                    let mut status = self.status.lock();
                    status.next_offsets.remove(&partition);
                    if status.stopped.remove(&partition).is_some() {
                        metrics::gauge!(metric::STOPPED_PARTITIONS, "group" => S::GROUP).decrement(1.0);
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
            Input::Reopen(partition, generation) => {
                if self.is_current(partition, generation) && !self.held {
                    self.open(partition);
                }
            }
        }
        Ok(())
    }

    fn is_current(&self, partition: i32, generation: u64) -> bool {
        self.owned.get(&partition).is_some_and(|owned| owned.generation == generation)
    }

    fn take(&mut self, partition: i32) {
        let owned = Owned { phase: Phase::Held, generation: 0, next: 0, waiting: Vec::new() };
        self.owned.insert(partition, owned);
        if !self.held {
            self.open(partition);
        }
    }

    /// Claims and checks a partition in the background; it stays paused meanwhile.
    fn open(&mut self, partition: i32) {
        self.generations += 1;
        let generation = self.generations;
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        (owned.phase, owned.generation) = (Phase::Opening, generation);
        owned.waiting.clear();
        let (config, db, tell) = (self.config.clone(), self.db.clone(), self.tell.clone());
        let (dead_letters, returning) = (self.dead_letters.clone(), self.returning.clone());
        tokio::spawn(async move {
            let result = opening::open::<S>(&config, &db, partition).await;
            let result = result.map(|(opened, place): (Opened, Place<S>)| {
                let worker = Worker::new(config, db, dead_letters, partition, place);
                returning.lock().insert((partition, generation), worker);
                opened
            });
            let _ = tell.send(Input::Opened(partition, generation, Box::new(result)));
        });
    }

    fn opened(
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
            (Ok(Opened { place }), Some(worker)) => {
                if let Err(error) = self.start_at(partition, place.next_offset) {
                    tracing::warn!(%error, group = S::GROUP, partition, "seeking failed; opening again");
                    self.later(partition, generation);
                    return Ok(());
                }
                self.note(partition, place.next_offset);
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.next = place.next_offset;
                    owned.phase = Phase::Idle(Box::new(worker));
                }
                tracing::info!(
                    group = S::GROUP,
                    partition,
                    offset = place.next_offset,
                    epoch = place.epoch,
                    "opened"
                );
            }
            (Err(NotOpened::Outage(reason)), _) => self.hold(&reason),
            (Err(NotOpened::LogUnavailable(error)), _) => {
                tracing::warn!(%error, group = S::GROUP, partition, "the log cannot be read; opening again");
                self.later(partition, generation);
            }
            (Err(NotOpened::Stop(reason)), _) => self.stop(partition, reason),
            (Err(NotOpened::AnotherHistory(reason)), _) => return Err(GroupError::AnotherHistory(reason)),
            (Ok(_), None) => self.later(partition, generation),
        }
        Ok(())
    }

    /// Lets a partition flow from `offset`.
    fn start_at(&self, partition: i32, offset: u64) -> KafkaResult<()> {
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

    fn list(&self, partitions: &[i32]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        Ok(list)
    }

    fn later(&mut self, partition: i32, generation: u64) {
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.phase = Phase::Held;
        }
        let tell = self.tell.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limits::REOPEN_PAUSE).await;
            let _ = tell.send(Input::Reopen(partition, generation));
        });
    }

    fn finished(&mut self, partition: i32, generation: u64, finished: Finished) {
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
            }
            (Finished::Stopped(next, reason), _) => {
                self.note(partition, next);
                self.stop(partition, format!("at offset {next}: {reason}"));
            }
            (Finished::Outage(reason), _) => self.hold(&reason),
            (Finished::Lost, _) => {
                tracing::warn!(
                    group = S::GROUP,
                    partition,
                    "another instance claimed the partition; nothing was written"
                );
                self.pause(&[partition]);
                self.later(partition, generation);
            }
            (Finished::Fatal(reason), _) => self.stop(partition, reason),
            (Finished::Committed(_), None) => self.later(partition, generation),
        }
    }

    /// Shows how far MySQL is.
    fn note(&self, partition: i32, next: u64) {
        self.status.lock().next_offsets.insert(partition, next);
        metrics::gauge!(metric::NEXT_OFFSET, "group" => S::GROUP, "topic" => self.topic.clone(), "partition" => partition.to_string())
            .set(next as f64);
    }

    fn stop(&mut self, partition: i32, reason: String) {
        tracing::error!(group = S::GROUP, topic = %self.topic, partition, reason, "partition stopped; nothing is skipped");
        metrics::gauge!(metric::STOPPED_PARTITIONS, "group" => S::GROUP).increment(1.0);
        self.pause(&[partition]);
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.phase = Phase::Stopped;
            owned.waiting.clear();
        }
        self.status.lock().stopped.insert(partition, reason);
    }

    fn pause(&self, partitions: &[i32]) {
        if let Err(error) = self.list(partitions).and_then(|list| self.consumer.pause(&list)) {
            tracing::warn!(%error, group = S::GROUP, ?partitions, "pausing failed");
        }
    }

    /// The database is away: this instance holds all its partitions, throws its partial states away and probes.
    fn hold(&mut self, reason: &str) {
        if self.held {
            return;
        }
        self.held = true;
        tracing::warn!(group = S::GROUP, reason, "the database is away; holding until it answers");
        metrics::gauge!(metric::DATABASE_HOLD, "group" => S::GROUP).set(1.0);
        self.status.lock().held = Some(reason.to_owned());
        let mut partitions = Vec::new();
        for (partition, owned) in &mut self.owned {
            if !matches!(owned.phase, Phase::Stopped) {
                // A new generation: whatever is still on its way back belongs to a state that is gone.
                self.generations += 1;
                (owned.phase, owned.generation) = (Phase::Held, self.generations);
                owned.waiting.clear();
                partitions.push(*partition);
            }
        }
        self.pause(&partitions);
        let (db, tell) = (self.db.clone(), self.tell.clone());
        tokio::spawn(async move {
            // Also before the first probe: a server that answers and yet fails must not make this spin.
            loop {
                tokio::time::sleep(limits::PROBE_INTERVAL).await;
                if is_writable(&db).await {
                    break;
                }
            }
            let _ = tell.send(Input::DatabaseIsBack);
        });
    }

    fn release(&mut self) {
        self.held = false;
        self.status.lock().held = None;
        metrics::gauge!(metric::DATABASE_HOLD, "group" => S::GROUP).set(0.0);
        tracing::info!(group = S::GROUP, "the database answers again");
        let held: Vec<i32> = self
            .owned
            .iter()
            .filter(|(_, owned)| matches!(owned.phase, Phase::Held))
            .map(|(partition, _)| *partition)
            .collect();
        held.into_iter().for_each(|partition| self.open(partition));
    }

    /// Lets running transactions finish, then leaves the group.
    async fn leave(mut self) {
        let deadline = tokio::time::Instant::now() + limits::DRAIN;
        while self.owned.values().any(|owned| matches!(owned.phase, Phase::Busy)) {
            match tokio::time::timeout_at(deadline, self.inputs.recv()).await {
                Ok(Some(Input::Finished(partition, generation, finished))) => {
                    self.finished(partition, generation, finished);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    tracing::warn!(group = S::GROUP, "a transaction was running at the drain's deadline");
                    break;
                }
            }
        }
        // Closing blocks; nothing of an assignment may be alive any more, or it would block for ever.
        let consumer = self.consumer;
        let closed = tokio::task::spawn_blocking(move || drop(consumer));
        if tokio::time::timeout(limits::DRAIN, closed).await.is_err() {
            tracing::warn!(group = S::GROUP, "the client did not close in time");
        }
    }
}

/// Room for dead letters on their way to the brokers.
const DEAD_LETTER_QUEUE: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 8_000, queue_messages: 1_000, queue_kbytes: 16_384 };

enum Step {
    Input(Input),
    Polled(KafkaResult<(i32, RawRecord)>),
}

fn queued(message: &BorrowedMessage<'_>) -> (i32, RawRecord) {
    (message.partition(), raw(message).to_owned())
}

/// Whether the server answers and takes writes.
async fn is_writable(db: &DatabaseConnection) -> bool {
    let ask = "SELECT @@global.read_only + @@global.super_read_only AS locked";
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, ask);
    let asked = tokio::time::timeout(limits::DATABASE_TIMEOUT, db.query_one_raw(statement)).await;
    matches!(asked, Ok(Ok(Some(row))) if row.try_get::<i64>("", "locked").is_ok_and(|locked| locked == 0))
}

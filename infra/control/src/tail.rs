//! Reads the three topics to their ends and stays there. Until `control` was read to its end nobody knows what is
//! wanted, so there is no state, and whoever waits for one must rest.

use crate::{
    State,
    acks::Reports,
    audit::Operations,
    clock::{Hearing, LogClock},
    limits,
    skew::{Skew, wall_ms},
    topics::{self, ACKS, AUDIT, CONTROL},
};
use chassis::{kafka::ReadsToTheEnd, log_reader::bounds};
use parking_lot::RwLock;
use rdkafka::{
    ClientConfig, Message, Offset, Timestamp, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// What is known.
#[derive(Clone)]
pub struct View {
    state: watch::Receiver<Option<Arc<State>>>,
    reports: Arc<RwLock<Reports>>,
    operations: Arc<RwLock<Operations>>,
    clock: Arc<RwLock<LogClock>>,
    /// Counts whatever came.
    changes: watch::Receiver<u64>,
    trouble: Arc<RwLock<Option<String>>>,
}

impl View {
    /// What is wanted; nothing until it was read once.
    #[must_use]
    pub fn state(&self) -> Option<Arc<State>> {
        self.state.borrow().clone()
    }

    /// What is wanted, as it changes.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.state.clone()
    }

    /// What instances say.
    #[must_use]
    pub fn reports(&self) -> Reports {
        self.reports.read().clone()
    }

    /// Waits until it is known what is wanted; `None` where that takes longer.
    pub async fn first(&self, patience: Duration) -> Option<Arc<State>> {
        let mut states = self.state.clone();
        let known = states.wait_for(Option::is_some);
        let known = tokio::time::timeout(patience, known).await;
        known.ok()?.ok()?.clone()
    }

    /// See [`Reports::is_known_quiet`].
    #[must_use]
    pub fn is_known_quiet(&self, group: &str, partition: i32, epoch: u64) -> bool {
        self.reports.read().is_known_quiet(group, partition, epoch)
    }

    /// See [`LogClock::stamped_ms`].
    #[must_use]
    pub fn stamped_ms(&self) -> Option<i64> {
        self.clock.read().stamped_ms()
    }

    /// See [`LogClock::now_ms`].
    #[must_use]
    pub fn known_now_ms(&self) -> Option<i64> {
        self.clock.read().now_ms(Instant::now())
    }

    /// The brokers' time, as well as it is known: for what is told, and for who is still heard of. Whatever was read cannot be
    /// older than what stood there.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        let clock = self.clock.read();
        clock.now_ms(Instant::now()).or_else(|| clock.stamped_ms()).unwrap_or_else(wall_ms)
    }

    /// What was asked for.
    pub fn operations<T>(&self, look: impl FnOnce(&Operations) -> T) -> T {
        look(&self.operations.read())
    }

    /// Ends a wait whenever something came.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Why it cannot be read just now.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.read().clone()
    }
}

/// What is wanted just now, for tools that look once; blocking.
///
/// # Errors
/// Why it cannot be read.
pub fn read_now(settings: &ClientConfig, prefix: &str) -> Result<Arc<State>, NotRead> {
    let tail = Tail::start(settings, prefix).map_err(|error| NotRead(error.to_string()))?;
    let began = std::time::Instant::now();
    loop {
        if let Some(state) = tail.view.state() {
            return Ok(state);
        }
        if began.elapsed() > limits::FIRST_READ {
            return Err(NotRead(
                tail.view.trouble().unwrap_or_else(|| "the brokers do not answer".to_owned()),
            ));
        }
        std::thread::sleep(limits::FIRST_POLL);
    }
}

/// Topic `control` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("topic control was not read: {0}")]
pub struct NotRead(String);

/// The reading thread; dropping it ends it.
pub struct Tail {
    view: View,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Reading {
    settings: ClientConfig,
    prefix: String,
    state: watch::Sender<Option<Arc<State>>>,
    reports: Arc<RwLock<Reports>>,
    operations: Arc<RwLock<Operations>>,
    clock: Arc<RwLock<LogClock>>,
    changes: watch::Sender<u64>,
    trouble: Arc<RwLock<Option<String>>>,
    ended: Arc<AtomicBool>,
}

impl Tail {
    /// Begins to read, from settings of `kafka::reader`.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn start(settings: &ClientConfig, prefix: &str) -> std::io::Result<Self> {
        let mut settings = settings.clone();
        settings
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            // The last records of a compacted topic may be gone: begin anew where it is cut.
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .set("topic.metadata.refresh.interval.ms", "5000");
        let (state, states) = watch::channel(None);
        let (changes, changed) = watch::channel(0);
        let view = View {
            state: states,
            reports: Arc::default(),
            operations: Arc::default(),
            clock: Arc::new(RwLock::new(LogClock::new(Instant::now()))),
            changes: changed,
            trouble: Arc::default(),
        };
        let ended = Arc::new(AtomicBool::new(false));
        let reading = Reading {
            settings,
            prefix: prefix.to_owned(),
            state,
            reports: view.reports.clone(),
            operations: view.operations.clone(),
            clock: view.clock.clone(),
            changes,
            trouble: view.trouble.clone(),
            ended: ended.clone(),
        };
        let thread = std::thread::Builder::new().name("control-tail".into()).spawn(move || reading.run())?;
        Ok(Self { view, ended, thread: Some(thread) })
    }

    /// What is known.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Reading {
    fn run(self) {
        while !self.ended.load(Ordering::Relaxed) {
            if let Err(error) = self.follow() {
                self.note(Some(error.to_string()));
                std::thread::sleep(limits::READ_RETRY);
            }
        }
    }

    fn follow(&self) -> KafkaResult<()> {
        let consumer: BaseConsumer<ReadsToTheEnd> = self.settings.create_with_context(ReadsToTheEnd)?;
        let names = [CONTROL, ACKS, AUDIT].map(|topic| topics::name(&self.prefix, topic));
        for name in &names {
            let metadata = consumer.fetch_metadata(Some(name), limits::CALL)?;
            if metadata.topics().first().is_none_or(|topic| topic.partitions().is_empty()) {
                self.note(Some(format!("topic {name} is missing: run `consumers init`")));
                std::thread::sleep(limits::READ_RETRY);
                return Ok(());
            }
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&names[0], 0, Offset::Beginning)?;
        list.add_partition_offset(&names[1], 0, Offset::Beginning)?;
        list.add_partition_offset(&names[2], 0, Offset::OffsetTail(limits::MAX_OPERATIONS as i64))?;
        consumer.assign(&list)?;
        let mut state = State::default();
        let (mut skew, mut hearing) = (Skew::new(), Hearing::Backlog);
        let (mut is_whole, mut heard) = (false, Instant::now());
        while !self.ended.load(Ordering::Relaxed) {
            let polled = consumer.poll(limits::TAIL_POLL);
            if matches!(polled, Some(Ok(_) | Err(KafkaError::PartitionEOF(_)))) {
                heard = Instant::now();
            } else if heard.elapsed() > limits::TAIL_SILENCE {
                // Every process reports more often than that, this one too. Seen after a broker had been frozen several
                // times: the client had its connections back and fetched no more.
                tracing::warn!("control was silent for {:?}; reading it anew", limits::TAIL_SILENCE);
                return Ok(());
            }
            match polled {
                Some(Ok(message)) if message.topic() == names[0] => {
                    let key = String::from_utf8_lossy(message.key().unwrap_or_default());
                    state.apply(message.offset().unsigned_abs(), &key, message.payload());
                    if is_whole {
                        self.publish(&state);
                    }
                }
                Some(Ok(message)) if message.topic() == names[1] => {
                    self.hear(&message, hearing);
                    skew.tell(&self.clock.read());
                }
                Some(Ok(message)) => self.list(&message),
                // Of which of the three it is, only the position says.
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.operations.write().reached(position(&consumer, &names[2]));
                    if !is_whole && self.is_whole(&consumer, &names[0]) {
                        is_whole = true;
                        state.begin();
                    }
                    if is_whole {
                        state.reached(position(&consumer, &names[0]));
                        self.publish(&state);
                    }
                    if hearing == Hearing::Backlog && self.is_whole(&consumer, &names[1]) {
                        hearing = Hearing::Live;
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "the tail of control lost its broker");
                    self.note(Some(error.to_string()));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Whether everything was read that stands there now.
    fn is_whole(&self, consumer: &BaseConsumer<ReadsToTheEnd>, topic: &str) -> bool {
        match bounds(consumer, topic, 0, limits::CALL) {
            Ok((low, high)) => low == high || position(consumer, topic) >= high,
            Err(error) => {
                self.note(Some(error.to_string()));
                false
            }
        }
    }

    /// A report. One without an append time is as old as can be: it moves no clock, and nobody counts on it.
    fn hear(&self, message: &BorrowedMessage<'_>, hearing: Hearing) {
        let key = String::from_utf8_lossy(message.key().unwrap_or_default());
        let appended_ms = match message.timestamp() {
            Timestamp::LogAppendTime(ms) => {
                self.clock.write().hear(ms, hearing, Instant::now());
                ms
            }
            Timestamp::CreateTime(_) | Timestamp::NotAvailable => 0,
        };
        self.reports.write().apply(&key, message.payload(), appended_ms);
        self.changes.send_modify(|count| *count += 1);
    }

    /// An operation.
    fn list(&self, message: &BorrowedMessage<'_>) {
        self.operations.write().apply(message.offset().unsigned_abs(), message.payload());
        self.changes.send_modify(|count| *count += 1);
    }

    fn publish(&self, state: &State) {
        self.note(None);
        let is_new = self.state.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(state);
            if is_new {
                *known = Some(Arc::new(state.clone()));
            }
            is_new
        });
        if is_new {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn note(&self, trouble: Option<String>) {
        let mut known = self.trouble.write();
        if *known != trouble {
            if let Some(trouble) = &trouble {
                tracing::warn!(trouble, "control cannot be read");
            }
            *known = trouble;
        }
    }
}

/// Offset of the next record; 0 where nothing was read yet.
fn position(consumer: &BaseConsumer<ReadsToTheEnd>, topic: &str) -> u64 {
    let positions = consumer.position().ok();
    let found = positions.as_ref().and_then(|positions| positions.find_partition(topic, 0));
    match found.map(|found| found.offset()) {
        Some(Offset::Offset(next)) => next.unsigned_abs(),
        _ => 0,
    }
}

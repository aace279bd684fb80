//! One partition in memory: its fold, who waits for an answer, who waits until it has caught up.
//!
//! A lock is held for one record or one look, never across an await.

use domain::{Decision, Fold, Input, LogPosition, Undecided, Verdict, fold::State};
use parking_lot::Mutex;
use schemas::{Fingerprint, Uuid};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};

/// What identifies a request in the log.
pub type Envelope = (Uuid, Option<Fingerprint>);

/// The fold's answer to a request.
#[derive(Clone, Debug)]
pub struct Answer<O> {
    /// What came of it.
    pub verdict: Verdict<O>,
    /// Whether an earlier record decided it.
    pub replayed: bool,
    /// Offset of the record that this answer was taken from; `None` where no record was appended for it.
    pub offset: Option<u64>,
}

/// What the brokers said of one record.
#[derive(Debug)]
pub struct Acknowledgement {
    /// Its offset; `u64::MAX` until they said so.
    offset: AtomicU64,
    said: Notify,
}

impl Default for Acknowledgement {
    fn default() -> Self {
        Self { offset: AtomicU64::new(u64::MAX), said: Notify::new() }
    }
}

impl Acknowledgement {
    /// The brokers have it.
    pub fn set(&self, offset: u64) {
        self.offset.store(offset, Ordering::Release);
        self.said.notify_one();
    }

    /// The record's own offset, once it is known.
    pub fn offset(&self) -> Option<u64> {
        Some(self.offset.load(Ordering::Acquire)).filter(|offset| *offset != u64::MAX)
    }

    /// The same, waiting a little for it.
    pub async fn offset_within(&self, patience: Duration) -> Option<u64> {
        if self.offset().is_none() {
            let _ = tokio::time::timeout(patience, self.said.notified()).await;
        }
        self.offset()
    }
}

/// Why a record will not be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The broker did not confirm it; it may be in the log or not.
    Undelivered,
    /// The partition is stopped.
    Stopped(Arc<str>),
}

type Reply<O> = oneshot::Sender<Result<Answer<O>, Unanswered>>;

struct Waiter<O> {
    token: u64,
    handed_at: Instant,
    acknowledged: Arc<Acknowledgement>,
    reply: Reply<O>,
}

/// A registered wait.
pub struct Wait<O> {
    /// Resolves once the record was folded, or will not be.
    pub answer: oneshot::Receiver<Result<Answer<O>, Unanswered>>,
    /// What the brokers say of the record.
    pub acknowledged: Arc<Acknowledgement>,
    /// Names this wait among those of the same request.
    pub token: u64,
}

struct Inner<S: State> {
    fold: Fold<S>,
    waiters: HashMap<Envelope, Vec<Waiter<S::Outcome>>>,
    catching_up: Vec<(u64, oneshot::Sender<()>)>,
    next_token: u64,
    fresh_at: Option<Instant>,
    folded_at: Instant,
    /// Everything below was delivered, or never will be: behind the last record may stand markers of transactions.
    reached: u64,
    stopped: Option<Arc<str>>,
}

/// Sees a decision that was applied, before anybody is answered; must be quick.
pub type Watch<S> = Box<dyn Fn(&Decision<<S as State>::Outcome>) + Send + Sync>;

/// See the module.
pub struct Cell<S: State> {
    partition: i32,
    watch: Option<Watch<S>>,
    inner: Mutex<Inner<S>>,
}

impl<S: State> Cell<S> {
    /// Around a fold that stands at offset 0.
    pub fn new(partition: i32, fold: Fold<S>) -> Self {
        let inner = Inner {
            fold,
            waiters: HashMap::new(),
            catching_up: Vec::new(),
            next_token: 0,
            fresh_at: None,
            folded_at: Instant::now(),
            reached: 0,
            stopped: None,
        };
        Self { partition, watch: None, inner: Mutex::new(inner) }
    }

    /// Shows every decision to `watch`.
    #[must_use]
    pub fn watched(self, watch: Watch<S>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Which partition.
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// Looks at the fold.
    pub fn look<T>(&self, look: impl FnOnce(&Fold<S>) -> T) -> T {
        look(&self.inner.lock().fold)
    }

    /// Why the partition is stopped, if it is.
    pub fn stopped(&self) -> Option<Arc<str>> {
        self.inner.lock().stopped.clone()
    }

    /// Folds what stands at `at` and answers those who asked for it. The decision, or why the partition stops here.
    ///
    /// # Errors
    /// The partition is stopped from now on; the reason is for the operator.
    pub fn apply(&self, at: LogPosition, input: Input<'_>) -> Result<Decision<S::Outcome>, Arc<str>> {
        let mut inner = self.inner.lock();
        if let Some(reason) = &inner.stopped {
            return Err(reason.clone());
        }
        let decision = match inner.fold.decide(at, input) {
            Ok(decision) => decision,
            Err(Undecided::UnknownRules(version)) => {
                let reason =
                    format!("rules version {version} at offset {} is newer than this binary", at.offset);
                return Err(inner.stop(reason.into()));
            }
            Err(Undecided::Missing(keys)) => {
                let reason = format!("a full state misses {keys:?} at offset {}: a bug", at.offset);
                return Err(inner.stop(reason.into()));
            }
            Err(Undecided::Contradiction(found)) => {
                let reason =
                    format!("a full state contradicts itself at offset {}: {found}: a bug", at.offset);
                return Err(inner.stop(reason.into()));
            }
        };
        inner.fold.evolve(&decision);
        inner.folded_at = Instant::now();
        if let Some(watch) = &self.watch {
            watch(&decision);
        }
        inner.wake(&decision);
        Ok(decision)
    }

    /// Stops the partition: nothing is folded past this point, and nobody is left waiting.
    pub fn stop(&self, reason: Arc<str>) -> Arc<str> {
        self.inner.lock().stop(reason)
    }

    /// The partition may be folded again, from where it stopped.
    pub fn go_on(&self) {
        self.inner.lock().stopped = None;
    }

    /// Waits for the answer to a request; called before the record is handed to the producer.
    ///
    /// # Errors
    /// Why the partition is stopped.
    pub fn register(&self, envelope: Envelope) -> Result<Wait<S::Outcome>, Arc<str>> {
        let mut inner = self.inner.lock();
        if let Some(reason) = &inner.stopped {
            return Err(reason.clone());
        }
        let (reply, answer) = oneshot::channel();
        let token = inner.next_token;
        inner.next_token += 1;
        let acknowledged = Arc::<Acknowledgement>::default();
        let waiter = Waiter { token, handed_at: Instant::now(), acknowledged: acknowledged.clone(), reply };
        inner.waiters.entry(envelope).or_default().push(waiter);
        Ok(Wait { answer, acknowledged, token })
    }

    /// Ends a wait without an answer from the fold.
    pub fn fail(&self, envelope: Envelope, token: u64, why: Unanswered) {
        let Some(waiter) = self.inner.lock().take(envelope, token) else { return };
        let _ = waiter.reply.send(Err(why));
    }

    /// Forgets a wait that nobody awaits any more.
    pub fn forget(&self, envelope: Envelope, token: u64) {
        self.inner.lock().take(envelope, token);
    }

    /// Resolves once everything below `end` is folded; `None` where it is already.
    pub fn caught_up(&self, end: u64) -> Option<oneshot::Receiver<()>> {
        let mut inner = self.inner.lock();
        if inner.reached() >= end {
            return None;
        }
        inner.catching_up.retain(|(_, waiting)| !waiting.is_closed());
        let (tell, told) = oneshot::channel();
        inner.catching_up.push((end, tell));
        Some(told)
    }

    /// The reader has come to here, where the log ends.
    pub fn reach(&self, position: u64) {
        let mut inner = self.inner.lock();
        // Of a partition that stopped nothing is folded behind the place where it did.
        if inner.stopped.is_none() && position > inner.reached {
            inner.reached = position;
            inner.wake_up_to(position);
        }
    }

    /// Up to where everything is folded that is delivered.
    pub fn reached(&self) -> u64 {
        self.inner.lock().reached()
    }

    /// Records that everything the log held at `since` is folded.
    pub fn fresh_since(&self, since: Instant) {
        let mut inner = self.inner.lock();
        inner.fresh_at = inner.fresh_at.max(Some(since));
    }

    /// Whether the fold is known to have held, less than `age` ago, all that the log held then.
    pub fn is_fresh(&self, age: Duration) -> bool {
        self.inner.lock().fresh_at.is_some_and(|at| at.elapsed() <= age)
    }

    /// How long nothing was folded.
    pub fn idle_for(&self) -> Duration {
        self.inner.lock().folded_at.elapsed()
    }

    /// Next offset to fold.
    pub fn next_offset(&self) -> u64 {
        self.inner.lock().fold.header().next_offset
    }
}

impl<S: State> Inner<S> {
    fn stop(&mut self, reason: Arc<str>) -> Arc<str> {
        for (_, waiters) in self.waiters.drain() {
            for waiter in waiters {
                let _ = waiter.reply.send(Err(Unanswered::Stopped(reason.clone())));
            }
        }
        self.stopped = Some(reason.clone());
        reason
    }

    fn take(&mut self, envelope: Envelope, token: u64) -> Option<Waiter<S::Outcome>> {
        let waiters = self.waiters.get_mut(&envelope)?;
        let at = waiters.iter().position(|waiter| waiter.token == token)?;
        let waiter = waiters.swap_remove(at);
        if waiters.is_empty() {
            self.waiters.remove(&envelope);
        }
        Some(waiter)
    }

    fn reached(&self) -> u64 {
        self.reached.max(self.fold.header().next_offset)
    }

    fn wake_up_to(&mut self, next: u64) {
        for (_, waiting) in self.catching_up.extract_if(.., |(end, _)| *end <= next) {
            let _ = waiting.send(());
        }
    }

    fn wake(&mut self, decision: &Decision<S::Outcome>) {
        if !self.catching_up.is_empty() {
            self.wake_up_to(decision.at.offset + 1);
        }
        let Some(envelope) = decision.envelope else { return };
        let Some(waiters) = self.waiters.remove(&envelope) else { return };
        let offset = decision.at.offset;
        for waiter in waiters {
            // Several attempts may carry one envelope, also from other processes: whose record this is, only the
            // brokers' word tells, and only the own record proves how fresh the fold is.
            let own = waiter.acknowledged.offset();
            if own == Some(offset) {
                self.fresh_at = self.fresh_at.max(Some(waiter.handed_at));
            }
            let replayed = decision.verdict == Verdict::Replayed || own.is_some_and(|own| own != offset);
            let answer = Answer { verdict: decision.answer().clone(), replayed, offset: Some(offset) };
            let _ = waiter.reply.send(Ok(answer));
        }
    }
}

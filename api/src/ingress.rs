//! The way of a request: wait registered, record appended, own record read back, fold's answer.
//!
//! Nothing here decides. A 201 is given only for a record that was read back below the high watermark.

use crate::{
    log::{
        cell::{Acknowledgement, Answer, Cell, Envelope, Unanswered},
        producer::{Appender, Delivery, NotTaken},
        read_index::ReadIndex,
        topic_log::TopicLog,
    },
    metric,
    waits::Waits,
};
use arc_swap::ArcSwap;
use domain::{accounts::Accounts, coupons::Coupons, fold::State, shop::Shop};
use schemas::{Record, Topic, Uuid, codec::Codec};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Why a request got no answer from the fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Too much at once: not appended.
    Overloaded,
    /// The brokers did not confirm: the same request is safe to repeat.
    OutcomeUnknown,
    /// The brokers have it, the answer is not known yet.
    Pending {
        /// Names the record's partition.
        topic: Topic,
        /// Partition.
        partition: i32,
        /// Event id.
        event_id: Uuid,
    },
    /// The fold could not be brought up to date in time.
    NotFresh,
    /// The partition is stopped.
    Stopped(Arc<str>),
    /// A record that could not be encoded: a bug or a limit.
    Unwritable(String),
}

/// The request logs and the means to append to them.
pub struct Ingress {
    /// `signup`.
    pub accounts: TopicLog<Accounts>,
    /// `coupon`.
    pub coupons: TopicLog<Coupons>,
    /// `order`.
    pub shop: TopicLog<Shop>,
    /// What to encode with now.
    pub codec: Arc<ArcSwap<Codec>>,
    /// The producer.
    pub appender: Arc<Appender>,
    /// Where the log ends.
    pub read_index: ReadIndex,
    /// Requests waiting for their record.
    pub in_flight: Arc<AtomicUsize>,
    /// How many may wait at once.
    pub max_in_flight: usize,
    /// For how long a request waits.
    pub waits: Waits,
    /// From the hand-over to the producer until the fold answered.
    pub decide_seconds: metrics::Histogram,
    /// Set where the log turned out to be shorter than what was folded.
    pub truncated: Arc<dyn Fn(String) + Send + Sync>,
}

/// One of `max_in_flight` places.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Tells one wait what became of its record.
struct Notice<S: State> {
    log: TopicLog<S>,
    partition: i32,
    envelope: Envelope,
    token: u64,
    acknowledged: Arc<Acknowledgement>,
}

impl<S: State + Send + 'static> Delivery for Notice<S>
where
    S::Outcome: Send,
{
    fn acknowledged(&self, offset: u64) {
        self.acknowledged.set(offset);
    }

    fn failed(&self) {
        self.log.cell(self.partition).fail(self.envelope, self.token, Unanswered::Undelivered);
    }
}

/// A wait that is forgotten when its request goes away.
struct Forget<'a, S: State>(&'a Cell<S>, Envelope, u64);

impl<S: State> Drop for Forget<'_, S> {
    fn drop(&mut self) {
        self.0.forget(self.1, self.2);
    }
}

impl Ingress {
    /// Appends a record and waits for the fold's answer.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn submit<S>(
        &self,
        log: &TopicLog<S>,
        partition: i32,
        record: &Record,
    ) -> Result<Answer<S::Outcome>, Failure>
    where
        S: State + Send + 'static,
        S::Outcome: Send,
    {
        let _place = self.place()?;
        let envelope = record.envelope();
        let mut payload = Vec::with_capacity(96);
        self.codec.load().encode(record, &mut payload).map_err(|e| Failure::Unwritable(e.to_string()))?;
        let cell = log.cell(partition);
        let wait = cell.register(envelope).map_err(Failure::Stopped)?;
        let _forget = Forget(cell, envelope, wait.token);
        let notice = Notice {
            log: log.clone(),
            partition,
            envelope,
            token: wait.token,
            acknowledged: wait.acknowledged.clone(),
        };
        let began = Instant::now();
        match self.appender.append(log.name(), partition, &payload, Box::new(notice)) {
            Ok(()) => {}
            Err(NotTaken::QueueFull) => return Err(shed("queue_full")),
            Err(NotTaken::Refused(reason)) => {
                tracing::error!(reason, topic = %log.name(), "the producer refuses records");
                return Err(Failure::OutcomeUnknown);
            }
        }
        let pending = Failure::Pending { topic: S::TOPIC, partition, event_id: envelope.0 };
        let answered = await_answer(wait.answer, &wait.acknowledged, (pending, self.waits)).await;
        self.decide_seconds.record(began.elapsed().as_secs_f64());
        let mut answer = answered?;
        if envelope.1.is_some() && !answer.replayed {
            // The record that woke this request may be an earlier attempt of the same client, at another process.
            let own = wait.acknowledged.offset_within(self.waits.acknowledgement()).await;
            answer.replayed = own.is_some() && own != answer.offset;
        }
        Ok(answer)
    }

    fn place(&self) -> Result<Place, Failure> {
        let before = self.in_flight.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.in_flight.clone());
        if before >= self.max_in_flight { Err(shed("in_flight")) } else { Ok(place) }
    }

    /// Makes sure that the partition holds all that the log held when this was called.
    ///
    /// # Errors
    /// `NotFresh` after the limit, or a stopped partition.
    pub async fn read_index<S: State>(&self, log: &TopicLog<S>, partition: i32) -> Result<(), Failure> {
        self.read_index_of(log, &[partition]).await
    }

    /// The same for several partitions, with one question to the brokers.
    ///
    /// # Errors
    /// `NotFresh` after the limit, or a stopped partition.
    pub async fn read_index_of<S: State>(
        &self,
        log: &TopicLog<S>,
        partitions: &[i32],
    ) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + self.waits.read_index();
        let before: Vec<u64> = partitions.iter().map(|&p| log.cell(p).next_offset()).collect();
        let Ok(Some(ends)) = tokio::time::timeout_at(deadline, self.read_index.ends()).await else {
            return Err(Failure::NotFresh);
        };
        for (&partition, before) in partitions.iter().zip(before) {
            let cell = log.cell(partition);
            if let Some(reason) = cell.stopped() {
                return Err(Failure::Stopped(reason));
            }
            let end = ends.ends[index_of(S::TOPIC, partition)];
            if end < before {
                (self.truncated)(format!(
                    "{}-{partition} ends at {end}, below the folded {before}",
                    log.name()
                ));
                return Err(Failure::NotFresh);
            }
            if let Some(waiting) = cell.caught_up(end)
                && !matches!(tokio::time::timeout_at(deadline, waiting).await, Ok(Ok(())))
            {
                return Err(cell.stopped().map_or(Failure::NotFresh, Failure::Stopped));
            }
            cell.fresh_since(ends.started);
        }
        Ok(())
    }

    /// Makes sure that the partition's fold is at most `age` old.
    ///
    /// # Errors
    /// See [`Ingress::read_index`].
    pub async fn fresh<S: State>(
        &self,
        log: &TopicLog<S>,
        partition: i32,
        age: Duration,
    ) -> Result<(), Failure> {
        let cell = log.cell(partition);
        if let Some(reason) = cell.stopped() {
            return Err(Failure::Stopped(reason));
        }
        if cell.is_fresh(age) { Ok(()) } else { self.read_index(log, partition).await }
    }
}

/// Every partition that the read index asks for, in its order.
pub fn partitions(prefix: &str) -> Vec<(String, i32)> {
    Topic::ALL
        .into_iter()
        .flat_map(|topic| (0..topic.partitions()).map(move |p| (topic.name(prefix), p)))
        .collect()
}

fn index_of(topic: Topic, partition: i32) -> usize {
    let before = match topic {
        Topic::Signup => 0,
        Topic::Coupon => Topic::Signup.partitions(),
        Topic::Order => Topic::Signup.partitions() + Topic::Coupon.partitions(),
    };
    (before + partition) as usize
}

fn shed(why: &'static str) -> Failure {
    metrics::counter!(metric::SHED, "reason" => why).increment(1);
    Failure::Overloaded
}

async fn await_answer<O>(
    mut answer: tokio::sync::oneshot::Receiver<Result<Answer<O>, Unanswered>>,
    acknowledged: &Acknowledgement,
    (pending, waits): (Failure, Waits),
) -> Result<Answer<O>, Failure> {
    let began = tokio::time::Instant::now();
    let mut deadline = began + waits.fold();
    loop {
        let acked = || acknowledged.offset().is_some();
        match tokio::time::timeout_at(deadline, &mut answer).await {
            Ok(Ok(Ok(answer))) => return Ok(answer),
            Ok(Ok(Err(Unanswered::Stopped(reason)))) => return Err(Failure::Stopped(reason)),
            Ok(Ok(Err(Unanswered::Undelivered)) | Err(_)) => return Err(Failure::OutcomeUnknown),
            Err(_) if acked() => return Err(pending),
            Err(_) if deadline >= began + waits.answer() => return Err(Failure::OutcomeUnknown),
            Err(_) => deadline = began + waits.answer(),
        }
    }
}

//! Tells the partner of what is due in the partitions that this instance owns, a few at a time, once all that stood in
//! the topic at their opening has been read.
//!
//! It must never tell of a row in a database that was set back. How a dispatch ended is appended to the topic and comes
//! back into its row through the group; until then the lease keeps others away. A lease that ran out is no harm: the
//! key makes two calls one.

use super::{Breaker, Dispatches, Journal, Order, Partner, Refusal, Schedule};
use crate::{
    group::{Activity, OpenPartition, OpenPartitions, Work},
    limits, metric,
    pool::{WriterPool, in_time, in_transaction},
};
use chassis::shutdown::CancellationToken;
use migrations::entity::{
    external_dispatches::{self as dispatches, Again, Model},
    projection_offset::{self as places, Key, Model as Place},
};
use parking_lot::Mutex;
use schemas::{
    Fact, Uuid,
    facts::{DispatchDelivered, DispatchFailed},
};
use sea_orm::DbErr;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// Until the next fact of each partition, with which its group notices and reads the topic anew.
const SET_BACK: &str =
    "MySQL is not where the group left it: it was set back, or another instance has partitions";

/// What the dispatcher says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DispatchStatus {
    /// Why rows wait although they are due.
    pub waits: Option<String>,
    /// The breaker's state.
    pub breaker: &'static str,
    /// Calls under way.
    pub in_flight: usize,
    /// Rows that are to be told, and that were given up; counted now and then.
    pub pending: u64,
    /// See `pending`.
    pub failed: u64,
}

/// What every call has at hand.
struct Desk {
    pool: WriterPool,
    activity: Activity,
    journal: Journal,
    partner: Partner,
    schedule: Schedule,
    breaker: Mutex<Breaker>,
    owner: String,
    open: watch::Receiver<OpenPartitions>,
}

/// A row that this instance has leased.
struct Leased {
    row: Model,
    /// Under which its partition was open.
    epoch: u64,
}

/// See the module.
pub struct Dispatcher {
    desk: Arc<Desk>,
    concurrency: usize,
    lease: Duration,
    open: watch::Receiver<OpenPartitions>,
    status: Arc<Mutex<DispatchStatus>>,
    counted: Option<Instant>,
}

/// What a dispatcher is made of.
pub struct Parts {
    /// For rows and leases.
    pub pool: WriterPool,
    /// Where calls are counted.
    pub activity: Activity,
    /// For how it ended.
    pub journal: Journal,
    /// Whom to tell.
    pub partner: Partner,
    /// When to try again.
    pub schedule: Schedule,
    /// Calls at once.
    pub concurrency: usize,
    /// One call.
    pub timeout: Duration,
    /// This instance's name.
    pub instance: String,
}

impl Dispatcher {
    /// Beside a group whose open partitions are these.
    #[must_use]
    pub fn new(
        parts: Parts,
        open: watch::Receiver<OpenPartitions>,
        status: Arc<Mutex<DispatchStatus>>,
    ) -> Self {
        let Parts { pool, activity, journal, partner, schedule, concurrency, timeout, instance } = parts;
        let breaker = Mutex::new(Breaker::new(schedule.scale(limits::BREAKER_PAUSE)));
        // Another one for each start: what an earlier one leased is not ours.
        let mut owner = format!("{}/{instance}", Uuid::new_v4().simple());
        owner = owner.chars().take(dispatches::OWNER_MAX_CHARS).collect();
        let desk = Desk { pool, activity, journal, partner, schedule, breaker, owner, open: open.clone() };
        Self {
            desk: Arc::new(desk),
            concurrency: concurrency.clamp(1, limits::MAX_PLATFORM_CALLS),
            lease: timeout + limits::LEASE_MARGIN,
            open,
            status,
            counted: None,
        }
    }

    /// Works until shutdown, or until the group is gone.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut calls = JoinSet::new();
        let mut poll = interval(limits::DISPATCH_POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                // What was told of the partition itself is looked at below, in every round.
                changed = self.open.changed() => if changed.is_err() { break },
                Some(_) = calls.join_next(), if !calls.is_empty() => {
                    while calls.try_join_next().is_some() {}
                    // A look is a transaction: not one for every call that ends.
                    if calls.len() > self.concurrency / 2 {
                        continue;
                    }
                }
                _ = poll.tick() => {}
            }
            let waits = match self.begin(&mut calls).await {
                Ok(waits) => waits.map(str::to_owned),
                Err(error) => Some(format!("MySQL does not answer: {error}")),
            };
            self.note(waits, calls.len()).await;
        }
        // Calls under way may end; what does not is told again, under the same key.
        let drained = async { while calls.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::DRAIN, drained).await.is_err() {
            tracing::warn!("calls of the external platform were under way at the drain's deadline");
        }
    }

    /// Begins as many calls as are due and allowed. Returns why not all that are due, where that is not the breaker.
    async fn begin(&self, calls: &mut JoinSet<()>) -> Result<Option<&'static str>, DbErr> {
        // Before the look at the open partitions.
        let within = self.desk.activity.enter();
        let wanted = self.concurrency.saturating_sub(calls.len());
        let permitted = self.desk.breaker.lock().permits(Instant::now(), wanted);
        let (read, unread): (OpenPartitions, OpenPartitions) = {
            let open = self.open.borrow();
            open.iter().partition(|(_, open)| OpenPartition::has_caught_up(open))
        };
        let waits = (!unread.is_empty()).then_some("what stands in the topic is still being read");
        if permitted == 0 || read.is_empty() {
            return Ok(waits);
        }
        let (rows, set_back) = self.lease(&read, permitted as u64).await?;
        for row in rows {
            let (Some(order), Some(open)) = (Order::of(&row), read.get(&row.partition_id)) else {
                // The table's own check and the group forbid it.
                tracing::error!(order = row.order_id, "a pending dispatch without what is to be told");
                continue;
            };
            let leased = Leased { row, epoch: open.epoch };
            self.desk.breaker.lock().begun();
            let (desk, within) = (self.desk.clone(), self.desk.activity.enter());
            calls.spawn(async move {
                desk.dispatch(leased, order).await;
                drop(within);
            });
        }
        drop(within);
        Ok(if set_back { Some(SET_BACK) } else { waits })
    }

    /// Leases what is due; of partitions that MySQL does not hold as the group left them, nothing. Returns whether
    /// there are any.
    async fn lease(&self, open: &OpenPartitions, limit: u64) -> Result<(Vec<Model>, bool), DbErr> {
        let topic = self.desk.journal.topic();
        in_transaction(&self.desk.pool, async |transaction| {
            let places = places::of_group(transaction, Dispatches::GROUP).await?;
            let partitions = held(places.iter().filter(|place| place.topic == topic), open);
            let due = dispatches::longest_due(transaction, &partitions, limit).await?;
            // Whoever was frozen since that look must not lease what is somebody else's by now. What is just being advanced
            // is looked at again when it was.
            let wanted: BTreeSet<i32> = due.iter().map(|(_, partition)| *partition).collect();
            let wanted: Vec<i32> = wanted.into_iter().collect();
            let shared = places::share_idle(transaction, Dispatches::GROUP, &topic, &wanted).await?;
            let shared = held(shared.iter(), open);
            let ids = due.iter().filter(|(_, partition)| shared.contains(partition)).map(|(order, _)| *order);
            let rows = dispatches::lock_due(transaction, ids.collect()).await?;
            let ids: Vec<u64> = rows.iter().map(|row| row.order_id).collect();
            let lease_ms = self.lease.as_millis() as u64;
            dispatches::lease(transaction, &ids, &self.desk.owner, lease_ms).await?;
            Ok((rows, partitions.len() < open.len()))
        })
        .await
    }

    async fn note(&mut self, mut waits: Option<String>, in_flight: usize) {
        let breaker = self.desk.breaker.lock().word();
        if waits.is_none() && breaker == "open" {
            waits = Some("the external platform does not answer; the breaker is open".to_owned());
        }
        metrics::gauge!(metric::DISPATCH_BREAKER_OPEN).set(if breaker == "closed" { 0.0 } else { 1.0 });
        if self.counted.is_none_or(|at| at.elapsed() >= limits::DISPATCH_COUNT_INTERVAL) {
            self.counted = Some(Instant::now());
            if let Ok((pending, failed)) = self.desk.count().await {
                metrics::gauge!(metric::DISPATCH_ROWS, "state" => "pending").set(pending as f64);
                metrics::gauge!(metric::DISPATCH_ROWS, "state" => "failed").set(failed as f64);
                let mut status = self.status.lock();
                (status.pending, status.failed) = (pending, failed);
            }
        }
        let mut status = self.status.lock();
        (status.waits, status.breaker, status.in_flight) = (waits, breaker, in_flight);
    }
}

impl Desk {
    async fn count(&self) -> Result<(u64, u64), DbErr> {
        let db = self.pool.get()?;
        let pending = in_time(dispatches::count(&db, dispatches::PENDING)).await?;
        Ok((pending, in_time(dispatches::count(&db, dispatches::FAILED)).await?))
    }

    async fn dispatch(&self, leased: Leased, order: Order) {
        let attempts = leased.row.attempts + 1;
        let began = Instant::now();
        let told = self.partner.tell(&order).await;
        let answered = told.as_ref().err().is_none_or(|refusal| refusal.answered);
        self.breaker.lock().ended(Instant::now(), answered);
        let outcome = match &told {
            Ok(()) => "taken",
            Err(refusal) if refusal.answered => "refused",
            Err(_) => "failed",
        };
        metrics::counter!(metric::DISPATCH_CALLS, "outcome" => outcome).increment(1);
        metrics::histogram!(metric::DISPATCH_CALL_SECONDS).record(began.elapsed().as_secs_f64());
        let done = match told {
            Ok(()) => self.delivered(&leased, attempts).await,
            Err(refusal) => self.refused(&leased, attempts, &refusal).await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, order = leased.row.order_id, "a dispatch keeps its lease until that ends");
        }
    }

    async fn delivered(&self, leased: &Leased, attempts: u32) -> Result<(), DbErr> {
        let order_id = leased.row.order_id as i64;
        let fact = DispatchDelivered { order_id, attempts: attempts as i32, at_ms: now_ms() };
        self.conclude(leased, fact.into()).await
    }

    async fn refused(&self, leased: &Leased, attempts: u32, refusal: &Refusal) -> Result<(), DbErr> {
        let order = leased.row.order_id;
        tracing::info!(order, attempts, reason = refusal.reason, "an order was not taken");
        if let Some(delay) = self.schedule.after(attempts, refusal.retry_after) {
            return self.give_back(leased, attempts, delay, &refusal.reason).await;
        }
        let reason = refusal.reason.clone();
        tracing::error!(order, attempts, reason, "an order was given up; redrive it");
        let fact =
            DispatchFailed { order_id: order as i64, attempts: attempts as i32, reason, at_ms: now_ms() };
        self.conclude(leased, fact.into()).await
    }

    /// Appends how it ended. Where Kafka does not take it, the order is told once more: the key makes that harmless.
    async fn conclude(&self, leased: &Leased, fact: Fact) -> Result<(), DbErr> {
        match self.journal.append(&fact).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let Leased { row, .. } = leased;
                tracing::warn!(%error, order = row.order_id, "how a dispatch ended is not recorded yet");
                let reason: String = error.to_string().chars().take(dispatches::ERROR_MAX_CHARS).collect();
                self.give_back(leased, row.attempts, limits::UNRECORDED_PAUSE, &reason).await
            }
        }
    }

    /// Unless somebody else has the partition by now: whoever was frozen during the call writes nothing when it wakes.
    async fn give_back(
        &self,
        leased: &Leased,
        attempts: u32,
        delay: Duration,
        error: &str,
    ) -> Result<(), DbErr> {
        let Leased { row, epoch } = leased;
        let delay_ms = delay.as_millis() as u64;
        let again = Again { order_id: row.order_id, owner: &self.owner, attempts, delay_ms, error };
        let key = Key {
            group_name: Dispatches::GROUP.to_owned(),
            topic: self.journal.topic(),
            partition_id: row.partition_id,
        };
        let given_back = in_transaction(&self.pool, async |transaction| {
            let is_ours = |found: Option<u64>| {
                // It may have been opened anew here meanwhile.
                let now = self.open.borrow().get(&row.partition_id).map(|open| open.epoch);
                found.is_some_and(|found| found == *epoch || Some(found) == now)
            };
            // First without waiting for whoever may have it by now.
            let found = places::load(transaction, &key).await?.map(|place| place.epoch);
            if !is_ours(found) || !is_ours(places::share_epoch(transaction, &key).await?) {
                return Ok(false);
            }
            dispatches::give_back(transaction, &again).await
        });
        if !given_back.await? {
            tracing::info!(
                order = row.order_id,
                "its partition was claimed anew: told again when the lease ends"
            );
        }
        Ok(())
    }
}

/// Those of the open partitions that MySQL still has as the group left them. In a database that was set back, rows are
/// due again that were told; the group learns of it with the next fact only.
fn held<'a>(places: impl Iterator<Item = &'a Place>, open: &OpenPartitions) -> Vec<i32> {
    let held = |place: &&Place| {
        open.get(&place.partition_id)
            .is_some_and(|open| place.epoch == open.epoch && place.next_offset >= open.next_offset)
    };
    places.filter(held).map(|place| place.partition_id).collect()
}

/// For people only: nothing is decided by it.
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

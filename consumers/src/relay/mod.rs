//! The outbox relay: publishes decided payments from table `outbox` to `payment` and `external-platform`, in the order
//! of their records, each exactly once. It runs beside whoever projects `order`-0.
//!
//! What was published stands in the topics, and only there: they are asked at every start, so a database that was
//! emptied or set back emits nothing again. It must never publish after somebody else began to: its transactional id is
//! one for all, and beginning fences the one before.

mod facts;
mod positions;
mod publisher;

pub use facts::facts_of;
pub use positions::Positions;
pub use publisher::{PublishError, Publisher};

use crate::{
    config::Config,
    controls::Unit,
    group::{Activity, Folding, OpenPartition, OpenPartitions, opening},
    limits, metric,
    pool::{WriterPool, in_time, in_transaction},
};
use chassis::shutdown::CancellationToken;
use domain::shop::Shop;
use migrations::entity::{outbox, projection_offset};
use parking_lot::Mutex;
use schemas::codec::FactCodec;
use sea_orm::{DbErr, EntityTrait, PaginatorTrait};
use std::sync::Arc;
use tokio::{sync::watch, time::Instant};

/// The partition whose owner relays.
const PARTITION: i32 = 0;

/// What the relay says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// Whether it is this instance that relays.
    pub running: bool,
    /// Facts published since the process began.
    pub published: u64,
    /// Rows that waited when it last looked; exact below a page.
    pub waiting: u64,
    /// Why it does not get on.
    pub error: Option<String>,
}

/// The relay cannot go on, and with it the process ends.
#[derive(Debug, thiserror::Error)]
#[error("the outbox relay failed for good: {0}")]
pub struct RelayError(String);

/// See the module.
pub struct Relay {
    config: Config,
    pool: WriterPool,
    activity: Activity,
    codec: Arc<FactCodec>,
    open: watch::Receiver<OpenPartitions>,
    status: Arc<Mutex<RelayStatus>>,
}

/// Why relaying for one opening of the partition ended.
enum Ended {
    /// The partition is not ours any more, or was opened anew.
    Closed,
    /// Something for people; not before the next opening is it worth another try.
    Stuck(String),
    Failed(RelayError),
}

impl Relay {
    /// Beside a group whose open partitions are these.
    #[must_use]
    pub fn new(
        config: Config,
        unit: Unit,
        codec: Arc<FactCodec>,
        open: watch::Receiver<OpenPartitions>,
        status: Arc<Mutex<RelayStatus>>,
    ) -> Self {
        let Unit { pool, activity, .. } = unit;
        Self { config, pool, activity, codec, open, status }
    }

    /// Works until shutdown, or until the group is gone.
    ///
    /// # Errors
    /// See [`RelayError`].
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), RelayError> {
        let mut stuck_at = None;
        loop {
            let opening = self.opening();
            if opening.is_none() {
                // Whoever has the partition now says how it gets on.
                self.status.lock().error = None;
            }
            if let Some(opening) = opening.filter(|opening| Some(opening.generation) != stuck_at) {
                self.status.lock().running = true;
                let ended = tokio::select! {
                    () = shutdown.cancelled() => Ended::Closed,
                    ended = self.relay(opening) => ended,
                };
                self.status.lock().running = false;
                match ended {
                    Ended::Closed => {}
                    Ended::Stuck(reason) => {
                        tracing::error!(reason, "the outbox relay cannot publish; rows wait");
                        self.trouble(reason);
                        stuck_at = Some(opening.generation);
                    }
                    Ended::Failed(error) => return Err(error),
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = self.open.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    fn opening(&self) -> Option<OpenPartition> {
        self.open.borrow().get(&PARTITION).copied()
    }

    fn is_ours(&self, opening: OpenPartition) -> bool {
        self.opening().is_some_and(|now| now.generation == opening.generation)
    }

    async fn relay(&mut self, opening: OpenPartition) -> Ended {
        while self.is_ours(opening) {
            let started = match self.is_claimed_by(opening).await {
                Ok(true) => self.start().await,
                Ok(false) => {
                    // Somebody else has the partition, and the group will learn of it.
                    tokio::time::sleep(limits::RELAY_RETRY_PAUSE).await;
                    continue;
                }
                Err(error) => Err(PublishError::Transient(error.to_string())),
            };
            let failed = match started {
                Ok(publisher) => self.publish_all(publisher, opening).await,
                Err(failed) => failed,
            };
            if !self.is_ours(opening) {
                break;
            }
            match failed {
                PublishError::Transient(reason) => {
                    tracing::warn!(reason, "the outbox relay begins anew");
                    self.trouble(reason);
                }
                PublishError::Stuck(reason) => return Ended::Stuck(reason),
                PublishError::Fatal(reason) => return Ended::Failed(RelayError(reason)),
            }
            tokio::time::sleep(limits::RELAY_RETRY_PAUSE).await;
        }
        Ended::Closed
    }

    /// Whether MySQL still knows this opening: beginning to publish would fence another owner's relay.
    async fn is_claimed_by(&self, opening: OpenPartition) -> Result<bool, DbErr> {
        let key = opening::key::<Folding<Shop>>(&self.config, PARTITION);
        let place = in_time(projection_offset::load(&self.pool.get()?, &key)).await?;
        Ok(place.is_some_and(|place| place.epoch == opening.epoch))
    }

    async fn start(&self) -> Result<Publisher, PublishError> {
        let (config, codec) = (self.config.clone(), self.codec.clone());
        let started = tokio::task::spawn_blocking(move || Publisher::start(&config, codec)).await;
        let publisher = started.map_err(|error| PublishError::Fatal(error.to_string()))??;
        tracing::info!(published_to = ?publisher.positions().newest(), "the outbox relay begins");
        self.status.lock().error = None;
        Ok(publisher)
    }

    /// Publishes whatever comes, until something fails or the partition is not ours.
    async fn publish_all(&mut self, mut publisher: Publisher, opening: OpenPartition) -> PublishError {
        let mut counted = Instant::now();
        while self.is_ours(opening) {
            // Before the look: what is committed after it ends the pause.
            self.open.mark_unchanged();
            let within = self.activity.enter();
            if !self.is_ours(opening) {
                break;
            }
            let rows = match self.page().await {
                Ok(rows) => rows,
                Err(error) => return PublishError::Transient(error.to_string()),
            };
            if let Err(error) = self.note_waiting(rows.len() as u64, &mut counted).await {
                return PublishError::Transient(error.to_string());
            }
            if rows.is_empty() {
                drop(within);
                let _ = tokio::time::timeout(limits::RELAY_POLL, self.open.changed()).await;
                continue;
            }
            let offsets: Vec<u64> = rows.iter().map(|row| row.source_offset).collect();
            let published = tokio::task::spawn_blocking(move || {
                let published = publisher.publish(&rows);
                (publisher, published)
            });
            let published = match published.await {
                Ok((back, Ok(published))) => {
                    publisher = back;
                    published
                }
                Ok((_, Err(failed))) => return failed,
                Err(panicked) => return PublishError::Fatal(panicked.to_string()),
            };
            self.status.lock().published += published;
            // What is published is only deleted from now on, by whomever: the topics say so. Whoever was frozen meanwhile,
            // and has lost the partition, leaves the rows to his successor.
            match self.forget(&offsets, opening).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return PublishError::Transient(error.to_string()),
            }
            drop(within);
        }
        PublishError::Transient("the partition is not ours any more".to_owned())
    }

    async fn page(&self) -> Result<Vec<outbox::Model>, DbErr> {
        in_time(outbox::page(&self.pool.get()?, 0, limits::RELAY_ROWS)).await
    }

    /// Deletes what was published, unless somebody else has the partition by now.
    async fn forget(&self, offsets: &[u64], opening: OpenPartition) -> Result<bool, DbErr> {
        let key = opening::key::<Folding<Shop>>(&self.config, PARTITION);
        in_transaction(&self.pool, async |transaction| {
            // First without waiting for whoever may have it by now.
            let found = projection_offset::load(transaction, &key).await?.map(|place| place.epoch);
            if found != Some(opening.epoch)
                || projection_offset::share_epoch(transaction, &key).await? != Some(opening.epoch)
            {
                return Ok(false);
            }
            outbox::delete_many(transaction, offsets).await?;
            Ok(true)
        })
        .await
    }

    async fn note_waiting(&self, page: u64, counted: &mut Instant) -> Result<(), DbErr> {
        let mut waiting = page;
        if page == limits::RELAY_ROWS {
            if counted.elapsed() < limits::RELAY_COUNT_INTERVAL {
                return Ok(());
            }
            *counted = Instant::now();
            waiting = in_time(outbox::Entity::find().count(&self.pool.get()?)).await?;
        }
        metrics::gauge!(metric::RELAY_WAITING).set(waiting as f64);
        self.status.lock().waiting = waiting;
        Ok(())
    }

    fn trouble(&self, reason: String) {
        metrics::counter!(metric::RELAY_ERRORS).increment(1);
        self.status.lock().error = Some(reason);
    }
}

//! Redis: what may be lost. Carts, and copies of what MySQL holds.
//!
//! It must never hold a request for long, never be needed for a start, and never decide anything. Every command here
//! may be repeated: one whose answer got lost is asked again, on a new connection, within the same limit.

mod breaker;
mod cache;
mod carts;
mod reply;

pub use carts::{CartItem, Put};

use crate::{config::Config, limits, metric};
use arc_swap::ArcSwap;
use breaker::{Admission, Breaker, Guarded};
use redis::{
    Client, Cmd, FromRedisValue, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use reply::Meaning;
use schemas::LogId;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Why Redis gave no answer; what it means is up to the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is not there, or does not answer in time.
    #[error("Redis is away")]
    Away,
    /// It answers, and says no: such as a Redis that is full, or a replica.
    #[error("Redis refuses")]
    Refused,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// What a command is for.
#[derive(Clone, Copy, Debug)]
struct Job {
    /// As metrics name it.
    name: &'static str,
    access: Access,
}

/// The connection of this process; clones share it.
#[derive(Clone)]
pub struct Store {
    /// `None` where no Redis is configured.
    redis: Option<Arc<Redis>>,
    /// Stands before every key: a log made anew must never meet what belonged to another.
    prefix: Arc<str>,
}

struct Redis {
    client: Client,
    manager: ArcSwap<ConnectionManager>,
    /// Longest wait for an answer, a new connection included.
    timeout: Duration,
    questions: Breaker,
    /// Apart from questions: a replica answers reads, and they must not hide that nothing can be written.
    writes: Breaker,
}

impl Store {
    /// For a `redis://` address; an empty one is no Redis at all. Connects when it is first used.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(config: &Config, log_id: LogId) -> Result<Self, RedisError> {
        let timeout = Duration::from_millis(config.redis_timeout_ms);
        let redis = match config.redis_url.as_str() {
            "" => None,
            url => {
                let client = Client::open(url)?;
                let manager = ArcSwap::from_pointee(connection(&client, timeout)?);
                let (questions, writes) = (Breaker::new(Guarded::Questions), Breaker::new(Guarded::Writes));
                Some(Arc::new(Redis { client, manager, timeout, questions, writes }))
            }
        };
        Ok(Self { redis, prefix: format!("tidemark:{}:", hex::encode(log_id.0)).into() })
    }

    /// Asks one thing, within its limit.
    async fn ask<T: FromRedisValue>(&self, job: Job, command: &Cmd) -> Result<T, StoreError> {
        let Some(redis) = &self.redis else { return Err(StoreError::Away) };
        let admission = redis.questions.admit();
        if admission == Admission::Refused {
            return Err(StoreError::Away);
        }
        if job.access == Access::Write && redis.writes.admit() == Admission::Refused {
            return Err(StoreError::Refused);
        }
        let began = Instant::now();
        let asked = tokio::time::timeout(redis.timeout, redis.ask(command)).await;
        metrics::histogram!(metric::REDIS_SECONDS, "job" => job.name).record(began.elapsed().as_secs_f64());
        match asked {
            Ok(Ok(value)) => {
                redis.questions.worked();
                if job.access == Access::Write {
                    redis.writes.worked();
                }
                Ok(value)
            }
            Ok(Err(error)) => Err(redis.failed(admission, job.name, &error)),
            Err(_) => {
                redis.away(admission, job.name, "no answer in time");
                Err(StoreError::Away)
            }
        }
    }
}

impl Redis {
    /// Asks, and once more on a new connection where that may be answered otherwise.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let used = self.manager.load_full();
        let mut manager = ConnectionManager::clone(&used);
        let error = match command.query_async(&mut manager).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match reply::meaning(&error) {
            // The connection broke, maybe long ago: the manager makes a new one, and the second attempt waits for it.
            Meaning::Broken => command.query_async(&mut manager).await,
            // The connection is sound, so nothing else would end it; behind the same address may be another server.
            Meaning::ReadOnly | Meaning::Unfit => {
                let mut manager = self.renewed(&used)?;
                command.query_async(&mut manager).await
            }
            Meaning::Silent | Meaning::Refused => Err(error),
        }
    }

    /// A connection made after `used`; many who ask at once for the same reason share one.
    fn renewed(&self, used: &Arc<ConnectionManager>) -> Result<ConnectionManager, RedisError> {
        let made = Arc::new(connection(&self.client, self.timeout)?);
        self.manager.compare_and_swap(used, made);
        Ok(ConnectionManager::clone(&self.manager.load()))
    }

    fn failed(&self, admission: Admission, job: &'static str, error: &RedisError) -> StoreError {
        match reply::meaning(error) {
            Meaning::Broken | Meaning::Silent | Meaning::Unfit => {
                self.away(admission, job, &error.to_string());
                StoreError::Away
            }
            Meaning::ReadOnly => {
                self.questions.worked();
                self.writes.failed(&error.to_string());
                failed(job, "read_only");
                StoreError::Refused
            }
            Meaning::Refused => {
                // It lives. Each such answer is counted; a line a request would fill the log of a full Redis.
                self.questions.worked();
                tracing::debug!(%error, job, "Redis refuses");
                failed(job, "refused");
                StoreError::Refused
            }
        }
    }

    fn away(&self, admission: Admission, job: &'static str, reason: &str) {
        failed(job, "away");
        self.questions.failed(reason);
        // A connection on which nothing comes back does not end by itself; the next probe gets a fresh one.
        if admission == Admission::Probe
            && let Ok(manager) = connection(&self.client, self.timeout)
        {
            self.manager.store(Arc::new(manager));
        }
    }
}

fn connection(client: &Client, timeout: Duration) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        // Whoever asks next tries again; nobody waits for a series of attempts.
        .set_number_of_retries(0)
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout))
        .set_concurrency_limit(limits::REDIS_IN_FLIGHT);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn failed(job: &'static str, reason: &'static str) {
    metrics::counter!(metric::REDIS_FAILURES, "job" => job, "reason" => reason).increment(1);
}

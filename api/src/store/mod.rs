//! Redis: what may be lost. Carts, and copies of what MySQL holds.
//!
//! It must never hold a request for long, never be needed for a start, and never decide anything. Every command here
//! may be repeated: one whose answer got lost is asked again, on a new connection, within the same limit.

mod breaker;
mod cache;
mod carts;

pub use carts::{CartItem, Put};

use crate::{config::Config, limits, metric};
use arc_swap::ArcSwap;
use breaker::{Admission, Breaker};
use redis::{
    Client, Cmd, FromRedisValue, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
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
    /// It answers, and says no: such as a Redis that is full.
    #[error("Redis refuses")]
    Refused,
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
    breaker: Breaker,
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
                Some(Arc::new(Redis { client, manager, timeout, breaker: Breaker::default() }))
            }
        };
        Ok(Self { redis, prefix: format!("tidemark:{}:", hex::encode(log_id.0)).into() })
    }

    /// Asks one thing, within its limit.
    async fn ask<T: FromRedisValue>(&self, job: &'static str, command: &Cmd) -> Result<T, StoreError> {
        let Some(redis) = &self.redis else { return Err(StoreError::Away) };
        let admission = redis.breaker.admit();
        if admission == Admission::Refused {
            return Err(StoreError::Away);
        }
        let began = Instant::now();
        let asked = tokio::time::timeout(redis.timeout, redis.ask(command)).await;
        metrics::histogram!(metric::REDIS_SECONDS, "job" => job).record(began.elapsed().as_secs_f64());
        match asked {
            Ok(Ok(value)) => {
                redis.breaker.answered();
                Ok(value)
            }
            Ok(Err(error)) if !error.is_io_error() => {
                // It lives. Each such answer is counted; a line a request would fill the log of a full Redis.
                redis.breaker.answered();
                tracing::debug!(%error, job, "Redis refuses");
                failed(job, "refused");
                Err(StoreError::Refused)
            }
            Ok(Err(error)) => {
                redis.away(admission, job, &error.to_string());
                Err(StoreError::Away)
            }
            Err(_) => {
                redis.away(admission, job, "no answer in time");
                Err(StoreError::Away)
            }
        }
    }
}

impl Redis {
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut manager = ConnectionManager::clone(&self.manager.load());
        match command.query_async(&mut manager).await {
            // The connection broke, maybe long ago: the manager makes a new one, and the second attempt waits for it.
            Err(error) if error.is_io_error() && !error.is_timeout() => {
                command.query_async(&mut manager).await
            }
            answer => answer,
        }
    }

    fn away(&self, admission: Admission, job: &'static str, reason: &str) {
        failed(job, "away");
        self.breaker.failed(reason);
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

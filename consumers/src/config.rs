//! Settings of the projections and their tools. None of them influences a decision: those stand in the log.

use chassis::{
    front::{self, Starting},
    shutdown::CancellationToken,
};
use schemas::records::Mode;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Set it to something within the bounds of [`crate::limits`].
    #[error(
        "TIDEMARK_SESSION_TIMEOUT_MS is {0}; it is {min} to {max} (ms), and below 6000 the brokers must allow it",
        min = crate::limits::MIN_SESSION_TIMEOUT.as_millis(),
        max = crate::limits::MAX_SESSION_TIMEOUT.as_millis()
    )]
    SessionTimeout(u64),
}

/// Read from `TIDEMARK_*`; see `chassis::config`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "docs/configuration.md describes each variable once")]
pub struct Config {
    pub kafka: String,
    pub kafka_wait_ms: u64,
    pub registry_url: String,
    pub topic_prefix: String,
    pub mode: Mode,
    pub instance: String,
    pub admin_listen: String,
    pub admin_token: String,
    pub database_url: String,
    pub groups: String,
    pub session_timeout_ms: u64,
    pub pool_max: u32,
    pub pool_min: u32,
    pub pool_acquire_timeout_ms: u64,
    pub pool_idle_timeout_ms: u64,
    pub pool_max_lifetime_ms: u64,
    pub batch_records: usize,
    pub replication: i32,
    pub email_key: String,
    pub fingerprint_key: String,
    pub api_admin_urls: String,
    pub platform_url: String,
    pub platform_timeout_ms: u64,
    pub platform_concurrency: usize,
    pub platform_retry_scale: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kafka: "127.0.0.1:9092".into(),
            kafka_wait_ms: 60_000,
            registry_url: "http://127.0.0.1:8081".into(),
            topic_prefix: String::new(),
            mode: Mode::Secure,
            instance: "consumers-1".into(),
            admin_listen: "127.0.0.1:3002".into(),
            admin_token: String::new(),
            database_url: "mysql://tidemark:tidemark@127.0.0.1:3306/tidemark".into(),
            groups: "signup-projection,coupon-projection,order-projection,external-platform".into(),
            session_timeout_ms: crate::limits::SESSION_TIMEOUT.as_millis() as u64,
            pool_max: 10,
            pool_min: 2,
            pool_acquire_timeout_ms: 2_000,
            pool_idle_timeout_ms: 600_000,
            pool_max_lifetime_ms: 1_800_000,
            batch_records: crate::limits::MAX_BATCH_RECORDS,
            replication: 1,
            email_key: String::new(),
            fingerprint_key: String::new(),
            api_admin_urls: String::new(),
            platform_url: String::new(),
            platform_timeout_ms: 10_000,
            platform_concurrency: 16,
            platform_retry_scale: 1.0,
        }
    }
}

impl Config {
    /// What is said while nothing is built yet.
    #[must_use]
    pub fn starting(&self, shutdown: &CancellationToken) -> Starting {
        let waits_for = front::waits_for_kafka(&self.kafka, self.kafka_wait_ms);
        Starting {
            process: "consumers",
            instance: self.instance.clone(),
            waits_for,
            shutdown: shutdown.clone(),
        }
    }

    /// The writer pool; connects when it is first used, because a database that is away stops nobody from starting.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn writer_pool(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = ConnectOptions::new(&self.database_url);
        options
            .max_connections(self.pool_max)
            .min_connections(self.pool_min)
            .acquire_timeout(Duration::from_millis(self.pool_acquire_timeout_ms))
            .idle_timeout(Duration::from_millis(self.pool_idle_timeout_ms))
            .max_lifetime(Duration::from_millis(self.pool_max_lifetime_ms))
            .connect_lazy(true)
            .sqlx_logging(false);
        Database::connect(options).await
    }

    /// Whether the settings make sense that the groups work with.
    ///
    /// # Errors
    /// The first that makes none.
    pub fn check(&self) -> Result<(), ConfigError> {
        let allowed = crate::limits::MIN_SESSION_TIMEOUT..=crate::limits::MAX_SESSION_TIMEOUT;
        if !allowed.contains(&self.session_timeout()) {
            return Err(ConfigError::SessionTimeout(self.session_timeout_ms));
        }
        Ok(())
    }

    /// Until the group gives the partitions of a member that is not heard of to others.
    #[must_use]
    pub const fn session_timeout(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms)
    }

    /// Between two signs of life of a member.
    #[must_use]
    pub fn heartbeat_interval(&self) -> Duration {
        let share = self.session_timeout() / crate::limits::HEARTBEATS_IN_A_SESSION;
        share.min(crate::limits::MAX_HEARTBEAT_INTERVAL)
    }

    /// A comma-separated setting as a list.
    pub fn list(text: &str) -> Vec<String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_is_described_with_its_default() {
        let page = include_str!("../../docs/configuration.md");
        assert_eq!(chassis::config::undescribed(&Config::default(), page), Vec::<String>::new());
    }

    #[test]
    fn a_session_timeout_out_of_bounds_is_refused_with_the_bounds() {
        let of = |session_timeout_ms| Config { session_timeout_ms, ..Config::default() };
        assert_eq!(Config::default().session_timeout(), Duration::from_secs(10));
        for allowed in [1_000, 3_000, 10_000, 120_000] {
            assert_eq!(of(allowed).check(), Ok(()));
        }
        for refused in [0, 999, 120_001, u64::MAX] {
            assert_eq!(of(refused).check(), Err(ConfigError::SessionTimeout(refused)));
        }
        let said = ConfigError::SessionTimeout(999).to_string();
        assert!(said.contains("TIDEMARK_SESSION_TIMEOUT_MS is 999; it is 1000 to 120000 (ms)"), "{said}");
    }

    #[test]
    fn three_heartbeats_fit_into_the_shortest_session() {
        for session_timeout_ms in [1_000, 1_499, 3_000, 10_000, 120_000] {
            let config = Config { session_timeout_ms, ..Config::default() };
            let between = config.heartbeat_interval();
            assert!(between * 3 <= config.session_timeout() && between <= Duration::from_millis(500));
        }
    }
}

//! Settings of the projections and their tools. None of them influences a decision: those stand in the log.

use schemas::records::Mode;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
}

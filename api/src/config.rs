//! Settings of the ingress. None of them influences a decision: those stand in the log.

use crate::{limits, proxies::Proxies, signature::PlatformKeys, waits::Waits};
use chassis::{
    front::{self, Starting},
    shutdown::CancellationToken,
};
use schemas::records::Mode;
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, sync::Arc};

/// Shortest key, in bytes.
pub const MIN_KEY_BYTES: usize = 16;

/// Read from `TIDEMARK_*`; see `chassis::config`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "docs/configuration.md describes each variable once")]
pub struct Config {
    pub kafka: String,
    pub kafka_wait_ms: u64,
    pub registry_url: String,
    pub topic_prefix: String,
    pub mode: ModeSetting,
    pub instance: String,
    pub listen: String,
    pub admin_listen: String,
    pub linger_ms: u32,
    pub max_connections: usize,
    pub max_in_flight: usize,
    pub header_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub write_timeout_ms: u64,
    pub drain_delay_ms: u64,
    pub trusted_proxies: String,
    pub extra_wait_ms: u32,
    pub secure_cookies: bool,
    pub bench_noop: bool,
    pub email_key: String,
    pub fingerprint_key: String,
    pub session_key: String,
    pub admin_token: String,
    pub redis_url: String,
    pub redis_timeout_ms: u64,
    pub database_url: String,
    pub reader_pool_max: u32,
    pub reader_pool_min: u32,
    pub reader_pool_acquire_timeout_ms: u64,
    pub reader_pool_idle_timeout_ms: u64,
    pub reader_pool_max_lifetime_ms: u64,
    pub platform_keys: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kafka: "127.0.0.1:9092".into(),
            kafka_wait_ms: 60_000,
            registry_url: "http://127.0.0.1:8081".into(),
            topic_prefix: String::new(),
            mode: ModeSetting::Secure,
            instance: format!("api-{}", std::process::id()),
            listen: "127.0.0.1:3000,127.0.0.1:8080".into(),
            admin_listen: "127.0.0.1:3001".into(),
            linger_ms: 1,
            max_connections: 10_000,
            max_in_flight: limits::MAX_IN_FLIGHT,
            header_timeout_ms: 10_000,
            idle_timeout_ms: 90_000,
            write_timeout_ms: 10_000,
            drain_delay_ms: 2_000,
            trusted_proxies: "127.0.0.0/8,::1/128".into(),
            extra_wait_ms: 0,
            secure_cookies: false,
            bench_noop: false,
            email_key: String::new(),
            fingerprint_key: String::new(),
            session_key: String::new(),
            admin_token: String::new(),
            redis_url: "redis://127.0.0.1:6379".into(),
            redis_timeout_ms: limits::REDIS_ANSWER.as_millis() as u64,
            database_url: "mysql://tidemark:tidemark@127.0.0.1:3306/tidemark".into(),
            reader_pool_max: 8,
            reader_pool_min: 1,
            reader_pool_acquire_timeout_ms: 500,
            reader_pool_idle_timeout_ms: 600_000,
            reader_pool_max_lifetime_ms: 1_800_000,
            platform_keys: String::new(),
        }
    }
}

/// `TIDEMARK_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeSetting {
    /// Sessions and the admin token count.
    Secure,
    /// Anybody may be anybody: for load tests.
    Stage,
}

impl From<ModeSetting> for Mode {
    fn from(setting: ModeSetting) -> Self {
        match setting {
            ModeSetting::Secure => Self::Secure,
            ModeSetting::Stage => Self::Stage,
        }
    }
}

/// A setting that makes no sense; names the variable.
#[derive(Debug, thiserror::Error)]
#[error("TIDEMARK_{variable}: {problem}")]
pub struct BadSetting {
    variable: &'static str,
    problem: String,
}

/// Keys and the token; never printed.
#[derive(Clone)]
pub struct Secrets {
    /// Under e-mail HMACs.
    pub email_key: Vec<u8>,
    /// Under fingerprints.
    pub fingerprint_key: Vec<u8>,
    /// Under session cookies.
    pub session_key: Vec<u8>,
    /// Opens the admin listener.
    pub admin_token: Arc<str>,
    /// Under the external platform's webhooks.
    pub platform_keys: PlatformKeys,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Config {
    /// Parses the keys.
    ///
    /// # Errors
    /// A key that is missing, too short or not hexadecimal.
    pub fn secrets(&self) -> Result<Secrets, BadSetting> {
        if self.admin_token.is_empty() {
            let problem = "set a token; without one nobody can create a coupon".to_owned();
            return Err(BadSetting { variable: "ADMIN_TOKEN", problem });
        }
        Ok(Secrets {
            email_key: key("EMAIL_KEY", &self.email_key)?,
            fingerprint_key: key("FINGERPRINT_KEY", &self.fingerprint_key)?,
            session_key: key("SESSION_KEY", &self.session_key)?,
            admin_token: self.admin_token.as_str().into(),
            platform_keys: platform_keys(&self.platform_keys)?,
        })
    }

    /// Requests that may wait for their record at once.
    ///
    /// # Errors
    /// None at all, or more than the producer's queue is made for.
    pub fn in_flight(&self) -> Result<usize, BadSetting> {
        if (1..=limits::MAX_IN_FLIGHT).contains(&self.max_in_flight) {
            return Ok(self.max_in_flight);
        }
        let problem = format!("{} is not from 1 to {}", self.max_in_flight, limits::MAX_IN_FLIGHT);
        Err(BadSetting { variable: "MAX_IN_FLIGHT", problem })
    }

    /// For how long requests wait for brokers and MySQL.
    ///
    /// # Errors
    /// Longer than anybody waits.
    pub fn waits(&self) -> Result<Waits, BadSetting> {
        if self.extra_wait_ms <= limits::MAX_EXTRA_WAIT_MS {
            return Ok(Waits::adding(self.extra_wait_ms));
        }
        let problem = format!("{} is not from 0 to {}", self.extra_wait_ms, limits::MAX_EXTRA_WAIT_MS);
        Err(BadSetting { variable: "EXTRA_WAIT_MS", problem })
    }

    /// Addresses of the public listener.
    ///
    /// # Errors
    /// Something that is no address.
    pub fn listen_addresses(&self) -> Result<Vec<SocketAddr>, BadSetting> {
        self.listen.split(',').map(|text| address("LISTEN", text)).collect()
    }

    /// Who may say that a request is the repetition of another.
    ///
    /// # Errors
    /// Something that is no address.
    pub fn trusted_proxies(&self) -> Result<Proxies, BadSetting> {
        let variable = "TRUSTED_PROXIES";
        Proxies::parse(&self.trusted_proxies).map_err(|problem| BadSetting { variable, problem })
    }

    /// What is said while nothing is built yet.
    #[must_use]
    pub fn starting(&self, shutdown: &CancellationToken) -> Starting {
        let waits_for = front::waits_for_kafka(&self.kafka, self.kafka_wait_ms);
        Starting { process: "api", instance: self.instance.clone(), waits_for, shutdown: shutdown.clone() }
    }

    /// Address of the admin listener.
    ///
    /// # Errors
    /// Something that is no address.
    pub fn admin_address(&self) -> Result<SocketAddr, BadSetting> {
        address("ADMIN_LISTEN", &self.admin_listen)
    }
}

fn address(variable: &'static str, text: &str) -> Result<SocketAddr, BadSetting> {
    let problem = |_| format!("{text:?} is no address; write IP:PORT");
    text.trim().parse().map_err(problem).map_err(|problem| BadSetting { variable, problem })
}

fn key(variable: &'static str, text: &str) -> Result<Vec<u8>, BadSetting> {
    match hex::decode(text) {
        Ok(key) if key.len() >= MIN_KEY_BYTES => Ok(key),
        Ok(key) => {
            let problem = format!("{} bytes; a key has at least {MIN_KEY_BYTES}", key.len());
            Err(BadSetting { variable, problem })
        }
        Err(_) => Err(BadSetting { variable, problem: "not hexadecimal".to_owned() }),
    }
}

/// `keyid:hex`, by commas; none at all lets no webhook in.
fn platform_keys(text: &str) -> Result<PlatformKeys, BadSetting> {
    let variable = "PLATFORM_KEYS";
    let mut keys = PlatformKeys::default();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let problem = "a key is written keyid:hex".to_owned();
        let (id, hex) = entry.split_once(':').ok_or(BadSetting { variable, problem })?;
        if id.is_empty()
            || !id.bytes().all(|byte| byte.is_ascii_graphic())
            || !keys.add(id, key(variable, hex)?)
        {
            let problem = format!("{id:?} is no key id, or stands there twice");
            return Err(BadSetting { variable, problem });
        }
    }
    Ok(keys)
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
    fn a_bad_setting_names_its_variable() {
        let good = "00112233445566778899aabbccddeeff".to_owned();
        let config = Config {
            email_key: good.clone(),
            fingerprint_key: good,
            session_key: "0011".into(),
            admin_token: "t".into(),
            ..Config::default()
        };
        let error = config.secrets().expect_err("the key is short").to_string();
        assert_eq!(error, "TIDEMARK_SESSION_KEY: 2 bytes; a key has at least 16");
        let config = Config { listen: "localhost".into(), ..Config::default() };
        assert!(config.listen_addresses().is_err());
        let config = Config { trusted_proxies: "localhost".into(), ..Config::default() };
        let error = config.trusted_proxies().expect_err("a name").to_string();
        assert_eq!(
            error,
            "TIDEMARK_TRUSTED_PROXIES: \"localhost\" is no address; write IP or IP/BITS, several by commas"
        );
        let config = Config { max_in_flight: 0, ..Config::default() };
        let error = config.in_flight().expect_err("nobody could be served").to_string();
        assert_eq!(error, "TIDEMARK_MAX_IN_FLIGHT: 0 is not from 1 to 20000");
    }

    #[test]
    fn platform_keys_are_named_and_long_enough() {
        let key = "00112233445566778899aabbccddeeff";
        for good in ["", " ", &format!("a:{key}"), &format!(" a:{key}, b-2:{key} ,")] {
            assert!(platform_keys(good).is_ok(), "{good:?}");
        }
        for bad in
            [key, "a:0011", "a:xyz", &format!(":{key}"), &format!("a b:{key}"), &format!("a:{key},a:{key}")]
        {
            let error = platform_keys(bad).expect_err(bad).to_string();
            assert!(error.starts_with("TIDEMARK_PLATFORM_KEYS: "), "{error}");
            assert!(!error.contains(key), "a key is never printed: {error}");
        }
    }
}

//! A log of one's own: founded by `consumers init` under a random prefix, left behind and swept by a later run.

use api::config::{Config, ModeSetting};
use chassis::{kafka, log_reader::LogReader};
use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection};
use stack::{process::binary, testing::endpoints};
use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Opens the admin listener of every server here.
pub(crate) const ADMIN_TOKEN: &str = "the-tests-admin-token";
/// Names the key below.
pub(crate) const PLATFORM_KEY_ID: &str = "partner-1";
/// Signs webhooks.
pub(crate) const PLATFORM_KEY: [u8; 32] = [0x44; 32];
/// First part of every prefix of ours.
const PREFIX: &str = "api-it-";
/// No run lasts longer, so topics older than this belong to nobody, in seconds.
const SWEEP_AFTER_S: u64 = 3_600;
/// One question to the brokers.
const ASK: Duration = Duration::from_secs(60);
/// What the processes add to their waits, in ms, but where such a wait is what is tested: what a stall of the machine makes
/// of an answer is nobody's promise.
const EXTRA_WAIT_MS: u32 = 20_000;

/// The same where such a wait is what is tested: the brokers of a busy machine take longer than production allows them.
pub(crate) const HARDLY_MS: u32 = 2_000;

/// Seconds since the epoch.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A prefix that nobody else has; it says when it was made.
pub(crate) fn random_prefix() -> String {
    format!("{PREFIX}{}-{:08x}-", now_s(), Uuid::new_v4().as_fields().0)
}

/// The configuration of a server for the log under a prefix.
pub(crate) fn config(prefix: &str, mode: ModeSetting) -> Config {
    Config {
        kafka: endpoints().kafka.clone(),
        registry_url: endpoints().registry.clone(),
        redis_url: endpoints().redis.clone(),
        topic_prefix: prefix.to_owned(),
        mode,
        instance: format!("api-it-{:08x}", Uuid::new_v4().as_fields().0),
        email_key: "11".repeat(32),
        fingerprint_key: "22".repeat(32),
        session_key: "33".repeat(32),
        admin_token: ADMIN_TOKEN.to_owned(),
        platform_keys: format!("{PLATFORM_KEY_ID}:{}", hex::encode(PLATFORM_KEY)),
        extra_wait_ms: EXTRA_WAIT_MS,
        redis_timeout_ms: u64::from(EXTRA_WAIT_MS),
        // Nobody goes by `/ready` here, but where that is what is tested.
        drain_delay_ms: 0,
        ..Config::default()
    }
}

/// Founds a log and returns the configuration of its servers.
pub(crate) async fn found(mode: ModeSetting) -> Config {
    static SWEPT: OnceCell<()> = OnceCell::const_new();
    SWEPT.get_or_init(sweep).await;
    let config = config(&random_prefix(), mode);
    found_without_tables(&config).await;
    config
}

/// Founds the log of that configuration, whose tables nobody needs.
pub(crate) async fn found_without_tables(config: &Config) {
    let schema = format!("tidemark_test_{}", Uuid::new_v4().simple());
    let url = format!("{}/{schema}", endpoints().mysql.rsplit_once('/').unwrap().0);
    sql(&format!("CREATE DATABASE {schema}")).await;
    let init = tokio::spawn(found_at(config.clone(), url)).await;
    // Who needs tables has a MySQL of its own.
    sql(&format!("DROP DATABASE {schema}")).await;
    init.unwrap();
}

/// Founds the log of that configuration, with its tables in that database.
pub(crate) async fn found_at(config: Config, database_url: String) {
    tokio::task::spawn_blocking(move || init(&config, &database_url)).await.unwrap();
}

fn init(config: &Config, database_url: &str) {
    let mode = match config.mode {
        ModeSetting::Stage => "stage",
        ModeSetting::Secure => "secure",
    };
    let output = Command::new(binary("consumers").unwrap())
        .arg("init")
        .env("TIDEMARK_KAFKA", &config.kafka)
        .env("TIDEMARK_REGISTRY_URL", &config.registry_url)
        .env("TIDEMARK_TOPIC_PREFIX", &config.topic_prefix)
        .env("TIDEMARK_MODE", mode)
        .env("TIDEMARK_DATABASE_URL", database_url)
        .env("TIDEMARK_EMAIL_KEY", &config.email_key)
        .env("TIDEMARK_FINGERPRINT_KEY", &config.fingerprint_key)
        .output()
        .unwrap();
    assert!(output.status.success(), "consumers init: {}", String::from_utf8_lossy(&output.stderr));
}

async fn sql(statement: &str) {
    let mut connection = MySqlConnection::connect(&endpoints().mysql).await.expect("MySQL");
    connection.execute(AssertSqlSafe(statement)).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    connection.close().await.unwrap();
}

/// For administrative calls, which give up after three seconds otherwise.
pub(crate) fn asking() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK))
}

/// Makes topics as the brokers' administrator.
pub(crate) fn admin() -> AdminClient<DefaultClientContext> {
    kafka::client(&endpoints().kafka, "api-it").create().unwrap()
}

/// Deletes the topics of runs that ended long ago.
async fn sweep() {
    let topics = tokio::task::spawn_blocking(|| {
        let client: BaseConsumer = kafka::client(&endpoints().kafka, "api-it").create().unwrap();
        let metadata = client.fetch_metadata(None, ASK).expect("Kafka answers");
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect::<Vec<String>>()
    });
    let topics = topics.await.unwrap();
    let is_old = |name: &&str| {
        let made_s = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u64>().ok());
        made_s.is_some_and(|made_s| made_s + SWEEP_AFTER_S < now_s())
    };
    let old: Vec<&str> = topics.iter().map(String::as_str).filter(is_old).collect();
    if !old.is_empty() {
        // Another run may sweep at the same moment: what it took is gone all the same.
        admin().delete_topics(&old, &asking()).await.expect("Kafka answers");
    }
}

/// Where every partition of the log ends, asked of the brokers themselves.
pub(crate) async fn ends(config: &Config) -> Vec<u64> {
    let config = config.clone();
    let ask = move || {
        let reader = LogReader::new(kafka::reader(&config.kafka, "api-it")).unwrap();
        reader.end_offsets(&api::ingress::partitions(&config.topic_prefix), ASK).unwrap()
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

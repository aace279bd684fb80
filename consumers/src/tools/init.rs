//! `consumers init`: schemas, topics, the first rules of every partition, tables. Safe to repeat and to run twice at
//! once: the first rules of the first partition win, and everybody else follows them.

use super::writer::Writer;
use crate::{config::Config, log};
use anyhow::{Context, bail};
use chassis::{kafka, registry::Registry};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    types::RDKafkaErrorCode,
};
use schemas::{
    KeyCheck, LogId, Topic, Uuid, catalogue,
    codec::Codec,
    records::{Mode, RegisteredSchema, RulesActivated},
};
use std::time::{Duration, Instant};

/// Opening balance in stage mode, in minor units (docs of the load scripts).
const STAGE_OPENING_BALANCE: i64 = 1_000_000_000;
/// Until an unpaid order expires, in ms.
const ORDER_TTL_MS: i64 = 10 * 60 * 1_000;
/// Dead letters are kept this long, in ms (30 days).
const DEAD_LETTER_RETENTION_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// A topic that was just made becomes visible within this.
const VISIBLE: Duration = Duration::from_secs(15);
/// Shortest key, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// See the module.
///
/// # Errors
/// A service that is away, or a log that was founded otherwise.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let schemas = register(config).await?;
    create_topics(config).await?;
    found(config, schemas).await?;
    let db = config.writer_pool().await.context("TIDEMARK_DATABASE_URL")?;
    migrations::up(&db).await.context("migrating MySQL")?;
    db.close().await.ok();
    tracing::info!("the log is founded and the tables are there");
    Ok(())
}

async fn register(config: &Config) -> anyhow::Result<Vec<RegisteredSchema>> {
    let registry = Registry::new(&config.registry_url)?;
    let mut registered = Vec::new();
    for entry in catalogue::all() {
        let id = registry.register(&entry.subject, entry.kind.avsc()).await?;
        registered.push(RegisteredSchema { id, crc64: entry.crc64 });
    }
    Ok(registered)
}

async fn create_topics(config: &Config) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = kafka::client(&config.kafka, "init").create()?;
    let replication = || TopicReplication::Fixed(config.replication);
    let min_insync = if config.replication >= 3 { "2" } else { "1" };
    let dead_retention = DEAD_LETTER_RETENTION_MS.to_string();
    for topic in Topic::ALL {
        let (name, dead) = (topic.name(&config.topic_prefix), topic.dead_letters(&config.topic_prefix));
        let request_log = NewTopic::new(&name, topic.partitions(), replication())
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("cleanup.policy", "delete")
            .set("message.timestamp.type", "LogAppendTime")
            .set("min.insync.replicas", min_insync)
            .set("unclean.leader.election.enable", "false");
        let dead_letters = NewTopic::new(&dead, 1, replication()).set("retention.ms", &dead_retention);
        let made = admin.create_topics(&[request_log, dead_letters], &AdminOptions::new()).await;
        for result in made.context("creating topics")? {
            match result {
                Ok(name) => tracing::info!(topic = name, "created"),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => bail!("topic {name} was not created: {code}"),
            }
        }
    }
    wait_until_visible(config).await?;
    check_append_time(config, &admin).await
}

async fn wait_until_visible(config: &Config) -> anyhow::Result<()> {
    let config = config.clone();
    let look = move || {
        let reader = log::reader(&config)?;
        for topic in Topic::ALL {
            let (name, expected) = (topic.name(&config.topic_prefix), topic.partitions() as usize);
            let deadline = Instant::now() + VISIBLE;
            loop {
                let found = reader.partitions(&name).unwrap_or(0);
                let led =
                    found == expected && (0..topic.partitions()).all(|p| reader.bounds(&name, p).is_ok());
                if led {
                    break;
                }
                if found > 0 && found != expected {
                    bail!("topic {name} has {found} partitions, not {expected}; a count never changes");
                }
                if Instant::now() > deadline {
                    bail!("topic {name} was created and did not become visible within {VISIBLE:?}");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(look).await?
}

async fn check_append_time(config: &Config, admin: &AdminClient<DefaultClientContext>) -> anyhow::Result<()> {
    for topic in Topic::ALL {
        let name = topic.name(&config.topic_prefix);
        let described =
            admin.describe_configs(&[ResourceSpecifier::Topic(&name)], &AdminOptions::new()).await?;
        for resource in described.into_iter().flatten() {
            let value =
                |key: &str| resource.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default();
            if value("message.timestamp.type") != "LogAppendTime" {
                bail!(
                    "topic {name} must have message.timestamp.type=LogAppendTime; the log's clock is the brokers'"
                );
            }
            if value("retention.ms") != "-1" {
                bail!("topic {name} must have retention.ms=-1; a request log is kept for ever");
            }
        }
    }
    Ok(())
}

async fn found(config: &Config, schemas: Vec<RegisteredSchema>) -> anyhow::Result<()> {
    let proposed = proposal(config, schemas)?;
    let writer = Writer::new(config)?;
    // The first partition decides the log's id; all others follow it.
    let first = found_partition(config, &writer, Topic::Signup, 0, &proposed).await?;
    check(&first, &proposed)?;
    let rules = RulesActivated { log_id: first.log_id, ..proposed };
    for topic in Topic::ALL {
        for partition in 0..topic.partitions() {
            let founded = found_partition(config, &writer, topic, partition, &rules).await?;
            check(&founded, &rules)?;
            if founded.log_id != rules.log_id {
                bail!("{}-{partition} belongs to another log", topic.name(&config.topic_prefix));
            }
        }
    }
    Ok(())
}

fn proposal(config: &Config, schemas: Vec<RegisteredSchema>) -> anyhow::Result<RulesActivated> {
    Ok(RulesActivated {
        event_id: Uuid::new_v4(),
        fingerprint: None,
        version: 1,
        log_id: LogId(Uuid::new_v4().into_bytes()),
        mode: config.mode,
        opening_balance: if config.mode == Mode::Stage { STAGE_OPENING_BALANCE } else { 0 },
        order_ttl_ms: ORDER_TTL_MS,
        email_key_check: KeyCheck::of(&key("EMAIL_KEY", &config.email_key)?),
        fingerprint_key_check: KeyCheck::of(&key("FINGERPRINT_KEY", &config.fingerprint_key)?),
        schemas,
    })
}

fn key(variable: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    let key = hex::decode(text).with_context(|| format!("TIDEMARK_{variable} is not hexadecimal"))?;
    anyhow::ensure!(key.len() >= MIN_KEY_BYTES, "TIDEMARK_{variable} has fewer than {MIN_KEY_BYTES} bytes");
    Ok(key)
}

/// Appends rules to a partition that has none and returns those that won.
async fn found_partition(
    config: &Config,
    writer: &Writer,
    topic: Topic,
    partition: i32,
    rules: &RulesActivated,
) -> anyhow::Result<RulesActivated> {
    let name = topic.name(&config.topic_prefix);
    if let Some(founded) = look(config, &name, partition).await? {
        return Ok(founded);
    }
    let mut payload = Vec::new();
    let rules = RulesActivated { event_id: Uuid::new_v4(), ..rules.clone() };
    Codec::new(&rules.schemas)?.encode(&rules.into(), &mut payload)?;
    writer.append(&name, partition, &payload).await?;
    look(config, &name, partition).await?.context("rules that were appended cannot be read back")
}

async fn look(config: &Config, topic: &str, partition: i32) -> anyhow::Result<Option<RulesActivated>> {
    let (config, topic) = (config.clone(), topic.to_owned());
    let look = move || log::founding(&log::reader(&config)?, &topic, partition);
    Ok(tokio::task::spawn_blocking(look).await??)
}

fn check(founded: &RulesActivated, proposed: &RulesActivated) -> anyhow::Result<()> {
    if founded.mode != proposed.mode {
        bail!("the log was founded in {:?} mode; TIDEMARK_MODE says {:?}", founded.mode, proposed.mode);
    }
    if founded.email_key_check != proposed.email_key_check {
        bail!("TIDEMARK_EMAIL_KEY is not the key that this log was founded with");
    }
    if founded.fingerprint_key_check != proposed.fingerprint_key_check {
        bail!("TIDEMARK_FINGERPRINT_KEY is not the key that this log was founded with");
    }
    let differs = proposed.schemas.iter().find(|schema| !founded.schemas.contains(schema));
    if let Some(schema) = differs {
        bail!(
            "the registry numbers a schema as {} and the log does not: this is not the log's registry",
            schema.id
        );
    }
    Ok(())
}

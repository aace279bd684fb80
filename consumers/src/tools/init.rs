//! `consumers init`: schemas, topics, the first rules of every partition, tables. Safe to repeat and to run twice at
//! once: the first rules of the first partition win, and everybody else follows them.

use super::writer::Writer;
use crate::{config::Config, log};
use anyhow::{Context, bail};
use chassis::{
    kafka,
    log_reader::PartitionCount,
    registry::{Registry, RegistryError},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    types::RDKafkaErrorCode,
};
use schemas::{
    FactTopic, KeyCheck, LogId, Topic, Uuid, catalogue,
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
/// Facts about payments are kept this long, in ms (30 days).
const PAYMENT_RETENTION_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// A topic that was just made becomes visible within this, or within the wait for brokers.
const VISIBLE: Duration = Duration::from_secs(15);
/// Before a registry that is away is asked again.
const REGISTRY_PAUSE: Duration = Duration::from_millis(500);
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
    let deadline = Instant::now() + Duration::from_millis(config.kafka_wait_ms);
    let mut told = false;
    for entry in catalogue::all() {
        let id = loop {
            match registry.register(&entry.subject, entry.kind.avsc()).await {
                // It may be starting, as the brokers may.
                Err(error @ RegistryError::Unreachable { .. }) if Instant::now() < deadline => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "asking again");
                    }
                    tokio::time::sleep(REGISTRY_PAUSE).await;
                }
                registered => break registered?,
            }
        };
        registered.push(RegisteredSchema { id, crc64: entry.crc64 });
    }
    Ok(registered)
}

/// A topic as it must be.
struct Wanted {
    name: String,
    partitions: i32,
    /// Settings that must never be otherwise, with why.
    fixed: Vec<(&'static str, &'static str, &'static str)>,
    /// Settings it is made with.
    initial: Vec<(&'static str, String)>,
}

/// Every topic, each as it is made and as it must stay.
fn wanted(config: &Config) -> Vec<Wanted> {
    let min_insync = if config.replication >= 3 { "2" } else { "1" };
    let safe = || {
        vec![
            ("min.insync.replicas", min_insync.to_owned()),
            ("unclean.leader.election.enable", "false".to_owned()),
            ("retention.bytes", "-1".to_owned()),
        ]
    };
    let stamped = ("message.timestamp.type", "LogAppendTime", "the log's clock is the brokers'");
    let retention = |ms: i64| ("retention.ms", ms.to_string());
    // As safe as the log: the offset of a dead letter is passed, so nothing else holds it.
    let dead_letters = |name| Wanted {
        name,
        partitions: 1,
        fixed: Vec::new(),
        initial: [safe(), vec![retention(DEAD_LETTER_RETENTION_MS)]].concat(),
    };
    let prefix = &config.topic_prefix;
    let mut all = Vec::new();
    for topic in Topic::ALL {
        let kept = ("retention.ms", "-1", "a request log is kept for ever");
        let whole = ("cleanup.policy", "delete", "a request log is kept whole");
        all.push(Wanted {
            name: topic.name(prefix),
            partitions: topic.partitions(),
            fixed: vec![stamped, kept, whole],
            initial: safe(),
        });
        all.push(dead_letters(topic.dead_letters(prefix)));
    }
    for topic in FactTopic::ALL {
        let (name, partitions) = (topic.name(prefix), topic.partitions());
        let (mut fixed, mut initial) = (vec![stamped], safe());
        match topic {
            FactTopic::Payment => {
                fixed.push(("cleanup.policy", "delete", "every payment is a fact of its own"));
                initial.push(retention(PAYMENT_RETENTION_MS));
            }
            FactTopic::ExternalPlatform => {
                let why = "an emptied database must not dispatch again";
                fixed.push(("cleanup.policy", "compact", why));
                fixed.push(("retention.ms", "-1", why));
                all.push(dead_letters(topic.dead_letters(prefix)));
            }
        }
        all.push(Wanted { name, partitions, fixed, initial });
    }
    for topic in control::topics::ALL {
        let audited = topic == control::topics::AUDIT;
        let policy = if audited { "delete" } else { "compact" };
        let kept = ("retention.ms", "-1", "what operators did is kept for ever");
        let policy =
            ("cleanup.policy", policy, "a hold stays until it is taken back, a change is kept for ever");
        let (name, fixed) = (control::topics::name(prefix, topic), vec![stamped, kept, policy]);
        all.push(Wanted { name, partitions: 1, fixed, initial: safe() });
    }
    all
}

async fn create_topics(config: &Config) -> anyhow::Result<()> {
    let wanted = wanted(config);
    await_brokers(config, wanted.first().map(|wanted| wanted.name.clone()).unwrap_or_default()).await?;
    let admin: AdminClient<DefaultClientContext> = kafka::client(&config.kafka, "init").create()?;
    let topics: Vec<NewTopic<'_>> = wanted
        .iter()
        .map(|wanted| {
            let replication = TopicReplication::Fixed(config.replication);
            let mut topic = NewTopic::new(&wanted.name, wanted.partitions, replication);
            for (key, value, _) in &wanted.fixed {
                topic = topic.set(key, value);
            }
            wanted.initial.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let options = asking(config).operation_timeout(Some(Duration::from_millis(config.kafka_wait_ms)));
    let made = admin.create_topics(&topics, &options).await;
    for result in made.context("creating topics")? {
        match result {
            Ok(name) => tracing::info!(topic = name, "created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            // The brokers go on with it: whether it becomes visible is looked at below.
            Err((name, RDKafkaErrorCode::RequestTimedOut)) => tracing::warn!(topic = name, "not created yet"),
            Err((name, code)) => bail!("topic {name} was not created: {code}"),
        }
    }
    let names: Vec<_> = wanted.iter().map(|wanted| (wanted.name.clone(), wanted.partitions)).collect();
    wait_until_visible(config, names).await?;
    check_settings(&wanted, &admin, &asking(config)).await
}

/// Administrative calls have the socket's timeout otherwise, which is short.
fn asking(config: &Config) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(Duration::from_millis(config.kafka_wait_ms)))
}

/// Says at once where nobody answers; an administrative call waits in silence.
async fn await_brokers(config: &Config, topic: String) -> anyhow::Result<()> {
    let config = config.clone();
    let look = move || {
        let asked = log::patient_reader(&config)?.partitions(&topic);
        asked.map_err(|source| log::LogError::Kafka { brokers: config.kafka.clone(), source })
    };
    tokio::task::spawn_blocking(look).await??;
    Ok(())
}

async fn wait_until_visible(config: &Config, wanted: Vec<(String, i32)>) -> anyhow::Result<()> {
    let config = config.clone();
    let look = move || {
        let reader = log::patient_reader(&config)?;
        let visible = Duration::from_millis(config.kafka_wait_ms).max(VISIBLE);
        for (name, partitions) in wanted {
            let deadline = Instant::now() + visible;
            loop {
                let count = reader.partition_count(&name, partitions).unwrap_or(PartitionCount::Fewer(0));
                match count {
                    PartitionCount::Right | PartitionCount::Spare => {
                        if (0..partitions).all(|partition| reader.bounds(&name, partition).is_ok()) {
                            break;
                        }
                    }
                    PartitionCount::Fewer(0) => {}
                    PartitionCount::Fewer(found) => {
                        bail!("topic {name} has {found} partitions, not {partitions}; a count never changes");
                    }
                    PartitionCount::Strange { partition } => bail!(
                        "{name}-{partition} holds records, and this log has {partitions} partitions: nothing of ours writes \
                         there. Find who does, keep what is worth it, delete the records up to the end \
                         (kafka-delete-records), and run this again"
                    ),
                }
                if Instant::now() > deadline {
                    bail!("topic {name} was created and did not become visible within {visible:?}");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    };
    tokio::task::spawn_blocking(look).await?
}

async fn check_settings(
    wanted: &[Wanted],
    admin: &AdminClient<DefaultClientContext>,
    options: &AdminOptions,
) -> anyhow::Result<()> {
    for Wanted { name, fixed, .. } in wanted.iter().filter(|wanted| !wanted.fixed.is_empty()) {
        let described = admin.describe_configs(&[ResourceSpecifier::Topic(name)], options).await?;
        for resource in described.into_iter().flatten() {
            for (key, expected, why) in fixed {
                let found = resource.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
                if found != *expected {
                    bail!("topic {name} must have {key}={expected}; {why}");
                }
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
    let look = move || log::founding(&log::patient_reader(&config)?, &topic, partition);
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
    for schema in &proposed.schemas {
        match founded.schemas.iter().find(|listed| listed.crc64 == schema.crc64) {
            Some(listed) if listed.id == schema.id => {}
            Some(_) => bail!(
                "the registry numbers a schema as {} and the log does not: this is not the log's registry",
                schema.id
            ),
            None => bail!(
                "the log was founded by an older binary and lists no schema for {}: it needs newer rules",
                catalogue::by_crc64(schema.crc64).map_or("a new record", |entry| entry.kind.name())
            ),
        }
    }
    Ok(())
}

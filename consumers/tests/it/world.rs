//! A log and a database of one's own for one test, gone when it ends, whatever becomes of it.

use crate::{
    patience::{PATIENCE, patient, until, until_right},
    registered::schemas_of_the_registry,
    topics::remove_topics,
};
use anyhow::{Context, ensure};
use chassis::{
    kafka::{self, ProducerLimits},
    shutdown::CancellationToken,
};
use consumers::{audit, config::Config, log};
use futures_util::FutureExt;
use migrations::entity::projection_offset::{self, Key, Model};
use rdkafka::{
    admin::AdminClient,
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord},
};
use schemas::{
    FactTopic, KeyCheck, LogId, Record, Topic, Uuid,
    codec::{Codec, FactCodec},
    partition,
    records::{Mode, RulesActivated},
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use stack::testing::endpoints;
use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::OnceCell;

/// Appends are confirmed by the brokers; there is never much under way.
const LIMITS: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 100_000, queue_kbytes: 65_536 };

/// Until an order that nobody pays expires, in ms, unless a test says otherwise.
const ORDER_TTL_MS: i64 = 600_000;
/// Until the group misses a member that a test stops, kills or freezes, in ms. Only such a member has so short a session:
/// whoever stands still with its machine for as long is missed too, and nothing may depend on that.
pub(crate) const SOON_MISSED_MS: u64 = 3_000;
/// Until it misses everybody else, in ms: longer than machines stand still.
const LONG_MISSED_MS: u64 = 60_000;

/// What one test has for itself.
pub(crate) struct World {
    /// Settings of the production code; tests change copies of it.
    pub(crate) config: Config,
    /// A pool beside those of the processes.
    pub(crate) db: DatabaseConnection,
    /// Ends every process of the test.
    pub(crate) shutdown: CancellationToken,
    /// One clone for each process that lives.
    pub(crate) alive: Arc<()>,
    /// A connection outside the schema; nothing where there is no schema.
    server: Option<DatabaseConnection>,
    pub(crate) schema: String,
    admin: OnceLock<AdminClient<DefaultClientContext>>,
    producer: FutureProducer,
    codec: OnceLock<Codec>,
    pub(crate) fact_codec: OnceCell<Arc<FactCodec>>,
    dead_letters_expected: AtomicU64,
}

/// One payload and where it goes.
pub(crate) struct Entry {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) payload: Option<Vec<u8>>,
}

/// Runs a test on a founded log and tables without rows.
pub(crate) async fn in_world(test: impl AsyncFnOnce(&World) -> anyhow::Result<()>) -> anyhow::Result<()> {
    in_world_on(&endpoints().mysql, test).await
}

/// As [`in_world`], with the database on another server.
pub(crate) async fn in_world_on(
    mysql: &str,
    test: impl AsyncFnOnce(&World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    in_new_world(Some(mysql), async |world| {
        world.found().await?;
        test(world).await
    })
    .await
}

/// Runs a test on a founded log without a database.
pub(crate) async fn in_world_without_mysql(
    test: impl AsyncFnOnce(&World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    in_new_world(None, async |world| {
        world.found_log(ORDER_TTL_MS).await?;
        test(world).await
    })
    .await
}

/// Runs a test where there is neither a log nor a table.
pub(crate) async fn in_bare_world(
    test: impl AsyncFnOnce(&World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    in_new_world(Some(&endpoints().mysql), test).await
}

/// Runs a test where there is neither a log nor a database.
pub(crate) async fn in_bare_world_without_mysql(
    test: impl AsyncFnOnce(&World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    in_new_world(None, test).await
}

async fn in_new_world(
    mysql: Option<&str>,
    test: impl AsyncFnOnce(&World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if std::env::var_os("TIDEMARK_LOG").is_some() {
        static LOGS: std::sync::Once = std::sync::Once::new();
        LOGS.call_once(|| drop(chassis::telemetry::install_logs().expect("a thread for the log")));
    }
    let world = World::new(mysql).await?;
    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.shutdown.cancel();
    let ended =
        until("every process has ended", async || Ok((Arc::strong_count(&world.alive) == 1).then_some(())))
            .await;
    let leftovers = world.leftovers();
    world.remove().await?;
    match outcome {
        Ok(outcome) => outcome?,
        Err(panic) => resume_unwind(panic),
    }
    ended?;
    leftovers
}

/// Connects when it is first used.
async fn connect(url: &str, connections: u32) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(0).connect_lazy(true).sqlx_logging(false);
    Database::connect(options).await.with_context(|| format!("connecting to {url}"))
}

impl World {
    async fn new(mysql: Option<&str>) -> anyhow::Result<Self> {
        let random = Uuid::new_v4().simple().to_string();
        let schema = format!("tidemark_test_{random}");
        let mut server = None;
        if let Some(mysql) = mysql {
            let made = connect(mysql, 1).await?;
            made.execute_unprepared(&format!("CREATE DATABASE {schema}")).await?;
            server = Some(made);
        }
        let mysql = mysql.unwrap_or(&endpoints().mysql);
        let host = mysql.rsplit_once('/').context("a url with a database")?.0;
        let name = random.get(..12).unwrap_or(&random);
        let config = Config {
            kafka: endpoints().kafka.clone(),
            registry_url: endpoints().registry.clone(),
            topic_prefix: format!("it-{name}-"),
            instance: format!("it-{name}-a"),
            admin_token: format!("token-{name}"),
            database_url: format!("{host}/{schema}"),
            email_key: "e1".repeat(32),
            fingerprint_key: "f2".repeat(32),
            session_timeout_ms: LONG_MISSED_MS,
            pool_min: 0,
            groups: "signup-projection,coupon-projection,order-projection".into(),
            ..Config::default()
        };
        Ok(Self {
            db: connect(&config.database_url, 4).await?,
            shutdown: CancellationToken::new(),
            alive: Arc::new(()),
            server,
            schema,
            admin: OnceLock::new(),
            producer: kafka::producer(&config.kafka, &config.instance, 0, LIMITS).create()?,
            codec: OnceLock::new(),
            fact_codec: OnceCell::new(),
            dead_letters_expected: AtomicU64::new(0),
            config,
        })
    }

    async fn found(&self) -> anyhow::Result<()> {
        self.found_with_ttl(ORDER_TTL_MS).await
    }

    /// What `init` does, without its caution: `founding.rs` tests that one. Unpaid orders live as long as said here.
    pub(crate) async fn found_with_ttl(&self, order_ttl_ms: i64) -> anyhow::Result<()> {
        let tables = async { anyhow::Ok(migrations::up(&self.db).await?) };
        tokio::try_join!(self.found_log(order_ttl_ms), tables).map(drop)
    }

    async fn found_log(&self, order_ttl_ms: i64) -> anyhow::Result<()> {
        let ((), schemas) = tokio::try_join!(self.make_topics(), schemas_of_the_registry())?;
        let rules = RulesActivated { schemas, order_ttl_ms, ..self.rules(1)? };
        let codec = Codec::new(&rules.schemas)?;
        let mut entries = Vec::new();
        for topic in Topic::ALL {
            for partition in 0..topic.partitions() {
                let rules = RulesActivated { event_id: Uuid::new_v4(), ..rules.clone() };
                let mut payload = Vec::new();
                codec.encode(&rules.into(), &mut payload)?;
                entries.push(Entry { topic, partition, payload: Some(payload) });
            }
        }
        self.append_entries(entries).await?;
        Ok(())
    }

    /// Rules of this log, without schemas.
    fn rules(&self, version: i32) -> anyhow::Result<RulesActivated> {
        Ok(RulesActivated {
            event_id: Uuid::new_v4(),
            fingerprint: None,
            version,
            log_id: LogId(Uuid::new_v4().into_bytes()),
            mode: Mode::Secure,
            opening_balance: 0,
            order_ttl_ms: ORDER_TTL_MS,
            email_key_check: KeyCheck::of(&hex::decode(&self.config.email_key)?),
            fingerprint_key_check: KeyCheck::of(&hex::decode(&self.config.fingerprint_key)?),
            schemas: Vec::new(),
        })
    }

    /// One for all there is to do: each takes its time to connect, and to end.
    pub(crate) fn admin(&self) -> anyhow::Result<&AdminClient<DefaultClientContext>> {
        if self.admin.get().is_none() {
            let admin = kafka::client(&self.config.kafka, &self.config.instance).create()?;
            let _ = self.admin.set(admin);
        }
        self.admin.get().context("just set")
    }

    /// The rules that founded the log, as the log says.
    pub(crate) async fn foundation(&self) -> anyhow::Result<RulesActivated> {
        let config = self.config.clone();
        let look = move || anyhow::Ok(log::foundation(&config, &log::patient_reader(&config)?)?);
        tokio::task::spawn_blocking(look).await?
    }

    async fn codec(&self) -> anyhow::Result<&Codec> {
        if self.codec.get().is_none() {
            let codec = Codec::new(&self.foundation().await?.schemas)?;
            let _ = self.codec.set(codec);
        }
        self.codec.get().context("just set")
    }

    /// A record as it stands in its partition.
    pub(crate) async fn entry(&self, record: &Record) -> anyhow::Result<Entry> {
        let carries = |topic: &Topic| topic.carries(record.record_type());
        let topic = Topic::ALL.into_iter().find(carries).context("some topic carries it")?;
        let mut payload = Vec::new();
        self.codec().await?.encode(record, &mut payload)?;
        let partition = partition::home(record).unwrap_or_default();
        Ok(Entry { topic, partition, payload: Some(payload) })
    }

    /// Appends records where they belong, in order.
    pub(crate) async fn append(&self, records: &[Record]) -> anyhow::Result<()> {
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            entries.push(self.entry(record).await?);
        }
        self.append_entries(entries).await.map(drop)
    }

    /// Appends payloads in order and returns their offsets.
    pub(crate) async fn append_entries(&self, entries: Vec<Entry>) -> anyhow::Result<Vec<u64>> {
        let mut under_way = Vec::with_capacity(entries.len());
        for Entry { topic, partition, payload } in &entries {
            let name = topic.name(&self.config.topic_prefix);
            let mut record = FutureRecord::<(), Vec<u8>>::to(&name).partition(*partition);
            record.payload = payload.as_ref();
            under_way.push(self.producer.send_result(record).map_err(|(error, _)| error)?);
        }
        let mut offsets = Vec::with_capacity(entries.len());
        for delivery in under_way {
            let delivered = delivery.await?.map_err(|(error, _)| error)?;
            offsets.push(delivered.offset.unsigned_abs());
        }
        Ok(offsets)
    }

    /// Where every partition of the log ends.
    pub(crate) async fn ends(&self) -> anyhow::Result<Vec<u64>> {
        let config = self.config.clone();
        let look = move || -> anyhow::Result<Vec<u64>> {
            let name = |topic: Topic| topic.name(&config.topic_prefix);
            let of_topic = |topic: Topic| (0..topic.partitions()).map(move |p| (name(topic), p));
            let all: Vec<(String, i32)> = Topic::ALL.into_iter().flat_map(of_topic).collect();
            Ok(log::reader(&config)?.end_offsets(&all, PATIENCE)?)
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// Offsets that MySQL has passed, over all partitions.
    pub(crate) async fn applied(&self) -> anyhow::Result<i64> {
        crate::statements::applied(&self.db).await
    }

    /// Waits until a projection has come to an offset.
    pub(crate) async fn until_applied(
        &self,
        topic: Topic,
        partition: i32,
        offset: u64,
    ) -> anyhow::Result<()> {
        let what = format!("{topic:?}-{partition} is applied up to offset {offset}");
        let look = async || {
            let next = self.next_offset(topic, partition).await?;
            Ok(if next >= offset { Ok(()) } else { Err(next) })
        };
        until_right(&what, look).await
    }

    /// Where a projection stands.
    pub(crate) async fn place(&self, topic: Topic, partition: i32) -> anyhow::Result<Option<Model>> {
        let group = match topic {
            Topic::Signup => "signup-projection",
            Topic::Coupon => "coupon-projection",
            Topic::Order => "order-projection",
        };
        let key = Key {
            group_name: group.to_owned(),
            topic: topic.name(&self.config.topic_prefix),
            partition_id: partition,
        };
        Ok(projection_offset::load(&self.db, &key).await?)
    }

    /// Next offset of a projection; 0 before it began.
    pub(crate) async fn next_offset(&self, topic: Topic, partition: i32) -> anyhow::Result<u64> {
        Ok(self.place(topic, partition).await?.map_or(0, |place| place.next_offset))
    }

    /// The audit once MySQL has caught up; it must have nothing to say.
    pub(crate) async fn clean_audit(&self) -> anyhow::Result<audit::Report> {
        let report = audit::run(&patient(&self.config), PATIENCE).await?;
        ensure!(report.caught_up_seconds.is_some(), "MySQL did not catch up: {report}");
        ensure!(report.clean, "{report}");
        Ok(report)
    }

    /// Announces dead letters; any other number of them fails the test when it ends.
    pub(crate) fn expect_dead_letters(&self, count: u64) {
        self.dead_letters_expected.store(count, Ordering::Relaxed);
    }

    fn leftovers(&self) -> anyhow::Result<()> {
        let reader = log::patient_reader(&self.config)?;
        let mut found = 0;
        let prefix = &self.config.topic_prefix;
        let facts = FactTopic::ALL.map(|topic| topic.dead_letters(prefix));
        for name in Topic::ALL.map(|topic| topic.dead_letters(prefix)).into_iter().chain(facts) {
            if reader.partitions(&name)? > 0 {
                found += reader.bounds(&name, 0)?.1;
            }
        }
        let expected = self.dead_letters_expected.load(Ordering::Relaxed);
        ensure!(found == expected, "{found} dead letters are there, {expected} were expected");
        Ok(())
    }

    async fn remove(self) -> anyhow::Result<()> {
        let Self { config, db, server, schema, admin, .. } = self;
        let topics = async {
            if let Some(admin) = admin.into_inner() {
                remove_topics(&admin, &config.topic_prefix).await?;
                // It joins a thread.
                tokio::task::spawn_blocking(move || drop(admin)).await?;
            }
            anyhow::Ok(())
        };
        let tables = async {
            db.close().await?;
            if let Some(server) = server {
                server.execute_unprepared(&format!("DROP DATABASE {schema}")).await?;
                server.close().await?;
            }
            anyhow::Ok(())
        };
        // Each whatever becomes of the other.
        let (topics, tables) = tokio::join!(topics, tables);
        topics.and(tables)
    }
}

//! Hidden subcommands that a benchmark needs: a backlog of claims or orders, and the raw inserts that it is compared
//! with.

pub mod orders;

use crate::{config::Config, log};
use anyhow::Context;
use chassis::kafka::{self, ProducerLimits};
use migrations::{
    bulk::{self, Row},
    entity::user_coupons,
};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use schemas::{
    Record, Topic, Uuid,
    codec::Codec,
    ids::COUPON_TOTAL_LIMIT,
    partition,
    records::{CouponClaimed, CouponOpened},
};
use sea_orm::{ConnectionTrait, Value};
use serde::Serialize;
use std::time::{Duration, Instant};

const LIMITS: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 60_000, queue_messages: 100_000, queue_kbytes: 65_536 };
/// Pause while the producer's queue is full.
const FULL: Duration = Duration::from_millis(5);
/// Coupons of the backlog: one in each partition.
const COUPONS: i64 = 8;

/// What was done and how long it took.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Records or rows.
    pub count: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Appends without waiting for each record.
struct Appender {
    codec: Codec,
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
}

impl Appender {
    fn to(topic: Topic, config: &Config) -> anyhow::Result<Self> {
        let rules = log::foundation(config, &log::patient_reader(config)?)?;
        let codec = Codec::new(&rules.schemas)?;
        let producer = kafka::producer(&config.kafka, "backlog", 5, LIMITS).create()?;
        Ok(Self { codec, producer, topic: topic.name(&config.topic_prefix) })
    }

    fn append(&self, record: &Record) -> anyhow::Result<()> {
        let mut payload = Vec::with_capacity(64);
        self.codec.encode(record, &mut payload)?;
        let home = partition::home(record).unwrap_or_default();
        loop {
            let record = BaseRecord::<'_, (), [u8]>::to(&self.topic).partition(home).payload(&payload);
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(FULL)
                }
                Err((error, _)) => return Err(error).context("appending"),
            }
        }
    }

    /// Waits until the brokers have all of it.
    fn finish(&self) -> anyhow::Result<()> {
        Ok(self.producer.flush(Duration::from_secs(120))?)
    }
}

/// Opens coupons 1 to 8 where they are missing and appends claims of distinct users, spread over them; blocking.
///
/// # Errors
/// A service that does not answer.
pub fn backlog(config: &Config, claims: u64, first_user: u64) -> anyhow::Result<Measured> {
    let log = Appender::to(Topic::Coupon, config)?;
    let began = Instant::now();
    for coupon_id in 1..=COUPONS {
        let opened = CouponOpened {
            event_id: Uuid::new_v4(),
            fingerprint: None,
            coupon_id,
            name: format!("bench {coupon_id}"),
            total: COUPON_TOTAL_LIMIT as i64 - 1,
            rate_bp: 1_000,
            expires_at_ms: i64::MAX,
        };
        log.append(&opened.into())?;
    }
    for n in 0..claims as i64 {
        let (event_id, coupon_id, user_id) = (Uuid::new_v4(), n % COUPONS + 1, first_user as i64 + n);
        log.append(&CouponClaimed { event_id, fingerprint: None, coupon_id, user_id }.into())?;
    }
    log.finish()?;
    Ok(Measured { count: claims, seconds: began.elapsed().as_secs_f64() })
}

/// A row of a table like `user_coupons` that no projection owns.
struct RawRow(user_coupons::Model);

impl Row for RawRow {
    const TABLE: &'static str = "user_coupons_raw";
    const COLUMNS: &'static [&'static str] = <user_coupons::Model as Row>::COLUMNS;
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.0.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        self.0.values(to);
    }
}

/// Inserts the rows that a backlog of the same size comes to, and nothing else: no offsets, no checks.
///
/// # Errors
/// The database's own.
pub async fn raw_inserts(config: &Config, rows: u64, writers: u64) -> anyhow::Result<Measured> {
    let db = config.writer_pool().await?;
    db.execute_unprepared("DROP TABLE IF EXISTS user_coupons_raw").await?;
    db.execute_unprepared("CREATE TABLE user_coupons_raw LIKE user_coupons").await?;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (db, batch) = (db.clone(), crate::limits::MAX_BATCH_RECORDS as u64);
        // Each writer has coupons of its own, as each partition has.
        let coupons: Vec<u64> = (1..=COUPONS as u64).filter(|id| id % writers == writer).collect();
        tasks.spawn(async move {
            for coupon_id in coupons {
                let numbers: Vec<u64> = (1..=rows / COUPONS as u64).collect();
                for numbers in numbers.chunks(batch as usize) {
                    let rows: Vec<RawRow> =
                        numbers.iter().map(|&number| raw_row(coupon_id, number)).collect();
                    bulk::insert(&db, &rows).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(Measured { count: rows, seconds: began.elapsed().as_secs_f64() })
}

fn raw_row(coupon_id: u64, number: u64) -> RawRow {
    let user_id = (number - 1) * COUPONS as u64 + coupon_id;
    RawRow(user_coupons::Model {
        id: (coupon_id << 32) + number,
        coupon_id,
        number,
        user_id,
        issued_at_ms: 0,
    })
}

//! Tells `control.acks` what this instance does: at once when it changes, and now and then so that silence means something.

use crate::{acks::Report, limits, skew::wall_ms, topics};
use chassis::{
    kafka::{self, ProducerLimits},
    shutdown::CancellationToken,
};
use rdkafka::{
    error::KafkaResult,
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};

const QUEUE: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: limits::DELIVERY_MS, queue_messages: 1_000, queue_kbytes: 4_096 };

/// See the module.
pub struct Reporter {
    producer: FutureProducer,
    topic: String,
    /// What to say, but for the time.
    compose: Arc<dyn Fn() -> Report + Send + Sync>,
    changed: Arc<Notify>,
}

impl Reporter {
    /// Says what `compose` says, whenever it is told that something changed.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(
        brokers: &str,
        prefix: &str,
        instance: &str,
        compose: Arc<dyn Fn() -> Report + Send + Sync>,
        changed: Arc<Notify>,
    ) -> KafkaResult<Self> {
        let client = format!("{instance}-acks");
        let producer = kafka::producer(brokers, &client, 0, QUEUE).create()?;
        Ok(Self { producer, topic: topics::name(prefix, topics::ACKS), compose, changed })
    }

    /// Works until shutdown; then says that it runs no group any more.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut tick = interval(limits::REPORT_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = None;
        loop {
            let is_tick = tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.changed.notified() => false,
                _ = tick.tick() => true,
            };
            let report = (self.compose)();
            // Whoever ends a transaction wakes this too: how far the database is, is said now and then.
            if is_tick || said.as_ref().is_none_or(|said| report.is_news(said)) {
                said = self.say(&report).await.then_some(report);
            }
        }
    }

    /// What is said last: whoever reads it knows that nothing of this instance is under way.
    pub async fn farewell(brokers: &str, prefix: &str, instance: &str) {
        let compose = Arc::new({
            let instance = instance.to_owned();
            move || Report { instance: instance.clone(), ..Report::default() }
        });
        match Self::new(brokers, prefix, instance, compose, Arc::default()) {
            Ok(reporter) => {
                let last = (reporter.compose)();
                reporter.say(&last).await;
            }
            Err(error) => tracing::debug!(%error, "the last report was not sent"),
        }
    }

    async fn say(&self, report: &Report) -> bool {
        let report = Report { at_ms: wall_ms(), ..report.clone() };
        let Ok(value) = serde_json::to_vec(&report) else { return false };
        let record = FutureRecord::to(&self.topic).partition(0).key(&report.instance).payload(&value);
        let sent = self.producer.send(record, Timeout::After(Duration::ZERO)).await;
        sent.map_err(|(error, _)| tracing::debug!(%error, "a report was not sent")).is_ok()
    }
}

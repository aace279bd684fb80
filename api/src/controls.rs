//! What operators ask for, at the ingress: it reads `control` before it folds anything, and answers for it like every
//! other process. Nothing of it is ever waited for by a request.

use crate::{config::Config, history::History};
use anyhow::Context;
use chassis::{kafka, shutdown::CancellationToken};
use control::{
    Address,
    journal::Journal,
    office::Office,
    reporter::Reporter,
    tail::{Tail, View},
};
use schemas::groups;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinHandle};

/// Reads `control` to its end: records that an operator decided to pass over must be known before they are met.
///
/// # Errors
/// A topic that is missing or cannot be read.
pub async fn open(config: &Config) -> anyhow::Result<Tail> {
    let settings = kafka::reader(&config.kafka, &config.instance);
    let tail = Tail::start(&settings, &config.topic_prefix).context("reading control")?;
    let view = tail.view();
    if view.first(Duration::from_millis(config.kafka_wait_ms)).await.is_none() {
        let trouble = view.trouble().unwrap_or_else(|| "the brokers do not answer".to_owned());
        anyhow::bail!("topic control was not read: {trouble}");
    }
    Ok(tail)
}

/// The operators' routes.
#[must_use]
pub fn office(config: &Config, view: View, history: Arc<History>) -> Office {
    let instance = &config.instance;
    let journal = Journal::new(&config.kafka, &config.topic_prefix, instance);
    let settings = kafka::reader(&config.kafka, instance);
    let pools = Arc::new(move || vec![history.pool()]);
    Office::new(view, journal, settings, &config.topic_prefix, &groups::ALL)
        .with_pools(pools)
        .with_database(Address::of_setting(&config.database_url).ok())
}

/// Says in `control.acks` what this process obeys, and which server it reads from.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn report(
    config: &Config,
    history: Arc<History>,
    changed: Arc<Notify>,
    shutdown: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let instance = config.instance.clone();
    let compose = Arc::new(move || history.report(&instance));
    let reporter = Reporter::new(&config.kafka, &config.topic_prefix, &config.instance, compose, changed);
    Ok(tokio::spawn(reporter.context("the reports of this process")?.run(shutdown.clone())))
}

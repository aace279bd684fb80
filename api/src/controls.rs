//! What operators ask for, at the ingress: it reads `control` before it folds anything, and answers for it like every
//! other process. Nothing of it is ever waited for by a request.

use crate::config::Config;
use anyhow::Context;
use chassis::kafka;
use control::{
    journal::Journal,
    office::Office,
    tail::{Tail, View},
};
use schemas::groups;

/// Reads `control` to its end: records that an operator decided to pass over must be known before they are met.
///
/// # Errors
/// A topic that is missing or cannot be read.
pub async fn open(config: &Config) -> anyhow::Result<Tail> {
    let settings = kafka::reader(&config.kafka, &config.instance);
    let tail = Tail::start(&settings, &config.topic_prefix).context("reading control")?;
    let view = tail.view();
    if view.first().await.is_none() {
        let trouble = view.trouble().unwrap_or_else(|| "the brokers do not answer".to_owned());
        anyhow::bail!("topic control was not read: {trouble}");
    }
    Ok(tail)
}

/// The operators' routes.
#[must_use]
pub fn office(config: &Config, view: View) -> Office {
    let instance = &config.instance;
    let journal = Journal::new(&config.kafka, &config.topic_prefix, instance);
    let settings = kafka::reader(&config.kafka, instance);
    Office::new(view, journal, settings, &config.topic_prefix, &groups::ALL)
}

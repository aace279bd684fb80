//! How far MySQL is behind the log: everything applied, and everybody told.

use super::database;
use crate::{config::Config, dispatch::Dispatches, group::Work, log, newest};
use anyhow::Context;
use chassis::{kafka, log_reader::RawRecord};
use migrations::entity::{outbox, projection_offset};
use schemas::{FactTopic, Topic};
use sea_orm::DatabaseConnection;
use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

/// One question to the brokers.
const ENDS_BUDGET: Duration = Duration::from_secs(30);

/// What is behind, in words; nothing where nothing is.
///
/// # Errors
/// A service that does not answer.
pub async fn behind(config: &Config, db: &DatabaseConnection) -> anyhow::Result<Option<String>> {
    let look = config.clone();
    let ends = tokio::task::spawn_blocking(move || ends(&look)).await??;
    let places = database::places(db).await.context("reading MySQL")?;
    let applied = |topic: &str, partition: i32| {
        let of = |place: &&projection_offset::Model| place.topic == topic && place.partition_id == partition;
        places.iter().find(of).map_or(0, |place| place.next_offset)
    };
    for ((topic, partition), end) in &ends {
        let next = applied(topic, *partition);
        if next < *end && holds_records(config, topic, *partition, next..*end).await? {
            return Ok(Some(format!(
                "MySQL waits for offset {next} of {topic}-{partition}, which ends at {end}"
            )));
        }
    }
    if let Some(waiting) = outbox::page(db, 0, 1).await.context("reading MySQL")?.first() {
        let offset = waiting.source_offset;
        return Ok(Some(format!("the outbox holds the payment of offset {offset} and maybe more")));
    }
    let topic = FactTopic::ExternalPlatform.name(&config.topic_prefix);
    let from = |partition| {
        let of = |place: &&projection_offset::Model| place.group_name == Dispatches::GROUP;
        let mine = places.iter().filter(of).find(|p| p.topic == topic && p.partition_id == partition);
        (partition, mine.map_or(0, |place| place.next_offset))
    };
    let unseen: Vec<(i32, u64)> = (0..FactTopic::ExternalPlatform.partitions()).map(from).collect();
    let look = config.clone();
    tokio::task::spawn_blocking(move || untaken(&look, &topic, &unseen)).await?
}

/// Whether anything but markers of transactions stands there.
async fn holds_records(
    config: &Config,
    topic: &str,
    partition: i32,
    range: std::ops::Range<u64>,
) -> anyhow::Result<bool> {
    let (config, topic) = (config.clone(), topic.to_owned());
    let look = move || -> anyhow::Result<bool> {
        let mut found = false;
        log::reader(&config)?.scan(&topic, partition, range, |_| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    };
    tokio::task::spawn_blocking(look).await?
}

fn ends(config: &Config) -> anyhow::Result<Vec<((String, i32), u64)>> {
    let wanted: Vec<(String, i32)> = Topic::ALL
        .into_iter()
        .flat_map(|topic| (0..topic.partitions()).map(move |partition| (topic, partition)))
        .map(|(topic, partition)| (topic.name(&config.topic_prefix), partition))
        .collect();
    let ends = log::reader(config)?.end_offsets(&wanted, ENDS_BUDGET);
    Ok(wanted.into_iter().zip(ends.context("asking where the log ends")?).collect())
}

/// A fact that its projection has not seen. Looked for itself: the end may be the mark of a transaction.
fn untaken(config: &Config, topic: &str, from: &[(i32, u64)]) -> anyhow::Result<Option<String>> {
    let settings = kafka::reader(&config.kafka, &config.instance);
    let take = |_, found: &mut Option<u64>, raw: &RawRecord<&[u8]>| *found = Some(raw.offset);
    let found: BTreeMap<i32, Option<u64>> = newest::search(&settings, topic, from, take, Option::is_some)?;
    let behind = found.iter().find_map(|(partition, offset)| offset.map(|offset| (*partition, offset)));
    Ok(behind.map(|(partition, offset)| format!("MySQL has not seen offset {offset} of {topic}-{partition}")))
}

//! The topics of a world: made as `init` makes them, without its caution, and removed.

use crate::{
    patience::{asking, making},
    world::World,
};
use rdkafka::{
    admin::{AdminClient, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use schemas::{FactTopic, Topic};
use std::time::Duration;

fn single(name: &str, partitions: i32) -> NewTopic<'_> {
    NewTopic::new(name, partitions, TopicReplication::Fixed(1))
}

fn kept_for_ever<'a>(name: &'a str, partitions: i32, policy: &'a str) -> NewTopic<'a> {
    let topic = single(name, partitions).set("retention.ms", "-1");
    topic.set("message.timestamp.type", "LogAppendTime").set("cleanup.policy", policy)
}

impl World {
    pub(crate) async fn make_topics(&self) -> anyhow::Result<()> {
        let prefix = &self.config.topic_prefix;
        let logs = Topic::ALL.map(|topic| (topic.name(prefix), topic.partitions(), "delete"));
        let facts = FactTopic::ALL.map(|topic| {
            let policy = if topic == FactTopic::ExternalPlatform { "compact" } else { "delete" };
            (topic.name(prefix), topic.partitions(), policy)
        });
        let controls = control::topics::ALL.map(|topic| {
            let policy = if topic == control::topics::AUDIT { "delete" } else { "compact" };
            (control::topics::name(prefix, topic), 1, policy)
        });
        let kept: Vec<_> = logs.into_iter().chain(facts).chain(controls).collect();
        let dead = Topic::ALL.map(|topic| topic.dead_letters(prefix)).into_iter();
        let dead: Vec<String> = dead.chain([FactTopic::ExternalPlatform.dead_letters(prefix)]).collect();
        let topics = kept.iter().map(|(name, partitions, policy)| kept_for_ever(name, *partitions, policy));
        let topics: Vec<_> = topics.chain(dead.iter().map(|name| single(name, 1))).collect();
        for made in self.admin()?.create_topics(&topics, &making()).await? {
            made.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
        }
        Ok(())
    }
}

/// Topics that were never made are refused one by one. The brokers have decided it when this returns, and do it later:
/// nobody waits for that.
pub(crate) async fn remove_topics(
    admin: &AdminClient<DefaultClientContext>,
    prefix: &str,
) -> anyhow::Result<()> {
    let logs = Topic::ALL.into_iter().flat_map(|topic| [topic.name(prefix), topic.dead_letters(prefix)]);
    let facts = FactTopic::ALL.into_iter().flat_map(|t| [t.name(prefix), t.dead_letters(prefix)]);
    let controls = control::topics::ALL.into_iter().map(|topic| control::topics::name(prefix, topic));
    let names: Vec<String> = logs.chain(facts).chain(controls).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    admin.delete_topics(&names, &asking().operation_timeout(Some(Duration::ZERO))).await?;
    Ok(())
}

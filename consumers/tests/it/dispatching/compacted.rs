//! The topic is compacted and kept for ever: what is left of it after years fills a database as the whole would.

use super::*;
use crate::{patience::asking, world::in_world};
use dispatches::{DELIVERED, FAILED};
use rdkafka::admin::{AlterConfig, ResourceSpecifier};
use schemas::facts::{DispatchDelivered, DispatchFailed, DispatchRequested, PlatformEventReceived};
use std::collections::BTreeSet;

fn requested(order_id: i64, redriven: bool) -> Fact {
    let (source_offset, user_id, total, discount, paid, at_ms) = (order_id, 1, 10, 1, 9, 1);
    DispatchRequested { source_offset, order_id, user_id, total, discount, paid, at_ms, redriven }.into()
}

fn failed(order_id: i64, reason: &str) -> Fact {
    DispatchFailed { order_id, attempts: 8, reason: reason.to_owned(), at_ms: 1 }.into()
}

fn delivered(order_id: i64, attempts: i32) -> Fact {
    DispatchDelivered { order_id, attempts, at_ms: 1 }.into()
}

fn told(event_id: &str) -> Fact {
    let (event_id, kind) = (event_id.to_owned(), "SHIPPED".to_owned());
    PlatformEventReceived { event_id, order_id: 1, kind, occurred_at_ms: 1 }.into()
}

/// Of partition 0: order 1 failed and was delivered at a second try, order 9 failed twice, order 17 was delivered and
/// then asked for again, order 25 was delivered before anything of it was asked.
fn history() -> Vec<Fact> {
    vec![
        requested(1, false),
        requested(9, false),
        requested(17, false),
        failed(1, "HTTP 500"),
        failed(9, "HTTP 500"),
        requested(1, true),
        requested(9, true),
        delivered(17, 3),
        delivered(1, 2),
        delivered(1, 2),
        failed(9, "HTTP 422"),
        requested(17, true),
        delivered(25, 1),
        requested(25, false),
        told("event"),
        told("event"),
    ]
}

/// Lets the brokers compact what is there, and waits until they have.
async fn compact(world: &World) -> anyhow::Result<()> {
    let name = FactTopic::ExternalPlatform.name(&world.config.topic_prefix);
    let eager = AlterConfig::new(ResourceSpecifier::Topic(&name))
        .set("cleanup.policy", "compact")
        .set("message.timestamp.type", "LogAppendTime")
        .set("min.cleanable.dirty.ratio", "0.0")
        .set("segment.ms", "50");
    for altered in world.admin()?.alter_configs([&eager], &asking()).await? {
        altered.map_err(|(_, code)| anyhow::anyhow!("{code}"))?;
    }
    until_true("no key stands twice", async || {
        // Each begins a new segment; only those before it are compacted.
        world.append_facts(&[told("event")]).await?;
        let facts = world.facts(FactTopic::ExternalPlatform).await?;
        // The newest ones stand in the segment that is written to.
        let keys: Vec<_> = facts.iter().map(|f| &f.key).filter(|key| !key.ends_with(":event")).collect();
        Ok(keys.len() == keys.iter().collect::<BTreeSet<_>>().len())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_compaction_leaves_fills_a_database_as_the_whole_topic_did() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, Dispatches::GROUP, 1.0).await?;
        world.append_facts(&history()).await?;
        let process = world.start_with(config.clone()).await?;
        process.until_it_owns(PARTITIONS).await?;
        until_true("the last fact was taken", async || {
            Ok(world.number("SELECT COUNT(*) AS n FROM platform_events").await? == 1)
        })
        .await?;
        let before = rows(world).await?;
        let states: Vec<_> = before.iter().map(|row| (row.order_id, row.state, row.attempts)).collect();
        assert_eq!(states, [(1, DELIVERED, 2), (9, FAILED, 8), (17, DELIVERED, 3), (25, DELIVERED, 1)]);
        assert_eq!(before[1].last_error.as_deref(), Some("HTTP 422"));
        assert!(before.iter().all(|row| row.paid == Some(9)));
        process.stop().await?;

        let whole = world.facts(FactTopic::ExternalPlatform).await?.len();
        compact(world).await?;
        let events = |facts: &[crate::facts::Standing]| {
            facts.iter().filter(|f| f.key.starts_with("PlatformEventReceived")).count()
        };
        let left = world.facts(FactTopic::ExternalPlatform).await?;
        assert!(left.len() - events(&left) < whole - 2, "{left:?}");
        world.empty().await?;
        let process = world.start_with(config).await?;
        process.until_it_owns(PARTITIONS).await?;
        until_true("all of it is there again", async || Ok(rows(world).await? == before)).await?;
        assert_eq!(partner.calls(), 0, "nobody was told of what was over");
        process.stop().await
    })
    .await
}

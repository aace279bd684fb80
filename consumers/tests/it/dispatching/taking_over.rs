//! Whoever tells the partner may die between the call and the record of it. Somebody else tells it once more, when the
//! lease has ended, under the same key.

use super::*;
use crate::world::{SOON_MISSED_MS, in_world};
use dispatches::{DELIVERED, PENDING};
use stack::{platform::Mode, private};
use std::collections::BTreeMap;

/// A process' environment for these settings.
fn environment(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    let Value::Object(settings) = serde_json::to_value(config)? else { anyhow::bail!("no settings") };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let settings = settings.into_iter().map(|(name, value)| (name.to_uppercase(), text(value)));
    let set = settings.filter(|(_, text)| !text.is_empty());
    Ok(set.map(|(name, text)| (format!("TIDEMARK_{name}"), text)).collect())
}

fn renamed(config: &Config, end: &str) -> Config {
    Config { instance: config.instance.replace("-a", end), ..config.clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_killed_between_the_call_and_its_record_is_replaced_when_the_lease_ends() -> anyhow::Result<()>
{
    in_world(async |world| {
        let (partner, config) = scene(world, ALL, 1.0).await?;
        let shop = world.start_and_open().await?;
        let telling = Config {
            groups: Dispatches::GROUP.into(),
            platform_timeout_ms: 100_000,
            session_timeout_ms: SOON_MISSED_MS,
            ..renamed(&config, "-b")
        };
        let env = environment(&telling)?;
        let started = tokio::task::spawn_blocking(move || private::process("consumers", &["run"], env, 0));
        let mut killed = started.await??;
        // The effect happens at once, the answer does not come.
        partner.set_mode(Mode::Slow { ms: 600_000 })?;
        pay(world, 1..=1).await?;
        until_true("the partner has the order", async || Ok(partner.effects().contains_key("1"))).await?;
        tokio::task::spawn_blocking(move || killed.kill()).await??;

        partner.set_mode(Mode::Fast)?;
        let lasting = Config { session_timeout_ms: world.config.session_timeout_ms, ..telling };
        let other = world.start_with(renamed(&lasting, "-c")).await?;
        // A static member that is gone is missed when its session ends.
        other.until_it_owns(PARTITIONS).await?;
        // Order 9 stands in the same partition.
        pay(world, 2..=9).await?;
        row_when(world, 9, "was delivered", |row| row.state == DELIVERED).await?;
        let leased = row_when(world, 1, "is there", |_| true).await?;
        assert_eq!((leased.state, leased.attempts, partner.calls_of("1")), (PENDING, 0, 1));
        assert!(leased.lease_owner.is_some() && leased.lease_until_ms > 0, "{leased:?}");
        assert!(ends(world).await?.iter().all(|(order, _)| *order != 1));

        world.sql("UPDATE external_dispatches SET lease_until_ms = 1 WHERE order_id = 1").await?;
        let row = row_when(world, 1, "was delivered", |row| row.state == DELIVERED).await?;
        assert_eq!((row.attempts, row.lease_owner, partner.calls_of("1")), (1, None, 2));
        assert_one_effect_each(&partner, 1..=9);
        world.clean_audit().await?;
        other.stop().await?;
        shop.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_frozen_during_the_call_writes_nothing_when_it_wakes() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, ALL, 1.0).await?;
        let shop = world.start_and_open().await?;
        let telling = Config {
            groups: Dispatches::GROUP.into(),
            platform_timeout_ms: SHORT_TIMEOUT_MS,
            session_timeout_ms: SOON_MISSED_MS,
            ..renamed(&config, "-b")
        };
        let env = environment(&telling)?;
        let started = tokio::task::spawn_blocking(move || private::process("consumers", &["run"], env, 0));
        let mut frozen = started.await??;
        let health = format!("{}/health", frozen.admin_url());
        let calls = async || -> anyhow::Result<Value> {
            let answer = reqwest::Client::builder().no_proxy().build()?.get(&health).send().await?;
            Ok(answer.json::<Value>().await?["dispatch"]["inFlight"].clone())
        };
        partner.set_mode(Mode::Slow { ms: 600_000 })?;
        pay(world, 1..=1).await?;
        until_true("the partner is called", async || Ok(calls().await? == 1)).await?;
        frozen.freeze()?;

        let lasting = Config { session_timeout_ms: world.config.session_timeout_ms, ..telling };
        let other = world.start_with(renamed(&lasting, "-c")).await?;
        // A static member that does not answer is missed when its session ends.
        other.until_it_owns(PARTITIONS).await?;
        let before = row_when(world, 1, "is there", |_| true).await?;
        // What follows happens within its lease.
        let owner = before.lease_owner.clone().unwrap_or_default();
        assert!(owner.ends_with(frozen.name()), "{before:?}");
        frozen.thaw()?;
        until_true("it has given the call up", async || Ok(calls().await? == 0)).await?;
        assert_eq!(row_when(world, 1, "is there", |_| true).await?, before, "who woke has written");

        partner.set_mode(Mode::Fast)?;
        world.sql("UPDATE external_dispatches SET lease_until_ms = 1 WHERE order_id = 1").await?;
        row_when(world, 1, "was delivered", |row| row.state == DELIVERED).await?;
        assert_one_effect_each(&partner, 1..=1);
        world.clean_audit().await?;
        other.stop().await?;
        shop.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_the_telling_and_no_order_is_told_twice() -> anyhow::Result<()> {
    in_world(async |world| {
        const ORDERS: usize = 120;
        let (partner, config) = scene(world, SHOP, 1.0).await?;
        let a = start(world, &config).await?;
        pay(world, 1..=ORDERS as i64 / 2).await?;
        // As in production: whoever is missed amid a call has it made twice, so it must not be missed too soon.
        let session_timeout_ms = consumers::limits::SESSION_TIMEOUT.as_millis() as u64;
        let telling =
            Config { groups: Dispatches::GROUP.into(), session_timeout_ms, ..renamed(&config, "-b") };
        // Partitions move while orders are told, there and back.
        let b = world.start_with(telling).await?;
        until_true("both own partitions", async || {
            let (of_a, of_b) = (a.owns().await?, b.owns().await?);
            Ok(of_b > 0 && of_a + of_b == 1 + PARTITIONS)
        })
        .await?;
        let ending = tokio::join!(pay(world, ORDERS as i64 / 2 + 1..=ORDERS as i64), b.stop());
        ending.0?;
        ending.1?;
        a.until_it_owns(1 + PARTITIONS).await?;
        until_delivered(world, ORDERS).await?;
        assert_one_effect_each(&partner, 1..=ORDERS as u64);
        assert_eq!(partner.calls(), ORDERS as u64);
        let ends = ends(world).await?;
        assert_eq!(ends.iter().map(|(order, _)| *order).collect::<Vec<_>>(), (1..=120).collect::<Vec<_>>());
        a.stop().await
    })
    .await
}

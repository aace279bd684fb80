//! A database that was emptied or set back is filled again from the topic; nobody is told anything again.

use super::*;
use crate::world::in_world;
use dispatches::PENDING;
use stack::platform::Mode;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_database_is_filled_again_and_nothing_is_told_again() -> anyhow::Result<()> {
    in_world(async |world| {
        const ORDERS: usize = 80;
        let (partner, config) = scene(world, SHOP, 1.0).await?;
        // Fact by fact: whoever does not wait for a partition's end tells of what is requested and not yet delivered.
        let config = Config { batch_records: 1, ..config };
        let process = start(world, &config).await?;
        pay(world, 1..=ORDERS as i64).await?;
        until_delivered(world, ORDERS).await?;
        let before = rows(world).await?;
        assert_eq!(partner.calls(), ORDERS as u64);

        // Under a process that runs: each partition notices with its next fact.
        world.empty().await?;
        pay(world, ORDERS as i64 + 1..=ORDERS as i64 + 8).await?;
        until_delivered(world, ORDERS + 8).await?;
        assert_eq!(partner.calls(), ORDERS as u64 + 8);
        assert_eq!(rows(world).await?[..ORDERS], before);
        process.stop().await?;

        // Under none.
        let before = rows(world).await?;
        world.empty().await?;
        let process = start(world, &Config { groups: ALL.into(), ..config }).await?;
        until_delivered(world, ORDERS + 8).await?;
        world.clean_audit().await?;
        assert_eq!(rows(world).await?, before);
        assert_one_effect_each(&partner, 1..=ORDERS as u64 + 8);
        assert_eq!(partner.calls(), ORDERS as u64 + 8);
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_from_a_database_that_was_set_back_under_a_process() -> anyhow::Result<()> {
    in_world(async |world| {
        // The first retry comes after 50 s.
        let (partner, config) = scene(world, SHOP, 10.0).await?;
        let process = start(world, &config).await?;
        partner.set_mode(Mode::Unavailable)?;
        pay(world, 1..=8).await?;
        until_true("every order was tried", async || {
            let rows = rows(world).await?;
            Ok(rows.len() == 8 && rows.iter().all(|row| row.attempts == 1 && row.lease_owner.is_none()))
        })
        .await?;
        world.keep_copy().await?;
        world.sql("UPDATE kept_external_dispatches SET next_attempt_at_ms = 0").await?;
        partner.set_mode(Mode::Fast)?;
        make_due(world).await?;
        until_delivered(world, 8).await?;
        assert_eq!(partner.calls(), 16);

        world.put_back_copy().await?;
        until_true("the dispatcher notices", async || {
            let health = dispatcher(&process).await?;
            Ok(health["waits"].as_str().is_some_and(|waits| waits.contains("set back")))
        })
        .await?;
        let rows_now = rows(world).await?;
        assert!(rows_now.iter().all(|row| row.state == PENDING && row.next_attempt_at_ms == 0));
        // Each partition notices with its next fact.
        pay(world, 9..=16).await?;
        until_delivered(world, 16).await?;
        for order in 1..=16_u64 {
            let expected = if order <= 8 { 2 } else { 1 };
            assert_eq!(partner.calls_of(&order.to_string()), expected, "order {order}");
        }
        assert_one_effect_each(&partner, 1..=16);
        assert_eq!(dispatcher(&process).await?["waits"], Value::Null);
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

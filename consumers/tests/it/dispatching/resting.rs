//! A pause amid calls: what they came to is in the topic when it ends, and nobody is called again.

use super::*;
use crate::{
    operator::{pause, resume, settles},
    world::in_world,
};
use dispatches::DELIVERED;
use serde_json::json;
use stack::platform::Mode;

/// More than are called at once.
const ORDERS: i64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_called_before_a_pause_is_not_called_again_after_it() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, SHOP, 1.0).await?;
        let process = start(world, &config).await?;
        partner.set_mode(Mode::Slow { ms: 1_000 })?;
        pay(world, 1..=ORDERS).await?;
        let calls = || (1..=ORDERS).map(|order| partner.calls_of(&order.to_string())).sum::<u64>();
        until_true("calls are under way", async || Ok(calls() > 0)).await?;
        let paused = pause(&process, json!({"scope": {"all": true}})).await?;
        settles(&process, &paused, "PAUSED").await?;
        let called = calls();
        assert!(called < ORDERS as u64, "all had been called already");
        // As after a pause that outlasts the leases.
        world.sql("UPDATE external_dispatches SET lease_until_ms = 0").await?;
        resume(&process, json!({})).await?;
        until_true("all are delivered", async || {
            Ok(rows(world).await?.iter().all(|row| row.state == DELIVERED))
        })
        .await?;
        for order in 1..=ORDERS {
            assert_eq!(
                partner.calls_of(&order.to_string()),
                1,
                "of order {order}; {called} before the pause"
            );
        }
        process.stop().await
    })
    .await
}

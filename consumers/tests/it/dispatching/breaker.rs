//! A host that does not answer is left alone for a while; no order is judged by that.

use super::*;
use crate::world::in_world;
use consumers::limits::{BREAKER_FAILURES, BREAKER_PAUSE};
use dispatches::PENDING;
use stack::platform::Mode;
use std::time::Instant;

/// The breaker's pause is a second, the first retry comes after half of one, the second after 30.
const SCALE: f64 = 0.1;
const ORDERS: usize = 40;
const CALLS_AT_ONCE: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_is_down_is_left_alone_and_no_order_pays_for_it() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, SHOP, SCALE).await?;
        let config = Config { platform_concurrency: CALLS_AT_ONCE, ..config };
        let process = start(world, &config).await?;
        assert_eq!(dispatcher(&process).await?["breaker"], "closed");
        partner.set_mode(Mode::Unavailable)?;
        pay(world, 1..=ORDERS as i64).await?;
        until_true("all are to be told", async || Ok(rows(world).await?.len() == ORDERS)).await?;
        // It may have been open for a while when that is seen.
        let mut closed = Instant::now();
        let health = until("the breaker opens", async || {
            let looked = Instant::now();
            let health = dispatcher(&process).await?;
            if health["breaker"] != "open" {
                closed = looked;
            }
            Ok((health["breaker"] == "open").then_some(health))
        })
        .await?;
        let waits = health["waits"].as_str().unwrap_or_default();
        assert!(waits.contains("the breaker is open"), "{waits}");
        assert!(partner.calls() >= u64::from(BREAKER_FAILURES));
        // Down as it is, it is asked once in a pause.
        let (calls, began) = (partner.calls(), Instant::now());
        // What had begun when it opened may still come; of two others one waits for a whole pause.
        let more = CALLS_AT_ONCE as u64 - 1 + 2;
        until_true("two more calls", async || Ok(partner.calls() >= calls + more)).await?;
        let pauses = began.elapsed().as_secs_f64() / BREAKER_PAUSE.mul_f64(SCALE).as_secs_f64();
        assert!(pauses > 0.9 && partner.calls() as f64 <= calls as f64 + pauses + 2.0, "{pauses} pauses");

        let rows = rows(world).await?;
        assert!(rows.iter().all(|row| row.state == PENDING));
        let untried = rows.iter().filter(|row| row.attempts == 0).count();
        let open = closed.elapsed().as_secs_f64() / BREAKER_PAUSE.mul_f64(SCALE).as_secs_f64();
        let most = BREAKER_FAILURES as usize + CALLS_AT_ONCE + 2 + open as usize + 1;
        assert!(untried >= ORDERS - most, "{untried} of {ORDERS} were never tried");
        assert!(rows.iter().all(|row| row.attempts > 0 || row.last_error.is_none()));

        partner.set_mode(Mode::Fast)?;
        until_delivered(world, ORDERS).await?;
        assert_eq!(dispatcher(&process).await?["breaker"], "closed");
        assert_one_effect_each(&partner, 1..=ORDERS as u64);
        let ends = ends(world).await?;
        assert_eq!(ends.len(), ORDERS);
        for (order, end) in ends {
            let calls = partner.calls_of(&order.to_string());
            assert_eq!(
                attempts_of(&end) as u64,
                calls,
                "order {order}: no attempt was counted that was no call"
            );
        }
        process.stop().await
    })
    .await
}

fn attempts_of(end: &Fact) -> i32 {
    match end {
        Fact::DispatchDelivered(fact) => fact.attempts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_refuses_orders_is_not_left_alone() -> anyhow::Result<()> {
    in_world(async |world| {
        const REFUSED: u64 = 3 * BREAKER_FAILURES as u64;
        // The first retry comes after 50 s.
        let (partner, config) = scene(world, SHOP, 10.0).await?;
        partner.set_mode(Mode::Refusal { status: 422 })?;
        let process = start(world, &config).await?;
        pay(world, 1..=REFUSED as i64).await?;
        until_true("every order was refused", async || {
            let rows = rows(world).await?;
            let refused = rows.iter().filter(|row| row.last_error.as_deref() == Some("HTTP 422"));
            Ok(refused.count() as u64 == REFUSED)
        })
        .await?;
        assert_eq!(dispatcher(&process).await?["breaker"], "closed");
        assert_eq!((partner.calls(), partner.effects().len()), (REFUSED, 0));
        process.stop().await
    })
    .await
}

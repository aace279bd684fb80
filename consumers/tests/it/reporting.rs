//! What a process says of itself: at once where somebody waits for it, and else now and then.

use crate::{
    patience::until_true,
    records::{claim, fresh, open},
    world::{World, in_world},
};
use consumers::log;
use control::limits::REPORT_INTERVAL;
use schemas::Topic;
use std::time::Instant;

/// Transactions, one after the other.
const BATCHES: u64 = 60;
/// Reports of changes that are none of theirs, such as sessions that the pool opens.
const OTHERS: u64 = 12;

async fn reports(world: &World) -> anyhow::Result<u64> {
    let config = world.config.clone();
    let name = format!("{}control.acks", config.topic_prefix);
    let look = move || -> anyhow::Result<u64> { Ok(log::patient_reader(&config)?.bounds(&name, 0)?.1) };
    tokio::task::spawn_blocking(look).await?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_does_not_report_every_transaction() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 1_000)]).await?;
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        let (before, began) = (reports(world).await?, Instant::now());
        let first = world.next_offset(Topic::Coupon, 0).await?;
        for n in 1..=BATCHES {
            world.append(&[claim(fresh(), 1, n as i64)]).await?;
            world.until_applied(Topic::Coupon, 0, first + n).await?;
        }
        let ticks = began.elapsed().as_secs() / REPORT_INTERVAL.as_secs() + 1;
        let said = reports(world).await? - before;
        assert!(said <= ticks + OTHERS, "{said} reports of {BATCHES} transactions, {ticks} were due anyway");
        // All of it may have taken less time than there is between two reports.
        until_true("anything is said at all", async || Ok(reports(world).await? > before)).await?;
        process.stop().await
    })
    .await
}

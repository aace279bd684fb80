//! A commit that was done and whose answer was lost: the effect is there once.

use crate::{
    patience::until_true,
    records::{claim, fresh, open},
    world::{World, in_world},
};
use consumers::config::Config;
use migrations::entity::user_coupons;
use schemas::Topic;
use sea_orm::{ConnectionTrait, EntityTrait, IsolationLevel, TransactionTrait};
use stack::proxy::{Mode, Proxy};
use std::time::Duration;

/// Each chunk of bytes, each way; long against two looks at MySQL.
const DELAY: Duration = Duration::from_millis(1_500);

/// Whether the worker's insert is done, committed or not.
async fn is_inserted(world: &World) -> anyhow::Result<bool> {
    let look = world.db.begin_with_config(Some(IsolationLevel::ReadUncommitted), None).await?;
    let row = user_coupons::Entity::find_by_id((1_u64 << 32) + 2).one(&look).await?;
    look.rollback().await?;
    Ok(row.is_some_and(|row| row.user_id == 2))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_has_one_effect() -> anyhow::Result<()> {
    in_world(async |world| {
        let (host, schema) = world.config.database_url.rsplit_once('/').unwrap_or_default();
        let (user, address) = host.rsplit_once('@').unwrap_or_default();
        let proxy = Proxy::start(address.parse()?)?;
        let database_url = format!("{user}@{}/{schema}", proxy.addr());
        world.append(&[open(fresh(), 1, 100), claim(fresh(), 1, 1)]).await?;
        let process = world.start_with(Config { database_url, ..world.config.clone() }).await?;
        process.until_it_owns(13).await?;
        world.until_applied(Topic::Coupon, 0, 3).await?;
        world.clean_audit().await?;
        // A row that is not committed yet holds the worker's insert up, its last statement before the commit.
        let other = world.db.begin().await?;
        other.execute_unprepared("INSERT INTO user_coupons VALUES ((1 << 32) + 2, 1, 2, 999, 0)").await?;
        world.append(&[claim(fresh(), 1, 2)]).await?;
        world.until_it_runs("INSERT INTO `user_coupons`").await?;
        proxy.set(Mode::Delay(DELAY))?;
        other.rollback().await?;
        // Seen a few times: so the answer has surely reached the proxy, and only the commit is missing.
        for _ in 0..4 {
            until_true("the insert is done", async || is_inserted(world).await).await?;
        }
        proxy.set(Mode::DropAnswers)?;
        world.until_applied(Topic::Coupon, 0, 4).await?;
        assert_eq!(process.not_ready().await?, None, "it waits for its answer");
        // Now the connections break, and nobody knows what became of the commit.
        until_true("the answer is thrown away", async || Ok(proxy.dropped_bytes() > 0)).await?;
        let epoch = world.place(Topic::Coupon, 0).await?.map(|place| place.epoch);
        proxy.set(Mode::Pass)?;
        proxy.cut();
        until_true("the partition is opened again", async || {
            Ok(world.place(Topic::Coupon, 0).await?.map(|place| place.epoch) > epoch)
        })
        .await?;
        world.append(&[claim(fresh(), 1, 3)]).await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len(), 3);
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

//! MySQL cannot serve: the instance holds itself, probes, and goes on by itself. Nothing is lost, nothing becomes a
//! dead letter.

use crate::{
    patience::until_true,
    records::{claim, fresh, open},
    world::{World, in_world, in_world_on},
};
use schemas::Topic;
use sea_orm::{ConnectionTrait, TransactionTrait};
use stack::{private, services::MySql};

async fn append_claims(world: &World, users: std::ops::RangeInclusive<i64>) -> anyhow::Result<()> {
    let claims: Vec<_> = users.map(|user| claim(fresh(), 1, user)).collect();
    world.append(&claims).await
}

fn set_read_only(mysql: &MySql, on: bool) -> anyhow::Result<()> {
    // Setting the stronger one sets the weaker too; clearing it does not.
    let sql = if on { "SET GLOBAL super_read_only = ON" } else { "SET GLOBAL read_only = OFF" };
    mysql.sql(sql)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_or_killed_database_is_waited_for() -> anyhow::Result<()> {
    let mut mysql = private::mysql()?;
    let url = mysql.url();
    in_world_on(&url, async |world| {
        world.append(&[open(fresh(), 1, 1_000)]).await?;
        append_claims(world, 1..=10).await?;
        let process = world.start_and_open().await?;
        world.until_applied(Topic::Coupon, 0, 12).await?;

        set_read_only(&mysql, true)?;
        append_claims(world, 11..=20).await?;
        let reason = process.until_not_ready("coupon-projection holds").await?;
        assert!(reason.contains("read-only"), "{reason}");
        assert_eq!(world.next_offset(Topic::Coupon, 0).await?, 12);
        set_read_only(&mysql, false)?;
        world.until_applied(Topic::Coupon, 0, 22).await?;
        until_true("it is ready", async || Ok(process.not_ready().await?.is_none())).await?;

        mysql.kill()?;
        append_claims(world, 21..=30).await?;
        process.until_not_ready("coupon-projection holds").await?;
        mysql.restart()?;
        world.clean_audit().await?;
        until_true("it is ready", async || Ok(process.not_ready().await?.is_none())).await?;
        assert_eq!(world.rows().await?.claims.len(), 30);
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_locked_beyond_the_lock_wait_timeout_is_tried_again() -> anyhow::Result<()> {
    let mysql = private::mysql_with(|options| options.extra.push("--innodb-lock-wait-timeout=1".to_owned()))?;
    let url = mysql.url();
    in_world_on(&url, async |world| {
        world.append(&[open(fresh(), 1, 1_000)]).await?;
        append_claims(world, 1..=10).await?;
        let process = world.start_and_open().await?;
        world.until_applied(Topic::Coupon, 0, 12).await?;
        let other = world.db.begin().await?;
        let of_partition_0 = "WHERE group_name = 'coupon-projection' AND partition_id = 0";
        let lock = format!("SELECT epoch FROM projection_offset {of_partition_0} FOR UPDATE");
        other.execute_unprepared(&lock).await?;
        let before = world.lock_waits().await?;
        append_claims(world, 11..=20).await?;
        until_true("three transactions have waited for the row", async || {
            Ok(world.lock_waits().await? >= before + 3)
        })
        .await?;
        other.rollback().await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len(), 20);
        let place = world.place(Topic::Coupon, 0).await?;
        assert_eq!(place.map(|place| place.epoch), Some(1), "it was not even opened again");
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_not_there_yet_are_waited_for() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 1_000)]).await?;
        world.sql("RENAME TABLE seaql_migrations TO hidden").await?;
        let process = world.start().await?;
        let reason = process.until_not_ready("run `consumers init`").await?;
        assert!(reason.contains("holds"), "it stopped for good: {reason}");
        world.sql("RENAME TABLE hidden TO seaql_migrations").await?;
        until_true("it is ready", async || Ok(process.not_ready().await?.is_none())).await?;
        world.until_applied(Topic::Coupon, 0, 2).await?;
        world.clean_audit().await?;
        process.stop().await
    })
    .await
}

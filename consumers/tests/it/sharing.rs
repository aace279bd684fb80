//! Two instances share a group: partitions move between them, records are neither skipped nor applied twice.

use crate::{
    patience::until_true,
    process::Process,
    records::{claim, fresh, guest_of, open},
    world::{SOON_MISSED_MS, World, in_world},
};
use consumers::config::Config;
use migrations::entity::projection_offset;
use schemas::Topic;
use sea_orm::EntityTrait;

const COUPONS: i64 = 8;
const PARTITIONS: i32 = 13;

fn second(world: &World) -> Config {
    let instance = world.config.instance.replace("-a", "-b");
    Config { instance, ..world.config.clone() }
}

/// Both instances, with the partitions shared between them. The first one is missed after so long.
async fn both(world: &World, session_timeout_ms: u64) -> anyhow::Result<(Process, Process)> {
    let a = world.start_with(Config { session_timeout_ms, ..world.config.clone() }).await?;
    a.until_it_owns(PARTITIONS).await?;
    let b = world.start_with(second(world)).await?;
    until_true("both instances own partitions", async || {
        let (of_a, of_b) = (a.owns().await?, b.owns().await?);
        Ok(of_a > 0 && of_b > 0 && of_a + of_b == PARTITIONS)
    })
    .await?;
    Ok((a, b))
}

/// A claim of these users on every coupon, and a guest in every partition.
async fn append_round(world: &World, users: std::ops::Range<i64>) -> anyhow::Result<()> {
    let mut records = Vec::new();
    for user in users {
        records.extend((1..=COUPONS).map(|coupon| claim(fresh(), coupon, user)));
        records.push(guest_of((user % 4) as i32));
    }
    world.append(&records).await
}

async fn open_coupons(world: &World) -> anyhow::Result<()> {
    let records: Vec<_> = (1..=COUPONS).map(|coupon| open(fresh(), coupon, 1_000)).collect();
    world.append(&records).await
}

async fn epochs(world: &World) -> anyhow::Result<Vec<(String, i32, u64)>> {
    let mut places = projection_offset::Entity::find().all(&world.db).await?;
    places.sort_by(|a, b| (&a.topic, a.partition_id).cmp(&(&b.topic, b.partition_id)));
    Ok(places.into_iter().map(|place| (place.topic, place.partition_id, place.epoch)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instance_takes_over_from_another_without_a_skip_or_a_double() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        let (a, b) = both(world, SOON_MISSED_MS).await?;
        append_round(world, 1..20).await?;
        let stopping = tokio::join!(a.stop(), append_round(world, 20..40));
        stopping.0?;
        stopping.1?;
        // A static member that is gone is missed when its session ends.
        b.until_it_owns(PARTITIONS).await?;
        append_round(world, 40..50).await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len(), 49 * COUPONS as usize);
        assert_eq!(b.not_ready().await?, None);
        b.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_comes_back_under_its_name_keeps_its_partitions() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        let (a, b) = both(world, world.config.session_timeout_ms).await?;
        let own = a.owns().await?;
        append_round(world, 1..10).await?;
        let before = epochs(world).await?;
        a.stop().await?;
        append_round(world, 10..20).await?;
        let a = world.start().await?;
        a.until_it_owns(own).await?;
        append_round(world, 20..30).await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len(), 29 * COUPONS as usize);
        assert_eq!((a.owns().await?, b.owns().await?), (own, PARTITIONS - own));
        let after = epochs(world).await?;
        let claimed: u64 = after.iter().zip(&before).map(|(after, before)| after.2 - before.2).sum();
        assert_eq!(claimed, own as u64, "only the partitions of the one that came back were claimed again");
        a.stop().await?;
        b.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_name_is_taken_over_ends_and_the_newcomer_goes_on() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        let old = world.start_and_open().await?;
        append_round(world, 1..10).await?;
        let new = world.start().await?;
        let reason = old.its_end().await?;
        assert!(reason.contains("failed for good"), "{reason}");
        append_round(world, 10..20).await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len(), 19 * COUPONS as usize);
        assert!(world.next_offset(Topic::Coupon, 0).await? > 19);
        new.stop().await
    })
    .await
}

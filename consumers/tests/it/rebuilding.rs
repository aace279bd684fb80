//! The log is the truth: an emptied database is filled again, an older one is brought up to date, nothing is applied
//! twice.

use crate::{
    mixture::mixture,
    records::{claim, fresh, guest_of, open},
    shop_mixture::{every_group, shop_mixture, until_expired},
    world::{World, in_bare_world, in_world},
};
use schemas::Record;

/// A record for every partition, so that every worker finds out what became of its row.
fn one_for_each_partition(user: i64) -> Vec<Record> {
    let coupons = (1..=8).map(|coupon| claim(fresh(), coupon, user));
    coupons.chain((0..4).map(guest_of)).collect()
}

async fn begin(world: &World) -> anyhow::Result<()> {
    let coupons: Vec<Record> = (1..=8).map(|coupon| open(fresh(), coupon, 50)).collect();
    world.append(&coupons).await?;
    world.append(&one_for_each_partition(1)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_database_is_filled_from_the_log() -> anyhow::Result<()> {
    in_world(async |world| {
        begin(world).await?;
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        // Under a process that runs: it notices with the next record.
        world.empty().await?;
        world.append(&one_for_each_partition(2)).await?;
        world.clean_audit().await?;
        assert_eq!(process.not_ready().await?, None);
        process.stop().await?;
        // Under none.
        let before = world.rows().await?;
        world.empty().await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        assert_eq!(world.rows().await?, before);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_the_database_gets_the_rest_of_the_log_once() -> anyhow::Result<()> {
    in_world(async |world| {
        begin(world).await?;
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        world.keep_copy().await?;
        let mixture = mixture(world, 77, 300).await?;
        // Twice more after the first time.
        world.expect_dead_letters(3 * mixture.malformed);
        world.append_entries(mixture.entries).await?;
        world.clean_audit().await?;
        world.put_back_copy().await?;
        world.append(&one_for_each_partition(2)).await?;
        world.clean_audit().await?;
        assert_eq!(process.not_ready().await?, None);
        process.stop().await?;
        let before = world.rows().await?;
        world.put_back_copy().await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        assert_eq!(world.rows().await?, before);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_brought_up_to_date_and_filled_again_without_another_record() -> anyhow::Result<()> {
    in_bare_world(async |world| {
        world.found_with_ttl(1_500).await?;
        let mut late = shop_mixture(world, 4_711, 500).await?;
        let early = late.first(250);
        // Both at first; what an older copy lacks; twice from the beginning.
        world.expect_dead_letters(3 * early.malformed + 4 * late.malformed);
        let process = world.start_with(every_group(world)).await?;
        world.append_entries(early.entries).await?;
        world.clean_audit().await?;
        world.keep_copy().await?;
        until_expired(world).await?;
        world.append_entries(late.entries).await?;
        let told = world.clean_audit().await?.facts;
        let before = world.rows().await?;
        assert!(before.shop.orders.iter().any(|order| order.user_coupon_id.is_some()), "{before:?}");
        // Under a process that runs, and that nobody tells.
        world.put_back_copy().await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?, before);
        world.empty().await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?, before);
        assert_eq!(process.not_ready().await?, None);
        process.stop().await?;
        // Under none.
        world.empty().await?;
        let process = world.start_with(every_group(world)).await?;
        let again = world.clean_audit().await?.facts;
        process.stop().await?;
        assert_eq!(world.rows().await?, before);
        assert_eq!((again.captured, again.declined), (told.captured, told.declined));
        assert!(again.captured > 10 && again.twice == 0);
        Ok(())
    })
    .await
}

//! What a transaction must not write: anything after somebody else claimed the partition, anything that the tables'
//! own constraints refuse.

use crate::{
    patience::patient,
    records::{claim, fresh, guest_of, open},
    world::in_world,
};
use schemas::{Record, Topic};
use sea_orm::{ConnectionTrait, TransactionTrait};

/// Coupon 1 lives in partition 0 of `coupon`.
fn claims(users: std::ops::RangeInclusive<i64>) -> Vec<Record> {
    users.map(|user| claim(fresh(), 1, user)).collect()
}

const OF_PARTITION_0: &str = "WHERE group_name = 'coupon-projection' AND partition_id = 0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_writes_nothing_and_its_partition_is_opened_again() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 100)]).await?;
        let process = world.start_and_open().await?;
        world.append(&claims(1..=5)).await?;
        world.until_applied(Topic::Coupon, 0, 7).await?;
        // Between two batches.
        world.sql(&format!("UPDATE projection_offset SET epoch = epoch + 1 {OF_PARTITION_0}")).await?;
        world.append(&claims(6..=10)).await?;
        world.until_applied(Topic::Coupon, 0, 12).await?;
        let place = world.place(Topic::Coupon, 0).await?;
        assert_eq!(place.map(|place| place.epoch), Some(3), "opened, claimed behind its back, opened again");
        // While its transaction is under way.
        let other = world.db.begin().await?;
        let lock = format!("SELECT epoch FROM projection_offset {OF_PARTITION_0} FOR UPDATE");
        other.execute_unprepared(&lock).await?;
        world.append(&claims(11..=15)).await?;
        world.until_it_runs("UPDATE projection_offset").await?;
        let claimed = format!("UPDATE projection_offset SET epoch = epoch + 1 {OF_PARTITION_0}");
        other.execute_unprepared(&claimed).await?;
        other.commit().await?;
        world.until_applied(Topic::Coupon, 0, 17).await?;
        let place = world.place(Topic::Coupon, 0).await?;
        assert_eq!(place.map(|place| place.epoch), Some(5));
        world.clean_audit().await?;
        assert_eq!(world.rows().await?.claims.len(), 15);
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_in_the_way_stops_the_partition_and_nothing_of_the_batch_is_written() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 100)]).await?;
        world.append(&claims(1..=5)).await?;
        let process = world.start_and_open().await?;
        world.until_applied(Topic::Coupon, 0, 7).await?;
        // Somebody's row where the eighth winner belongs.
        let in_the_way = "INSERT INTO user_coupons VALUES ((1 << 32) + 8, 1, 8, 999, 0)";
        world.sql(in_the_way).await?;
        world.append(&claims(6..=10)).await?;
        let reason = process.until_not_ready("Duplicate entry").await?;
        assert!(reason.contains("coupon-projection stopped partition 0"), "{reason}");
        // Rows and offset agree: without that row the audit finds nothing.
        let place = world.place(Topic::Coupon, 0).await?.map(|place| place.next_offset);
        assert!(place.is_some_and(|next| (7..=9).contains(&next)), "{place:?}");
        world.sql("DELETE FROM user_coupons WHERE user_id = 999").await?;
        let report = consumers::audit::run(&patient(&world.config), std::time::Duration::ZERO).await?;
        assert!(report.clean && report.caught_up_seconds.is_none(), "{report}");
        // The others go on, it does not, until somebody has looked.
        world.append(&[guest_of(0), open(fresh(), 2, 5)]).await?;
        world.until_applied(Topic::Coupon, 1, 2).await?;
        world.until_applied(Topic::Signup, 0, 2).await?;
        assert_eq!(world.place(Topic::Coupon, 0).await?.map(|place| place.next_offset), place);
        process.stop().await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupon_whose_row_is_gone_stops_the_partition() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 100)]).await?;
        world.append(&claims(1..=2)).await?;
        let process = world.start_and_open().await?;
        world.until_applied(Topic::Coupon, 0, 4).await?;
        world.sql("CREATE TABLE kept SELECT * FROM coupons").await?;
        world.sql("DELETE FROM coupons WHERE id = 1").await?;
        world.append(&claims(3..=4)).await?;
        process.until_not_ready("coupon-projection stopped partition 0").await?;
        assert_eq!(world.rows().await?.claims.len(), 2);
        process.stop().await?;
        world.sql("INSERT INTO coupons SELECT * FROM kept").await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await
    })
    .await
}

//! `consumers seed`: sample data that comes through the log, once.

use crate::{
    records::{fresh, guest_of, open},
    shop_mixture::every_group,
    tables::ShopRows,
    world::{in_world, in_world_without_mysql},
};
use consumers::tools::seed;
use migrations::entity::orders;

async fn refusal(config: &consumers::config::Config) -> String {
    seed::run(config).await.map_or_else(|error| format!("{error:#}"), |()| "not refused".to_owned())
}

fn assert_is_the_sample_shop(shop: &ShopRows) {
    let balances: Vec<_> = shop.balances.iter().map(|row| (row.user_id, row.balance)).collect();
    assert_eq!(balances, [(1, 100_000), (2, 50_000), (3, 200_000), (4, 0), (5, 500_000)]);
    let stocks: Vec<_> = shop.options.iter().map(|row| (row.id, row.stock, row.reserved)).collect();
    let listed = (1..=20).map(|id| (id, 100_000, 0)).chain([(21, 0, 0)]);
    assert_eq!(stocks, listed.collect::<Vec<_>>());
    let withdrawn: Vec<_> = shop.products.iter().filter(|row| !row.available).map(|row| row.id).collect();
    assert_eq!(withdrawn, [10]);
    let orders: Vec<_> = shop.orders.iter().map(|row| (row.id, row.status)).collect();
    assert_eq!(orders, (1..=10).map(|id| (id, orders::PAID)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeding_twice_changes_nothing() -> anyhow::Result<()> {
    in_world(async |world| {
        seed::run(&world.config).await?;
        let once = world.ends().await?;
        let shop = 11 + 5 + 2 * 10;
        assert_eq!(
            once.iter().sum::<u64>(),
            13 + 5 + 2 + shop,
            "rules, users, a coupon and a campaign; products, balances, orders with their payments"
        );
        seed::run(&world.config).await?;
        assert_eq!(world.ends().await?, once);
        let process = world.start_with(every_group(world)).await?;
        world.clean_audit().await?;
        process.stop().await?;
        let rows = world.rows().await?;
        assert_eq!(rows.users.iter().map(|user| user.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let coupons: Vec<_> = rows.coupons.iter().map(|c| (c.id, c.name.as_str(), c.total)).collect();
        assert_eq!(coupons, [(1, "TESTCOUPON", 10_000_000), (9, "apply", 100)]);
        let campaigns: Vec<_> = rows.campaigns.iter().map(|c| (c.name.as_str(), c.coupon_id)).collect();
        assert_eq!(campaigns, [("apply", 9)]);
        assert_is_the_sample_shop(&rows.shop);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sample_users_are_refused_where_somebody_signed_up_before() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        world.append(&[guest_of(0)]).await?;
        let before = world.ends().await?;
        let refusal = refusal(&world.config).await;
        assert!(refusal.contains("user 1 is somebody else"), "{refusal}");
        assert_eq!(world.ends().await?, before, "something was appended");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_coupon_is_refused_where_it_is_somebody_elses() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        world.append(&[open(fresh(), 1, 7)]).await?;
        let refusal = refusal(&world.config).await;
        assert!(refusal.contains("coupon 1 is somebody else's"), "{refusal}");
        Ok(())
    })
    .await
}

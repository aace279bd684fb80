//! Records become rows: exactly those of the replay, whatever the batches.

use crate::{
    mixture::mixture,
    records::{campaign, claim, extend, fresh, guest_of, open},
    shop_mixture::{every_group, shop_mixture, until_expired},
    tables::ShopRows,
    world::{in_bare_world, in_world},
};
use consumers::{audit, config::Config};
use migrations::entity::orders;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_everything_ends_up_as_its_replay_says_in_any_batches() -> anyhow::Result<()> {
    in_world(async |world| {
        let mut mixture = mixture(world, 20_261_120, 900).await?;
        world.expect_dead_letters(2 * mixture.malformed);
        // Small batches, while the log grows.
        let small = Config { batch_records: 7, ..world.config.clone() };
        let process = world.start_with(small).await?;
        while !mixture.entries.is_empty() {
            let rest = mixture.entries.split_off(mixture.entries.len().min(150));
            world.append_entries(std::mem::replace(&mut mixture.entries, rest)).await?;
        }
        let report = world.clean_audit().await?;
        assert_eq!(report.partitions.iter().map(|p| p.dead).sum::<u64>(), mixture.malformed);
        assert_eq!(report.partitions.iter().map(|p| p.applied + p.dead).sum::<u64>(), 900 + 13);
        process.stop().await?;
        let grown = world.rows().await?;
        assert!(grown.claims.len() > 30 && grown.users.len() > 30 && grown.campaigns.len() == 2, "{grown:?}");
        // Large ones, from the beginning.
        world.empty().await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        process.stop().await?;
        assert_eq!(world.rows().await?, grown);
        Ok(())
    })
    .await
}

fn assert_has_everything(report: &audit::Report, shop: &ShopRows) {
    let audit::Orders { paid, expired, open, .. } = report.orders;
    assert!(paid > 20 && expired > 20 && open > 5, "{report}");
    let audit::Facts { captured, declined, requested, .. } = report.facts;
    assert!(captured == paid && requested == paid && declined > 20, "{report}");
    assert!(shop.redemptions.len() > 5 && shop.products.len() > 5 && shop.logs.len() > 50, "{shop:?}");
    let several = shop.items.iter().filter(|item| item.id % 128 > 0).count();
    assert!(several > 20 && shop.orders.iter().any(|order| order.status == orders::EXPIRED), "{shop:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_of_everything_ends_up_as_its_replay_says_in_any_batches() -> anyhow::Result<()> {
    in_bare_world(async |world| {
        world.found_with_ttl(1_500).await?;
        let mut mixture = shop_mixture(world, 20_261_121, 900).await?;
        world.expect_dead_letters(2 * mixture.malformed);
        let malformed = mixture.malformed;
        // Small batches, while the log grows.
        let process = world.start_with(Config { batch_records: 7, ..every_group(world) }).await?;
        for _ in 0..4 {
            world.append_entries(mixture.first(150).entries).await?;
        }
        until_expired(world).await?;
        world.append_entries(mixture.entries).await?;
        let report = world.clean_audit().await?;
        assert_eq!(report.partitions.iter().map(|p| p.dead).sum::<u64>(), malformed);
        process.stop().await?;
        let grown = world.rows().await?;
        assert_has_everything(&report, &grown.shop);
        // Large ones, from the beginning.
        world.empty().await?;
        let process = world.start_with(every_group(world)).await?;
        world.clean_audit().await?;
        process.stop().await?;
        assert_eq!(world.rows().await?, grown);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coupon_of_three_pieces_has_three_winners() -> anyhow::Result<()> {
    in_world(async |world| {
        let process = world.start().await?;
        let mut records = vec![open(fresh(), 5, 2)];
        records.extend([8, 9, 8].map(|user| claim(fresh(), 5, user)));
        records.push(extend(fresh(), 5, 3));
        records.extend([7, 6, 8].map(|user| claim(fresh(), 5, user)));
        records.extend([guest_of(3), guest_of(3), guest_of(0)]);
        records.extend([campaign(fresh(), "apply", 9), campaign(fresh(), "apply", 17)]);
        world.append(&records).await?;
        world.clean_audit().await?;
        let rows = world.rows().await?;
        let won: Vec<_> = rows.claims.iter().map(|row| (row.id, row.user_id)).collect();
        assert_eq!(won, [((5 << 32) + 1, 8), ((5 << 32) + 2, 9), ((5 << 32) + 3, 7)]);
        let coupons: Vec<_> =
            rows.coupons.iter().map(|c| (c.id, c.total, c.issued, c.closed_at_ms.is_some())).collect();
        assert_eq!(coupons, [(5, 3, 3, false), (9, 3, 0, true), (17, 3, 0, false)]);
        assert_eq!(rows.users.iter().map(|user| user.id).collect::<Vec<_>>(), [1, 4, 8]);
        assert_eq!(rows.campaigns.iter().map(|c| c.coupon_id).collect::<Vec<_>>(), [17]);
        // The same over HTTP, for whoever has the token.
        assert_eq!(process.get("/api/audit/conservation", false).await?.0, 401);
        let (status, report) = process.get("/api/audit/conservation", true).await?;
        assert_eq!((status, &report["clean"]), (200, &serde_json::json!(true)), "{report}");
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

//! What a log says that no ingress of ours would write: the fold believes it, the audit does not.

use super::{audit_of, in_busy_world, none_of, unnamed};
use crate::{paying, records::fresh, shop_records as shop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coupons_that_were_redeemed_and_never_won_are_found() -> anyhow::Result<()> {
    in_busy_world(async |world| {
        let process = world.start().await?;
        world
            .append(&[
                shop::order(fresh(), 4, &[(1, 1)]),
                // There is no coupon 7.
                shop::pay_with(fresh(), 9, 4, (7, 1)),
                shop::order(fresh(), 2, &[(1, 1)]),
                // Somebody else's piece.
                shop::pay_with(fresh(), 10, 2, (1, 5)),
            ])
            .await?;
        paying::until_projected(world).await?;
        process.stop().await?;
        let report = audit_of(&world.config).await?;
        let expected = [
            "coupon 30064771073 was redeemed by user 4, and nobody won it",
            "coupon 4294967301 was redeemed by user 2, and user 5 won it",
        ];
        none_of(expected.iter().filter_map(|text| unnamed("the log", text, &report)).collect())?;
        assert_eq!(report.findings.len(), expected.len(), "{report}");
        Ok(())
    })
    .await
}

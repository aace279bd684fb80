//! The sample coupon and the sample campaign.

use super::Seed;
use anyhow::{Context, bail};
use domain::{Slot, coupons::Coupons};
use schemas::{
    CouponId, Topic, Uuid, partition,
    records::{CampaignOpened, CouponOpened},
};

/// 2029-12-31T23:59:59Z.
const EXPIRES_AT_MS: i64 = 1_893_455_999_000;
const COUPON: i64 = 1;
const COUPON_NAME: &str = "TESTCOUPON";
const COUPON_TOTAL: i64 = 10_000_000;
const COUPON_RATE_BP: i32 = 1_500;
const CAMPAIGN: &str = "apply";
/// The next id of the campaigns' partition.
const CAMPAIGN_COUPON: i64 = 9;
const CAMPAIGN_TOTAL: i64 = 100;
const CAMPAIGN_RATE_BP: i32 = 1_000;

impl Seed<'_> {
    pub(super) async fn coupons(&self) -> anyhow::Result<()> {
        let id = CouponId::from_wire(COUPON).context("a coupon id")?;
        let home = partition::of_id(COUPON, Topic::Coupon);
        let state = self.folded::<Coupons>(Topic::Coupon, home).await?;
        match state.state().coupon(id) {
            Slot::Loaded(coupon) if coupon.terms.name == COUPON_NAME => {}
            Slot::Loaded(_) => bail!("coupon {COUPON} is somebody else's: sample data needs it"),
            Slot::Absent | Slot::NotLoaded => {
                let opened = CouponOpened {
                    event_id: Uuid::new_v4(),
                    fingerprint: None,
                    coupon_id: COUPON,
                    name: COUPON_NAME.into(),
                    total: COUPON_TOTAL,
                    rate_bp: COUPON_RATE_BP,
                    expires_at_ms: EXPIRES_AT_MS,
                };
                self.append(opened.into()).await?;
                tracing::info!(coupon = COUPON, "sample coupon");
            }
        }
        let campaigns = self.folded::<Coupons>(Topic::Coupon, partition::CAMPAIGN_PARTITION).await?;
        let taken = CouponId::from_wire(CAMPAIGN_COUPON).context("a coupon id")?;
        if campaigns.state().campaign(CAMPAIGN) == Slot::Absent {
            if campaigns.state().coupon(taken) != Slot::Absent {
                bail!(
                    "coupon {CAMPAIGN_COUPON} is somebody else's: sample data needs it for campaign {CAMPAIGN}"
                );
            }
            let opened = CampaignOpened {
                event_id: Uuid::new_v4(),
                fingerprint: None,
                campaign: CAMPAIGN.into(),
                coupon_id: CAMPAIGN_COUPON,
                name: CAMPAIGN.into(),
                total: CAMPAIGN_TOTAL,
                rate_bp: CAMPAIGN_RATE_BP,
                expires_at_ms: EXPIRES_AT_MS,
            };
            self.append(opened.into()).await?;
            tracing::info!(campaign = CAMPAIGN, "sample campaign");
        }
        Ok(())
    }
}

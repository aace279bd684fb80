//! `consumers seed`: the sample data, entered through the log like everything else. Idempotent by state: what is
//! there stays, somebody else's data is never touched.

use super::{replay::fold, writer::Writer};
use crate::{config::Config, log};
use anyhow::{Context, bail};
use domain::{Slot, accounts::Accounts, coupons::Coupons};
use schemas::{
    CouponId, LogId, Record, Topic, UserId, Uuid,
    codec::Codec,
    partition,
    records::{CampaignOpened, CouponOpened, SignedUp},
};

use std::sync::Arc;

/// Users 1 to 5.
const USERS: u64 = 5;
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

struct Seed<'a> {
    config: &'a Config,
    writer: Writer,
    codec: Arc<Codec>,
    log_id: LogId,
}

/// See the module.
///
/// # Errors
/// A service that is away, or data that is somebody else's.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let look = config.clone();
    let rules = tokio::task::spawn_blocking(move || log::foundation(&look, &log::reader(&look)?)).await??;
    let codec = Arc::new(Codec::new(&rules.schemas)?);
    let seed = Seed { config, writer: Writer::new(config)?, codec, log_id: rules.log_id };
    seed.users().await?;
    seed.coupons().await
}

impl Seed<'_> {
    async fn append(&self, record: Record) -> anyhow::Result<()> {
        let topic = if matches!(record, Record::SignedUp(_)) { Topic::Signup } else { Topic::Coupon };
        let mut payload = Vec::new();
        self.codec.encode(&record, &mut payload)?;
        let home = partition::home(&record).unwrap_or_default();
        self.writer.append(&topic.name(&self.config.topic_prefix), home, &payload).await
    }

    /// The event id of a sample user: the first of a fixed sequence that belongs into the user's partition.
    fn event_id(&self, user: u64) -> anyhow::Result<Uuid> {
        let home = partition::of_id(user as i64, Topic::Signup);
        let namespace = Uuid::from_bytes(self.log_id.0);
        (0..1_000_u32)
            .map(|n| Uuid::new_v5(&namespace, format!("sample user {user}, try {n}").as_bytes()))
            .find(|id| partition::of_event_id(*id) == home)
            .context("no event id of a thousand falls into the user's partition")
    }

    async fn users(&self) -> anyhow::Result<()> {
        for user in 1..=USERS {
            let event_id = self.event_id(user)?;
            let home = partition::of_id(user as i64, Topic::Signup);
            if self.has_asked(home, event_id).await? {
                continue;
            }
            let accounts = self.folded::<Accounts>(Topic::Signup, home).await?;
            if accounts.header().next_seq > Accounts::seq_of(UserId::new(user).context("a user id")?) {
                bail!(
                    "user {user} is somebody else: sample data needs a log in which nobody has signed up yet"
                );
            }
            self.append(SignedUp { event_id, fingerprint: None, email_hmac: None, account: None }.into())
                .await?;
            tracing::info!(user, "sample user");
        }
        Ok(())
    }

    /// Whether a sign-up of ours stands in the log.
    async fn has_asked(&self, partition: i32, event_id: Uuid) -> anyhow::Result<bool> {
        let (config, codec) = (self.config.clone(), self.codec.clone());
        let topic = Topic::Signup.name(&config.topic_prefix);
        let look = move || {
            anyhow::Ok(log::reader(&config)?.find_first(&topic, partition, |raw| {
                let record = codec.decode(Topic::Signup, raw.payload).ok()?;
                (record.envelope().0 == event_id).then_some(())
            })?)
        };
        Ok(tokio::task::spawn_blocking(look).await??.is_some())
    }

    async fn coupons(&self) -> anyhow::Result<()> {
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

    async fn folded<S: crate::projection::Projection>(
        &self,
        topic: Topic,
        partition: i32,
    ) -> anyhow::Result<domain::Fold<S>>
    where
        S::Outcome: Send,
    {
        let (config, topic) = (self.config.clone(), topic.name(&self.config.topic_prefix));
        tokio::task::spawn_blocking(move || fold::<S>(&log::reader(&config)?, &topic, partition)).await?
    }
}

//! `consumers seed`: the sample data, entered through the log like everything else. Idempotent by state: what is
//! there stays, somebody else's data is never touched.

mod coupons;
mod goods;
mod shop;
mod users;

use super::{replay::fold, writer::Writer};
use crate::{config::Config, log, replay::Source};
use anyhow::{Context, ensure};
use domain::shop::Shop;
use schemas::{LogId, Record, Topic, codec::Codec, partition};
use std::sync::Arc;

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
    let rules =
        tokio::task::spawn_blocking(move || log::foundation(&look, &log::patient_reader(&look)?)).await??;
    let codec = Arc::new(Codec::new(&rules.schemas)?);
    let seed = Seed { config, writer: Writer::new(config)?, codec, log_id: rules.log_id };
    seed.users().await?;
    seed.coupons().await?;
    seed.shop().await
}

impl Seed<'_> {
    async fn append(&self, record: Record) -> anyhow::Result<()> {
        let carries = |topic: &Topic| topic.carries(record.record_type());
        let topic = Topic::ALL.into_iter().find(carries).context("some topic carries it")?;
        let mut payload = Vec::new();
        self.codec.encode(&record, &mut payload)?;
        let home = partition::home(&record).unwrap_or_default();
        self.writer.append(&topic.name(&self.config.topic_prefix), home, &payload).await
    }

    async fn shop(&self) -> anyhow::Result<()> {
        let missing = shop::missing(&self.folded::<Shop>(Topic::Order, 0).await?)?;
        let count = missing.len();
        for record in missing {
            self.append(record).await?;
        }
        if count > 0 {
            let left = shop::missing(&self.folded::<Shop>(Topic::Order, 0).await?)?;
            ensure!(left.is_empty(), "somebody else writes to this log; run `consumers seed` again");
            tracing::info!(records = count, "sample products, balances and orders");
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
        tokio::task::spawn_blocking(move || fold::<S>(&Source::open(&config)?, &topic, partition)).await?
    }
}

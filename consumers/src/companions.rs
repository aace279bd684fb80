//! What works beside a group on the partitions that it has open: the outbox relay beside `order-projection`, the
//! dispatcher beside `external-platform`. They never write what a group writes.

use crate::{
    config::Config,
    controls::Units,
    dispatch::{
        DispatchStatus, Dispatcher, Dispatches, Journal, Partner, Parts, Schedule,
        admin::{self, Office},
    },
    group::{OpenPartitions, Work},
    limits,
    projection::Projection,
    relay::{Relay, RelayStatus},
};
use anyhow::ensure;
use axum::Router;
use domain::shop::Shop;
use parking_lot::Mutex;
use schemas::{codec::FactCodec, records::RegisteredSchema};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The companions of the groups that this process runs.
#[derive(Clone)]
pub struct Companions {
    config: Config,
    units: Units,
    codec: Arc<FactCodec>,
    relay: Option<Arc<Mutex<RelayStatus>>>,
    dispatch: Option<Dispatching>,
}

#[derive(Clone)]
struct Dispatching {
    journal: Journal,
    partner: Option<Partner>,
    schedule: Schedule,
    status: Arc<Mutex<DispatchStatus>>,
}

impl Companions {
    /// For these groups, and the schemas that the log lists.
    ///
    /// # Errors
    /// A setting that makes no sense.
    pub fn new(config: &Config, units: &Units, listed: &[RegisteredSchema]) -> anyhow::Result<Self> {
        let codec = Arc::new(FactCodec::new(listed)?);
        let relay = units.contains_key(Shop::GROUP).then(Arc::default);
        let dispatch = if units.contains_key(Dispatches::GROUP) {
            Some(Dispatching::new(config, codec.clone())?)
        } else {
            None
        };
        Ok(Self { config: config.clone(), units: units.clone(), codec, relay, dispatch })
    }

    /// The relay beside the group with these open partitions.
    #[must_use]
    pub fn relay(&self, open: watch::Receiver<OpenPartitions>) -> Option<Relay> {
        let status = self.relay.clone()?;
        let unit = self.units.get(Shop::GROUP)?.clone();
        Some(Relay::new(self.config.clone(), unit, self.codec.clone(), open, status))
    }

    /// The dispatcher beside the group with these open partitions; none where there is nobody to tell.
    #[must_use]
    pub fn dispatcher(&self, open: watch::Receiver<OpenPartitions>) -> Option<Dispatcher> {
        let dispatching = self.dispatch.clone()?;
        let unit = self.units.get(Dispatches::GROUP)?.clone();
        let parts = Parts {
            pool: unit.pool,
            activity: unit.activity,
            journal: dispatching.journal,
            partner: dispatching.partner?,
            schedule: dispatching.schedule,
            concurrency: self.config.platform_concurrency,
            timeout: timeout(&self.config),
            instance: self.config.instance.clone(),
        };
        Some(Dispatcher::new(parts, open, dispatching.status))
    }

    /// Routes for operators; for behind the bearer token.
    pub fn routes(&self) -> Router {
        let unit = self.units.get(Dispatches::GROUP);
        let office = self.dispatch.as_ref().zip(unit).map(|(dispatching, unit)| Office {
            pool: unit.pool.clone(),
            journal: dispatching.journal.clone(),
        });
        office.map_or_else(Router::new, admin::routes)
    }

    /// For `/health`; null where this process runs no such thing.
    #[must_use]
    pub fn health(&self) -> (Value, Value) {
        let relay = self.relay.as_ref().map(|status| {
            let RelayStatus { running, published, waiting, error } = status.lock().clone();
            json!({"running": running, "published": published, "waiting": waiting, "error": error})
        });
        let dispatch = self.dispatch.as_ref().map(|dispatching| {
            let DispatchStatus { waits, breaker, in_flight, pending, failed } =
                dispatching.status.lock().clone();
            json!({
                "waits": waits, "breaker": breaker, "inFlight": in_flight, "pending": pending, "failed": failed
            })
        });
        (relay.into(), dispatch.into())
    }

    /// Whether the relay gets on.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub fn ready(&self) -> Result<(), String> {
        let error = self.relay.as_ref().and_then(|status| status.lock().error.clone());
        error.map_or(Ok(()), |error| Err(format!("the outbox relay does not get on: {error}")))
    }
}

impl Dispatching {
    fn new(config: &Config, codec: Arc<FactCodec>) -> anyhow::Result<Self> {
        let most = limits::MAX_PLATFORM_TIMEOUT_MS;
        ensure!(
            (1..=most).contains(&config.platform_timeout_ms),
            "TIDEMARK_PLATFORM_TIMEOUT_MS is 1 to {most}"
        );
        let calls = 1..=limits::MAX_PLATFORM_CALLS;
        ensure!(
            calls.contains(&config.platform_concurrency),
            "TIDEMARK_PLATFORM_CONCURRENCY is 1 to {}",
            limits::MAX_PLATFORM_CALLS
        );
        let schedule = Schedule::scaled(config.platform_retry_scale);
        let schedule = schedule
            .ok_or_else(|| anyhow::anyhow!("TIDEMARK_PLATFORM_RETRY_SCALE is a number from 0 to 1000"))?;
        let url = config.platform_url.trim();
        let partner = if url.is_empty() { None } else { Some(Partner::at(url, timeout(config))?) };
        let waits = partner.is_none().then(|| "TIDEMARK_PLATFORM_URL is not set".to_owned());
        let status = DispatchStatus { waits, breaker: "closed", ..DispatchStatus::default() };
        let journal = Journal::new(config, codec)?;
        Ok(Self { journal, partner, schedule, status: Arc::new(Mutex::new(status)) })
    }
}

fn timeout(config: &Config) -> Duration {
    Duration::from_millis(config.platform_timeout_ms)
}

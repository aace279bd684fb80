//! What the ingress says of itself on `/health` and `/ready`.

use crate::{
    config::{Config, ModeSetting},
    ingress::Ingress,
    log::topic_log::TopicLog,
};
use chassis::{admin::Condition, front::SHUTTING_DOWN, shutdown::CancellationToken};
use domain::{accounts::Accounts, coupons::Coupons, fold::State, shop::Shop};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What the process says of itself.
pub(crate) struct Ingoing {
    mode: ModeSetting,
    instance: String,
    accounts: TopicLog<Accounts>,
    coupons: TopicLog<Coupons>,
    shop: TopicLog<Shop>,
    /// Where the log ended at the start, in the order of `ingress::partitions`.
    start: Vec<u64>,
    caught_up: AtomicBool,
    is_open: Arc<AtomicBool>,
    shutdown: CancellationToken,
}

impl Ingoing {
    /// `start`: where the log ended at the start. `is_open` is set once the public listeners are open.
    pub(crate) fn new(
        config: &Config,
        ingress: &Ingress,
        start: Vec<u64>,
        is_open: &Arc<AtomicBool>,
        shutdown: &CancellationToken,
    ) -> Self {
        Self {
            mode: config.mode,
            instance: config.instance.clone(),
            accounts: ingress.accounts.clone(),
            coupons: ingress.coupons.clone(),
            shop: ingress.shop.clone(),
            start,
            caught_up: AtomicBool::new(false),
            is_open: is_open.clone(),
            shutdown: shutdown.clone(),
        }
    }
}

impl Condition for Ingoing {
    fn health(&self) -> Value {
        let mut stopped: Vec<String> = stopped(&self.accounts);
        stopped.extend(self::stopped(&self.coupons));
        stopped.extend(self::stopped(&self.shop));
        json!({
            "status": "ok",
            "process": "api",
            "instance": self.instance,
            "mode": self.mode,
            "insecure": self.mode == ModeSetting::Stage,
            "stopped": stopped,
        })
    }

    fn ready(&self) -> Result<(), String> {
        if self.shutdown.is_cancelled() {
            return Err(SHUTTING_DOWN.to_owned());
        }
        self.serves()?;
        let is_open = self.is_open.load(Ordering::Acquire);
        is_open.then_some(()).ok_or_else(|| "the public listeners are about to open".to_owned())
    }

    fn serves(&self) -> Result<(), String> {
        if self.caught_up.load(Ordering::Acquire) {
            return Ok(());
        }
        let (signup, rest) = self.start.split_at(self.accounts.cells().len());
        let (coupon, order) = rest.split_at(self.coupons.cells().len());
        let behind =
            behind(&self.accounts, signup) + behind(&self.coupons, coupon) + behind(&self.shop, order);
        if behind > 0 {
            return Err(format!("{behind} records to fold"));
        }
        self.caught_up.store(true, Ordering::Release);
        tracing::info!("ready: folded to the end that the log had at the start");
        Ok(())
    }
}

fn stopped<S: State>(log: &TopicLog<S>) -> Vec<String> {
    log.cells().iter().filter_map(|cell| cell.stopped().map(|reason| reason.to_string())).collect()
}

fn behind<S: State>(log: &TopicLog<S>, ends: &[u64]) -> u64 {
    // A stopped partition answers for itself; it must not keep the others from serving.
    let open = log.cells().iter().zip(ends).filter(|(cell, _)| cell.stopped().is_none());
    open.map(|(cell, end)| end.saturating_sub(cell.reached())).sum()
}

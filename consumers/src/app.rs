//! Wires the groups together; `run` gets its socket and its shutdown from the caller.

use crate::{
    audit,
    companions::Companions,
    config::Config,
    controls::{Plane, Unit, Units},
    dispatch::Dispatches,
    group::{Folding, Group, GroupStatus, OpenPartitions, Work},
    log,
    projection::Projection,
};
use anyhow::{Context, bail};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    admin::{self, Condition},
    front::{Front, SHUTTING_DOWN},
    refusal,
    shutdown::CancellationToken,
};
use control::tail::View;
use domain::{accounts::Accounts, coupons::Coupons, shop::Shop};
use metrics_exporter_prometheus::PrometheusHandle;
use schemas::groups;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// A built consumers process that has joined no group yet.
pub struct App {
    config: Config,
    plane: Plane,
    companions: Companions,
    metrics: Option<PrometheusHandle>,
}

struct Working {
    instance: String,
    units: Units,
    view: View,
    companions: Companions,
    shutdown: CancellationToken,
}

impl Condition for Working {
    fn health(&self) -> Value {
        let groups: BTreeMap<_, _> = self
            .units
            .iter()
            .map(|(group, unit)| {
                let GroupStatus { next_offsets, stopped, held, report } = unit.status.lock().clone();
                let paused = report.is_pausing();
                let stopped: BTreeMap<_, _> = stopped.iter().map(|(at, stop)| (at, &stop.reason)).collect();
                let said =
                    json!({"nextOffsets": next_offsets, "stopped": stopped, "held": held, "paused": paused});
                (*group, said)
            })
            .collect();
        let (relay, dispatch) = self.companions.health();
        json!({
            "status": "ok", "process": "consumers", "instance": self.instance, "groups": groups,
            "relay": relay, "dispatch": dispatch,
        })
    }

    fn ready(&self) -> Result<(), String> {
        if self.shutdown.is_cancelled() {
            return Err(SHUTTING_DOWN.to_owned());
        }
        if self.view.state().is_none() {
            let trouble = self.view.trouble().unwrap_or_default();
            return Err(format!("control was not read, so everything is paused: {trouble}"));
        }
        for (group, unit) in &self.units {
            let status = unit.status.lock();
            if let Some(held) = &status.held {
                return Err(format!("{group} holds: {held}"));
            }
            if let Some((partition, stop)) = status.stopped.first_key_value() {
                return Err(format!("{group} stopped partition {partition}: {}", stop.reason));
            }
        }
        self.companions.ready()
    }
}

impl App {
    /// Checks that the log is there and founded; MySQL may be away.
    ///
    /// # Errors
    /// A setting or a log that does not fit.
    pub async fn build(config: Config, metrics: Option<PrometheusHandle>) -> anyhow::Result<Self> {
        config.check()?;
        let mut groups = Vec::new();
        for group in Config::list(&config.groups) {
            let known = groups::ALL.map(|(known, ..)| known);
            let Some(name) = known.into_iter().find(|known| *known == group) else {
                bail!("TIDEMARK_GROUPS names {group:?}; the groups are {}", known.join(", "));
            };
            groups.push(name);
        }
        let look = config.clone();
        let rules = tokio::task::spawn_blocking(move || log::foundation(&look, &log::patient_reader(&look)?))
            .await??;
        let plane = Plane::open(&config, &groups).await?;
        let companions = Companions::new(&config, plane.units(), &rules.schemas)?;
        Ok(Self { config, plane, companions, metrics })
    }

    /// Works until shutdown or until a group cannot go on.
    ///
    /// # Errors
    /// Why the process must end.
    pub async fn run(self, front: Front, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut groups: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let mut tasks = JoinSet::new();
        self.plane.start(&mut tasks, &shutdown)?;
        for (name, unit) in self.plane.units() {
            match *name {
                Accounts::GROUP => drop(self.join::<Folding<Accounts>>(unit, &mut groups, &shutdown)?),
                Shop::GROUP => {
                    let open = self.join::<Folding<Shop>>(unit, &mut groups, &shutdown)?;
                    if let Some(relay) = self.companions.relay(open) {
                        let shutdown = shutdown.clone();
                        groups.spawn(async move { Ok(relay.run(shutdown).await?) });
                    }
                }
                Dispatches::GROUP => {
                    let open = self.join::<Dispatches>(unit, &mut groups, &shutdown)?;
                    if let Some(dispatcher) = self.companions.dispatcher(open) {
                        let shutdown = shutdown.clone();
                        groups.spawn(async move {
                            dispatcher.run(shutdown).await;
                            Ok(())
                        });
                    }
                }
                _ => drop(self.join::<Folding<Coupons>>(unit, &mut groups, &shutdown)?),
            }
        }
        front.serve(self.admin_router(&shutdown));
        let mut ended = Ok(());
        while let Some(group) = groups.join_next().await {
            // One group that ends, for whatever reason, ends the process: somebody restarts it.
            shutdown.cancel();
            ended = ended.and(group.context("a group panicked").flatten());
        }
        if let Err(error) = &ended {
            tracing::error!(%error, "the process ends");
        }
        while tasks.join_next().await.is_some() {}
        self.plane.close().await;
        front.close().await.context("the admin listener")?;
        ended
    }

    /// Joins a group; answers its open partitions.
    fn join<W: Work>(
        &self,
        unit: &Unit,
        groups: &mut JoinSet<anyhow::Result<()>>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<watch::Receiver<OpenPartitions>> {
        let (config, pool, status) = (self.config.clone(), unit.pool.clone(), unit.status.clone());
        let group = Group::<W>::join(config, pool, status, self.plane.controls(unit))?;
        let open = group.open_partitions();
        let shutdown = shutdown.clone();
        groups.spawn(async move { Ok(group.run(shutdown).await?) });
        Ok(open)
    }

    fn admin_router(&self, shutdown: &CancellationToken) -> Router {
        let condition = Arc::new(Working {
            instance: self.config.instance.clone(),
            units: self.plane.units().clone(),
            view: self.plane.view(),
            companions: self.companions.clone(),
            shutdown: shutdown.clone(),
        });
        let config = self.config.clone();
        let conservation = move || async move { conservation(config).await };
        let guarded = Router::new().route("/api/audit/conservation", get(conservation));
        let guarded = guarded.merge(self.companions.routes()).merge(self.plane.routes());
        let guarded = admin::guarded(guarded.fallback(admin::no_such_path), &self.config.admin_token);
        admin::open_routes(condition, self.metrics.clone()).merge(guarded)
    }
}

async fn conservation(config: Config) -> Response {
    match audit::run(&config, Duration::ZERO).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => {
            tracing::warn!(%error, "an audit could not be made");
            refusal::response(StatusCode::SERVICE_UNAVAILABLE, "AUDIT_UNAVAILABLE", &error.to_string())
        }
    }
}

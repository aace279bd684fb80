//! Wires the groups together; `run` gets its socket and its shutdown from the caller.

use crate::{
    audit,
    companions::Companions,
    config::Config,
    dispatch::Dispatches,
    group::{Folding, Group, GroupStatus, Work},
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
    serve::{self, Limits},
    shutdown::CancellationToken,
};
use domain::{accounts::Accounts, coupons::Coupons, shop::Shop};
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::Mutex;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

type Statuses = BTreeMap<&'static str, Arc<Mutex<GroupStatus>>>;

/// A built consumers process that has joined no group yet.
pub struct App {
    config: Config,
    db: DatabaseConnection,
    statuses: Arc<Statuses>,
    companions: Companions,
    metrics: Option<PrometheusHandle>,
}

struct Working {
    instance: String,
    statuses: Arc<Statuses>,
    companions: Companions,
}

impl Condition for Working {
    fn health(&self) -> Value {
        let groups: BTreeMap<_, _> = self
            .statuses
            .iter()
            .map(|(group, status)| {
                let GroupStatus { next_offsets, stopped, held } = status.lock().clone();
                (*group, json!({"nextOffsets": next_offsets, "stopped": stopped, "held": held}))
            })
            .collect();
        let (relay, dispatch) = self.companions.health();
        json!({
            "status": "ok", "process": "consumers", "instance": self.instance, "groups": groups,
            "relay": relay, "dispatch": dispatch,
        })
    }

    fn ready(&self) -> Result<(), String> {
        for (group, status) in self.statuses.iter() {
            let status = status.lock();
            if let Some(held) = &status.held {
                return Err(format!("{group} holds: {held}"));
            }
            if let Some((partition, reason)) = status.stopped.first_key_value() {
                return Err(format!("{group} stopped partition {partition}: {reason}"));
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
        let mut statuses = Statuses::new();
        for group in Config::list(&config.groups) {
            let known = [Accounts::GROUP, Coupons::GROUP, Shop::GROUP, Dispatches::GROUP];
            let Some(name) = known.into_iter().find(|known| *known == group) else {
                bail!("TIDEMARK_GROUPS names {group:?}; the groups are {}", known.join(", "));
            };
            statuses.insert(name, Arc::default());
        }
        let look = config.clone();
        let rules =
            tokio::task::spawn_blocking(move || log::foundation(&look, &log::reader(&look)?)).await??;
        let db = config.writer_pool().await.context("TIDEMARK_DATABASE_URL")?;
        let groups: Vec<_> = statuses.keys().copied().collect();
        let companions = Companions::new(&config, &db, &rules.schemas, &groups)?;
        Ok(Self { config, db, statuses: Arc::new(statuses), companions, metrics })
    }

    /// Works until shutdown or until a group cannot go on.
    ///
    /// # Errors
    /// Why the process must end.
    pub async fn run(self, admin: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut groups: JoinSet<anyhow::Result<()>> = JoinSet::new();
        for (name, status) in self.statuses.iter() {
            let (config, db, status) = (self.config.clone(), self.db.clone(), status.clone());
            let shutdown = shutdown.clone();
            match *name {
                Accounts::GROUP => {
                    let group = Group::<Folding<Accounts>>::join(config, db, status)?;
                    groups.spawn(async move { Ok(group.run(shutdown).await?) });
                }
                Shop::GROUP => {
                    let group = Group::<Folding<Shop>>::join(config, db, status)?;
                    if let Some(relay) = self.companions.relay(group.open_partitions()) {
                        let shutdown = shutdown.clone();
                        groups.spawn(async move { Ok(relay.run(shutdown).await?) });
                    }
                    groups.spawn(async move { Ok(group.run(shutdown).await?) });
                }
                Dispatches::GROUP => {
                    let group = Group::<Dispatches>::join(config, db, status)?;
                    if let Some(dispatcher) = self.companions.dispatcher(group.open_partitions()) {
                        let shutdown = shutdown.clone();
                        groups.spawn(async move {
                            dispatcher.run(shutdown).await;
                            Ok(())
                        });
                    }
                    groups.spawn(async move { Ok(group.run(shutdown).await?) });
                }
                _ => {
                    let group = Group::<Folding<Coupons>>::join(config, db, status)?;
                    groups.spawn(async move { Ok(group.run(shutdown).await?) });
                }
            }
        }
        let limits = Limits { drain_timeout: Duration::from_secs(2), ..Limits::default() };
        let server = tokio::spawn(serve::run(admin, self.admin_router(), limits, shutdown.clone()));
        let mut ended = Ok(());
        while let Some(group) = groups.join_next().await {
            // One group that ends, for whatever reason, ends the process: somebody restarts it.
            shutdown.cancel();
            ended = ended.and(group.context("a group panicked").flatten());
        }
        if let Err(error) = &ended {
            tracing::error!(%error, "the process ends");
        }
        server.await.context("the admin server")?;
        self.db.close().await.ok();
        ended
    }

    fn admin_router(&self) -> Router {
        let condition = Arc::new(Working {
            instance: self.config.instance.clone(),
            statuses: self.statuses.clone(),
            companions: self.companions.clone(),
        });
        let config = self.config.clone();
        let conservation = move || async move { conservation(config).await };
        let guarded = Router::new().route("/api/audit/conservation", get(conservation));
        let guarded = guarded.merge(self.companions.routes());
        let guarded = admin::guarded(guarded, &self.config.admin_token, refuse);
        admin::open_routes(condition, self.metrics.clone()).merge(guarded)
    }
}

fn refuse() -> Response {
    let body = json!({"errorCode": "UNAUTHENTICATED", "message": "Send the admin token as a bearer token."});
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}

async fn conservation(config: Config) -> Response {
    match audit::run(&config, Duration::ZERO).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => {
            tracing::warn!(%error, "an audit could not be made");
            let body = json!({"errorCode": "AUDIT_UNAVAILABLE", "message": error.to_string()});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

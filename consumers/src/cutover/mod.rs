//! Moving to another MySQL: whether a server is fit to be moved to, who still has a session on the one that counts, and
//! the switch itself. Nothing here writes a row; tables are made in a schema that has none, where that is asked for.

mod offsets;
mod server;
mod target;

pub use target::Checked;

use crate::{config::Config, pool::connect_once};
use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    routing::{get, post},
};
use chassis::kafka;
use control::{
    Address,
    office::{self, Accepted, Office, Refusal, Switch, bad},
    tail::{View, read_now},
};
use sea_orm::{DatabaseConnection, DbErr};
use serde::Deserialize;
use serde_json::{Value, json};
use server::Server;

/// What the routes need.
#[derive(Clone)]
pub struct Cutover {
    /// This process' settings: who logs in, and how.
    pub config: Config,
    /// For what `control` says, and for its changes.
    pub office: Office,
    /// For what the API processes say of their sessions.
    pub view: View,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    to: String,
    #[serde(default)]
    prepare: bool,
}

/// The routes; for behind the bearer token.
pub fn routes(cutover: Cutover) -> Router {
    Router::new()
        .route("/admin/database", post(switch))
        .route("/admin/database/check", post(check))
        .route("/admin/database/sessions", get(sessions))
        .with_state(cutover)
}

type Sent<T> = Result<Json<T>, JsonRejection>;

fn body<T>(sent: Sent<T>) -> Result<T, Refusal> {
    sent.map(|Json(body)| body).map_err(|rejection| bad(rejection.body_text()))
}

async fn check(State(cutover): State<Cutover>, sent: Sent<Check>) -> Result<Json<Checked>, Refusal> {
    let Check { to, prepare } = body(sent)?;
    let to = office::address(&to)?;
    let from = cutover.office.address()?;
    Ok(Json(target::check(&cutover.config, from, to, prepare).await))
}

async fn switch(State(cutover): State<Cutover>, sent: Sent<Switch>) -> Result<Accepted, Refusal> {
    let sent = body(sent)?;
    let (to, _) = sent.read()?;
    let from = cutover.office.address()?;
    if from != to {
        let checked = target::check(&cutover.config, from, to, false).await;
        let unfit = checked.unfit_now();
        if !unfit.is_empty() {
            return Err(Refusal::conflict("TARGET_UNFIT", unfit.join("; ")));
        }
    }
    cutover.office.switch(sent).await
}

/// Who has a session, as the writers' user, on the server that counts now.
async fn sessions(State(cutover): State<Cutover>) -> Result<Json<Value>, Refusal> {
    let address = cutover.office.address()?;
    let away = |error: DbErr| {
        Refusal::unavailable("DATABASE_UNAVAILABLE", format!("{address} does not say who is there: {error}"))
    };
    let url = aimed(&cutover.config, &address).map_err(away)?;
    let asked = within(async {
        let db = connect_once(&url).await?;
        let found = server::sessions(&db).await;
        db.close().await.ok();
        found
    });
    let (user, sessions) = asked.await.map_err(away)?;
    let reports = cutover.view.reports();
    let now = cutover.view.now_ms();
    let here = reports.live(now).filter(|report| report.database.as_ref() == Some(&address));
    let of_user = here.filter_map(|report| report.readers.as_ref()).filter(|readers| readers.user == user);
    let readers: u64 = of_user.map(|readers| u64::from(readers.sessions)).sum();
    Ok(Json(json!({
        "address": address, "user": user, "sessions": sessions, "readers": readers,
        "unaccounted": sessions.saturating_sub(readers),
    })))
}

/// Settings for the server that counts: as `control` says, or else as they are. For tools, which look once. `control` that
/// cannot be read is an error, for what is configured may be a server that was left.
///
/// # Errors
/// See above.
pub async fn current(config: &Config) -> anyhow::Result<Config> {
    let settings = kafka::reader(&config.kafka, &config.instance);
    let prefix = config.topic_prefix.clone();
    let state = tokio::task::spawn_blocking(move || read_now(&settings, &prefix)).await??;
    let mut config = config.clone();
    if let Some((_, database)) = state.database() {
        config.database_url = database.address.aim(&config.database_url)?;
    }
    Ok(config)
}

/// Of every look at a server, also one that is frozen.
async fn within<T>(work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    let late = |_| DbErr::Custom("no answer in time".to_owned());
    tokio::time::timeout(crate::limits::CHECK, work).await.map_err(late)?
}

/// Who a setting logs in as, aimed at a server.
fn aimed(config: &Config, to: &Address) -> Result<String, DbErr> {
    to.aim(&config.database_url).map_err(|error| DbErr::Custom(error.to_string()))
}

/// A look at a server: what it is, and where its projections stand.
async fn look(config: &Config, at: &Address) -> Result<(DatabaseConnection, Server), DbErr> {
    let url = aimed(config, at)?;
    within(async {
        let db = connect_once(&url).await?;
        let server = Server::look(&db).await?;
        Ok((db, server))
    })
    .await
}

//! Which MySQL counts: what `control` says of it, who uses it, and the record that names another one. Whether that one is
//! fit to be named is asked before, by processes that know MySQL; this module must never need it.

use super::{
    Office,
    changing::Accepted,
    refusal::{Refusal, bad},
    requests::text,
};
use crate::{
    Address, Database, Holder, Mode, Scope,
    audit::{Kind, Operation},
    hold::Place,
    limits,
    progress::Standing,
    records::{Key, Value},
};
use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value as Object, json};
use std::time::Duration;
use uuid::Uuid;

/// `POST /admin/database`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The server that is to count.
    pub to: String,
    /// For how long one can go back.
    #[serde(default = "a_day")]
    pub keep: String,
    /// Why.
    pub reason: String,
    /// Who asks.
    #[serde(default = "super::requests::operator")]
    pub actor: String,
}

fn a_day() -> String {
    "24h".to_owned()
}

impl Switch {
    /// The server, and for how long the one before is kept, in ms.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn read(&self) -> Result<(Address, i64), Refusal> {
        text("reason", &self.reason, true)?;
        text("actor", &self.actor, true)?;
        let to = address(&self.to)?;
        let keep = humantime::parse_duration(&self.keep)
            .map_err(|error| bad(format!("keep {:?}: {error}; write it as in 24h", self.keep)))?;
        if keep > limits::MAX_WAY_BACK {
            let most = humantime::format_duration(limits::MAX_WAY_BACK);
            return Err(bad(format!("keep is at most {most}, not {}", self.keep)));
        }
        Ok((to, ms(keep)))
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An address that was sent.
///
/// # Errors
/// One that is none.
pub fn address(text: &str) -> Result<Address, Refusal> {
    text.parse().map_err(|error: crate::database::NotAnAddress| bad(format!("to: {error}")))
}

pub(super) async fn database(State(office): State<Office>) -> Result<Json<Object>, Refusal> {
    let wanted = office.wanted()?;
    let now = office.now_ms();
    let reports = office.view.reports();
    let instances: Vec<Object> =
        reports.live(now).map(|report| json!({"id": report.instance, "address": report.database})).collect();
    let said = wanted.database().map(|(_, database)| database.clone());
    let of = said.as_ref();
    Ok(Json(json!({
        "address": office.address()?,
        "configured": of.is_none(),
        "since_ms": of.map(|database| database.at_ms),
        "operation": of.map(|database| database.operation),
        "previous": of.map(|database| &database.previous),
        "way_back_until_ms": of.map(|database| database.way_back_until_ms),
        "instances": instances,
    })))
}

impl Office {
    /// The server that counts: `control` says so, or else this process' setting.
    ///
    /// # Errors
    /// `control` is not known here.
    pub fn address(&self) -> Result<Address, Refusal> {
        let wanted = self.wanted()?;
        let said = wanted.database().map(|(_, database)| database.address.clone());
        said.or_else(|| self.configured.clone())
            .ok_or_else(|| bad("this process has no address of a database".to_owned()))
    }

    /// Has everybody use another server; only while all writers rest and have let go of the one that counts now.
    ///
    /// # Errors
    /// Writers that do not rest; the same address; a change that is not confirmed.
    pub async fn switch(&self, sent: Switch) -> Result<Accepted, Refusal> {
        let (to, keep_ms) = sent.read()?;
        let wanted = self.newest().await?;
        let from = self.address()?;
        if from == to {
            return Err(Refusal::conflict("SAME_DATABASE", format!("{to} counts already")));
        }
        self.is_released().await?;
        let (id, now) = (Uuid::new_v4(), self.known_now_ms().await?);
        let database = Database {
            address: to,
            previous: from,
            way_back_until_ms: now.saturating_add(keep_ms),
            operation: id,
            actor: sent.actor.clone(),
            reason: sent.reason.clone(),
            at_ms: now,
        };
        let operation = Operation {
            id,
            kind: Kind::Cutover,
            at_ms: now,
            actor: sent.actor,
            reason: sent.reason,
            holder: Some(Holder::Cutover),
            scopes: vec![Scope::All],
            epoch: 0,
            before: json!(wanted.database().map(|(_, database)| database.clone())),
            after: json!(database),
        };
        let changes = vec![(Key::Database, Some(Value::Database(database)))];
        self.accept(changes, operation, json!({"state": "SWITCHING"})).await
    }

    async fn is_released(&self) -> Result<(), Refusal> {
        let not = |why: String| {
            Err(Refusal::conflict(
                "NOT_RELEASED",
                format!(
                    "{why}. Pause all with holder cutover and mode release first, and wait until it is PAUSED"
                ),
            ))
        };
        let place = Place { holder: Holder::Cutover, scope: Scope::All };
        let held = self.wanted()?.live_at(&place).filter(|live| live.mode == Mode::Release);
        let Some(held) = held else { return not("writers are not released for a cutover".to_owned()) };
        let Some(operation) = self.view.operations(|all| all.find(held.operation).cloned()) else {
            return not("the operation that holds is not known here".to_owned());
        };
        let progress = self.progress(&operation).await?;
        if progress.state == Standing::Paused {
            return Ok(());
        }
        let missing: Vec<String> =
            progress.missing.iter().map(|(who, why)| format!("{who}: {why}")).collect();
        not(format!("not all writers rest: {}", missing.join("; ")))
    }
}

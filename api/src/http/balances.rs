//! A user's balance: shown and charged.

use super::{
    ApiError, App, Code, Shared,
    body::{JsonBody, canonical},
    caller::Caller,
    shop,
    wire::WireId,
};
use crate::request::Principal;
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use schemas::{
    Topic, UserId, partition,
    records::{BalanceCharged, Mode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `GET /api/users/{id}/balance`: never less than what was acknowledged before.
pub async fn show(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let user_id = user(&id)?;
    caller.act_for(&app, user_id).await?;
    let log = &app.ingress.shop;
    app.ingress.read_index(log, 0).await?;
    let balance = log.only().look(|fold| {
        let opening = fold.rules().map_or(0, |rules| rules.opening_balance.unsigned_abs());
        fold.state().balance(user_id).loaded().unwrap_or(opening)
    });
    Ok(Json(json!({"userId": user_id.get(), "balance": balance})))
}

/// Body of a charge.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeBody {
    #[serde(default)]
    amount: Option<WireId>,
}

/// `PATCH /api/users/{id}/balance`: in stage mode by anyone, else by an administrator.
pub async fn charge(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<ChargeBody>,
) -> Result<Response, ApiError> {
    let user_id = user(&id)?;
    let principal = match app.mode {
        Mode::Stage => Principal::User(user_id),
        Mode::Secure => caller.administrate(&app)?,
    };
    let amount = body.amount.filter(|amount| amount.0 >= 1);
    let amount =
        amount.ok_or_else(|| ApiError::invalid("amount must be a number from 1 to 9007199254740991"))?;
    exists(&app, user_id).await?;
    let envelope = app.identity.envelope(principal, caller.target(), caller.key(), &canonical(&body));
    let (event_id, fingerprint) = envelope;
    let record =
        BalanceCharged { event_id, fingerprint, user_id: user_id.to_wire(), amount: amount.0 as i64 };
    shop::answered(&shop::submit(&app, record.into(), shop::nothing).await?)
}

/// In secure mode only those who signed up have a balance; in stage mode anybody has.
async fn exists(app: &App, user: UserId) -> Result<(), ApiError> {
    if app.mode == Mode::Stage {
        return Ok(());
    }
    let log = &app.ingress.accounts;
    let home = partition::of_id(user.to_wire(), Topic::Signup);
    let seq = (user.get() - 1) / u64::from(Topic::Signup.partitions().unsigned_abs());
    let known = || log.cell(home).look(|fold| seq < fold.header().next_seq);
    if known() {
        return Ok(());
    }
    app.ingress.read_index(log, home).await?;
    if known() { Ok(()) } else { Err(Code::U001.into()) }
}

/// A user id in a path.
pub fn user(text: &str) -> Result<UserId, ApiError> {
    let id = WireId::parse(text).and_then(WireId::user);
    id.ok_or_else(|| ApiError::invalid("a user id is a number from 1 to 9007199254740991"))
}

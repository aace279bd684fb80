//! `GET /api/users/{id}/balance/logs`: every change of a balance, newest first.
//!
//! It comes from the tables, so it waits for them up to a second. Where they are still behind, or only an older copy is
//! there, `X-Projection-Lag` says by how many records of the shop's log at most.

use super::{
    ApiError, Shared,
    balances::user,
    caller::Caller,
    catalogue::number,
    spelling::Parameters,
    wire::{WireId, WireTime, iso},
};
use crate::{
    history::{BalanceLog, WhichLogs},
    limits,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use migrations::entity::balance_logs::{CHARGE, Filter, PAYMENT, SET};
use serde_json::{Value, json};

const PROJECTION_LAG: HeaderName = HeaderName::from_static("x-projection-lag");

/// See the module.
pub async fn list(
    State(app): State<Shared>,
    Path(id): Path<String>,
    query: Parameters,
    caller: Caller,
) -> Result<Response, ApiError> {
    let user = user(&id)?;
    caller.act_for(&app, user).await?;
    let filter = filter(&query)?;
    let page = number(&query, "page", 1, 1..=limits::MAX_LOG_PAGE)? as u64;
    let size = number(&query, "size", limits::DEFAULT_PAGE_SIZE, 1..=limits::MAX_PAGE_SIZE)? as u64;
    let log = &app.ingress.shop;
    app.ingress.read_index(log, 0).await?;
    let end = log.only().next_offset();
    let found = app.history.balance_logs(WhichLogs { user, filter, page, size, end }).await?;
    let logs: Vec<Value> = found.logs.iter().map(shown).collect();
    let body = json!({"logs": logs, "page": page, "size": size, "total": found.total});
    let mut response = Json(body).into_response();
    let lag = end.saturating_sub(found.projected);
    if lag > 0 {
        response.headers_mut().insert(PROJECTION_LAG, HeaderValue::from(lag));
    }
    Ok(response)
}

fn shown(log: &BalanceLog) -> Value {
    json!({
        "id": log.id,
        "code": code_name(log.code),
        "amount": log.amount,
        "balance": log.balance,
        "refId": log.ref_id,
        "createdAt": iso(log.at_ms),
    })
}

const CODES: [(&str, u8); 3] = [("SET", SET), ("CHARGE", CHARGE), ("PAYMENT", PAYMENT)];

fn code_name(code: u8) -> Option<&'static str> {
    CODES.into_iter().find(|(_, number)| *number == code).map(|(name, _)| name)
}

fn filter(query: &Parameters) -> Result<Filter, ApiError> {
    let code = query.get("code").map(|text| {
        let found = CODES.into_iter().find(|(name, _)| *name == text).map(|(_, number)| number);
        found.ok_or_else(|| ApiError::invalid("code is SET, CHARGE or PAYMENT"))
    });
    let ref_id = query.get("refId").map(|text| {
        let found = WireId::parse(text).filter(|id| id.0 >= 1);
        found.map(|id| id.0).ok_or_else(|| ApiError::invalid("refId is an order id"))
    });
    let (from_ms, to_ms) = (time(query, "from")?, time(query, "to")?);
    if from_ms.zip(to_ms).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::invalid("from is after to"));
    }
    Ok(Filter { from_ms, to_ms, code: code.transpose()?, ref_id: ref_id.transpose()? })
}

fn time(query: &Parameters, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = query.get(name) else { return Ok(None) };
    // In a query "+09:00" reads as " 09:00" where the client did not escape it.
    let parsed = WireTime::parse(text).or_else(|| WireTime::parse(&text.replace(' ', "+")));
    let wrong =
        || ApiError::invalid(format!("{name} is a time such as 2029-12-31T23:59:59Z, or ms since the epoch"));
    parsed.map(|time| Some(time.0)).ok_or_else(wrong)
}

//! What an operator may see of dispatches and do about them; behind the bearer token.

use super::Journal;
use crate::{limits, pool::WriterPool};
use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use control::office::{Refusal, bad};
use migrations::entity::external_dispatches::{self as dispatches, DELIVERED, FAILED, Model, PENDING};
use schemas::{OrderId, facts::DispatchRequested};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What the routes need.
#[derive(Clone)]
pub struct Office {
    /// For rows.
    pub pool: WriterPool,
    /// For requests to try again.
    pub journal: Journal,
}

/// The routes.
pub fn routes(office: Office) -> Router {
    Router::new()
        .route("/admin/dispatches", get(list))
        .route("/admin/dispatches/{order}", get(one))
        .route("/admin/dispatches/{order}/redrive", post(redrive))
        .with_state(office)
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Standing {
    Pending,
    Delivered,
    Failed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: Option<Standing>,
    limit: Option<u64>,
    after: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dispatch {
    order_id: u64,
    state: Standing,
    user_id: Option<u64>,
    total_amount: Option<u64>,
    discount_amount: Option<u64>,
    paid_amount: Option<u64>,
    paid_at_ms: Option<i64>,
    attempts: u32,
    next_attempt_at_ms: i64,
    last_error: Option<String>,
    delivered_at_ms: Option<i64>,
    failed_at_ms: Option<i64>,
}

impl From<Model> for Dispatch {
    fn from(row: Model) -> Self {
        Self {
            order_id: row.order_id,
            state: match row.state {
                PENDING => Standing::Pending,
                DELIVERED => Standing::Delivered,
                _ => Standing::Failed,
            },
            user_id: row.user_id,
            total_amount: row.total,
            discount_amount: row.discount,
            paid_amount: row.paid,
            paid_at_ms: row.paid_at_ms,
            attempts: row.attempts,
            next_attempt_at_ms: row.next_attempt_at_ms,
            last_error: row.last_error,
            delivered_at_ms: row.delivered_at_ms,
            failed_at_ms: row.failed_at_ms,
        }
    }
}

fn unread(error: DbErr) -> Refusal {
    tracing::warn!(%error, "dispatches could not be read");
    let message = "MySQL does not answer, or its pool was released by a pause; try again".to_owned();
    Refusal::unavailable("DATABASE_UNAVAILABLE", message)
}

async fn list(
    State(office): State<Office>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = wanted.limit.unwrap_or(limits::DISPATCH_PAGE);
    if !(1..=limits::MAX_DISPATCH_PAGE).contains(&limit) {
        return Err(bad(format!("limit is 1 to {}", limits::MAX_DISPATCH_PAGE)));
    }
    let state = wanted.state.map(|state| match state {
        Standing::Pending => PENDING,
        Standing::Delivered => DELIVERED,
        Standing::Failed => FAILED,
    });
    let db = office.pool.get().map_err(unread)?;
    let rows = dispatches::page(&db, state, wanted.after.unwrap_or(0), limit).await.map_err(unread)?;
    let rows: Vec<Dispatch> = rows.into_iter().map(Dispatch::from).collect();
    Ok(Json(json!({"dispatches": rows})).into_response())
}

async fn one(
    State(office): State<Office>,
    order: Result<Path<u64>, PathRejection>,
) -> Result<Json<Dispatch>, Refusal> {
    Ok(Json(find(&office, order).await?.into()))
}

async fn redrive(
    State(office): State<Office>,
    order: Result<Path<u64>, PathRejection>,
) -> Result<Response, Refusal> {
    let row = find(&office, order).await?;
    let again = (row.state == FAILED).then(|| again(&row)).flatten();
    let Some(again) = again else {
        let message = "Only a dispatch that failed can be redriven.".to_owned();
        return Err(Refusal::conflict("NOT_FAILED", message));
    };
    if let Err(error) = office.journal.append(&again.into()).await {
        tracing::warn!(%error, "a redrive was not recorded");
        let message = "Kafka did not confirm it; it is safe to try again.".to_owned();
        return Err(Refusal::unavailable("OUTCOME_UNKNOWN", message));
    }
    tracing::info!(order = row.order_id, "redriven");
    Ok((StatusCode::ACCEPTED, Json(json!({"orderId": row.order_id}))).into_response())
}

async fn find(office: &Office, order: Result<Path<u64>, PathRejection>) -> Result<Model, Refusal> {
    let Path(order) = order.map_err(|rejection| bad(rejection.body_text()))?;
    let found = match OrderId::new(order) {
        Some(order) => {
            let db = office.pool.get().map_err(unread)?;
            dispatches::find(&db, order.get()).await.map_err(unread)?
        }
        None => None,
    };
    found.ok_or_else(|| Refusal::unknown("NOT_FOUND", "There is no such dispatch.".to_owned()))
}

fn again(row: &Model) -> Option<DispatchRequested> {
    let long = |value: Option<u64>| value.map(|value| value as i64);
    Some(DispatchRequested {
        source_offset: long(row.source_offset)?,
        order_id: row.order_id as i64,
        user_id: long(row.user_id)?,
        total: long(row.total)?,
        discount: long(row.discount)?,
        paid: long(row.paid)?,
        at_ms: row.paid_at_ms?,
        redriven: true,
    })
}

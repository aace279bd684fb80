//! `GET /api/requests/{topic}-{partition}-{event id}`: what came of a request whose answer was not awaited.

use super::{ApiError, App, Code, Shared, admin, caller::Caller, coupons, shop};
use crate::log::{cell::Answer, topic_log::TopicLog};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::{Verdict, accounts::AccountOutcome, coupons::CouponOutcome, fold::State as Fold};
use http_body_util::BodyExt;
use schemas::{Topic, UserId, Uuid};
use serde_json::{Value, json};

/// See the module. Never sets a cookie: whoever wants a session repeats the sign-up.
pub async fn outcome(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let (topic, partition, event_id) = parse(&id).ok_or(Code::RequestNotFound)?;
    match topic {
        Topic::Coupon => {
            let verdict = find(&app, &app.ingress.coupons, partition, event_id).await?;
            if admin::is_answer(&verdict) {
                return Err(Code::RequestNotFound.into()); // Asked on the admin listener, answered there.
            }
            if let Some(owner) = claimant(&verdict) {
                caller.act_for(&app, owner).await.map_err(|_| Code::RequestNotFound)?;
            }
            let answer = coupons::answered(&app, &Answer { verdict, replayed: false, offset: None });
            Ok(Json(inside(answer).await))
        }
        Topic::Signup => {
            let verdict = find(&app, &app.ingress.accounts, partition, event_id).await?;
            // Whoever knows the event id of a sign-up made it; a session is only given for repeating it.
            match verdict {
                Verdict::Decided(AccountOutcome::Registered { user_id, .. }) => {
                    let body = json!({"userId": user_id.get(), "balance": app.opening_balance});
                    Ok(Json(json!({"status": 201, "body": body})))
                }
                Verdict::Decided(AccountOutcome::SessionRevoked { .. }) => {
                    Ok(Json(json!({"status": 200, "body": {"success": true}})))
                }
                _ => Err(Code::RequestNotFound.into()),
            }
        }
        Topic::Order => {
            let verdict = find(&app, &app.ingress.shop, partition, event_id).await?;
            match shop::owner(&verdict) {
                Some(owner) => {
                    caller.act_for(&app, owner).await.map_err(|_| Code::RequestNotFound)?;
                }
                None if shop::is_administration(&verdict) => {
                    caller.administrate(&app).map_err(|_| Code::RequestNotFound)?;
                }
                None => {}
            }
            Ok(Json(inside(shop::answered(&Answer { verdict, replayed: false, offset: None })).await))
        }
    }
}

/// The same on the admin listener, for what administrators asked.
pub async fn admin_outcome(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let (topic, partition, event_id) = parse(&id).ok_or(Code::RequestNotFound)?;
    if topic == Topic::Order {
        let verdict = find(&app, &app.ingress.shop, partition, event_id).await?;
        if !shop::is_administration(&verdict) {
            return Err(Code::RequestNotFound.into());
        }
        return Ok(Json(inside(shop::answered(&Answer { verdict, replayed: false, offset: None })).await));
    }
    if topic != Topic::Coupon {
        return Err(Code::RequestNotFound.into());
    }
    let verdict = find(&app, &app.ingress.coupons, partition, event_id).await?;
    if !admin::is_answer(&verdict) {
        return Err(Code::RequestNotFound.into());
    }
    Ok(Json(
        inside(admin::answer(&Answer { verdict, replayed: false, offset: None }, StatusCode::CREATED)).await,
    ))
}

fn claimant(verdict: &Verdict<CouponOutcome>) -> Option<UserId> {
    match verdict {
        Verdict::Decided(CouponOutcome::Won(won) | CouponOutcome::AlreadyIssued(won)) => Some(won.user_id),
        _ => None,
    }
}

fn parse(id: &str) -> Option<(Topic, i32, Uuid)> {
    let mut parts = id.splitn(3, '-');
    let (name, partition, event_id) = (parts.next()?, parts.next()?, parts.next()?);
    let topic = Topic::ALL.into_iter().find(|topic| topic.base_name() == name)?;
    let partition = partition.parse().ok().filter(|p| (0..topic.partitions()).contains(p))?;
    Some((topic, partition, Uuid::try_parse(event_id).ok()?))
}

async fn find<S: Fold>(
    app: &App,
    log: &TopicLog<S>,
    partition: i32,
    event_id: Uuid,
) -> Result<Verdict<S::Outcome>, ApiError> {
    let look = || {
        log.cell(partition)
            .look(|fold| fold.answers(event_id).find(|verdict| **verdict != Verdict::KeyReused).cloned())
    };
    if let Some(verdict) = look() {
        return Ok(verdict);
    }
    app.ingress.read_index(log, partition).await?;
    look().ok_or_else(|| Code::RequestNotFound.into())
}

/// An answer as a value inside another: its own status and body.
async fn inside(answer: Result<Response, ApiError>) -> Value {
    let response = answer.unwrap_or_else(|error| error.render(false));
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let body: Value = serde_json::from_slice(&bytes.unwrap_or(Bytes::new())).unwrap_or(Value::Null);
    json!({"status": status, "body": body})
}

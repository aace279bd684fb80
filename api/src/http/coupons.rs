//! Coupons for users: issue, apply, list.

use super::{
    ApiError, App, Code, Shared,
    body::{JsonBody, canonical},
    caller::Caller,
    spelling::{Parameters, is_number},
    wire::{Percent, WireId, iso},
};
use crate::{
    foresight::Trust,
    ingress::Failure,
    limits,
    log::cell::{Answer, Envelope},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    Slot, Verdict,
    coupons::{Coupon, CouponOutcome, CouponTerms, Won},
};
use schemas::{CouponId, Record, Topic, UserId, partition, records::CouponClaimed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Arc, time::Duration};

/// Body of an issue.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IssueBody {
    #[serde(default)]
    user_id: Option<WireId>,
}

/// `POST /api/coupons/{id}/issue`.
pub async fn issue(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<IssueBody>,
) -> Result<Response, ApiError> {
    let coupon_id = coupon_id(&id)?;
    let user_id = user(body.user_id)?;
    let principal = caller.act_for(&app, user_id).await?;
    let envelope = app.identity.envelope(principal, caller.target(), caller.key(), &canonical(&body));
    let answer = claim(&app, coupon_id, user_id, envelope).await?;
    answered(&app, &answer)
}

/// `POST /coupon/apply?userId=N`: the campaign `apply`, with the statuses of the system that it stands in for.
pub async fn apply(
    State(app): State<Shared>,
    query: Parameters,
    caller: Caller,
    JsonBody(_): JsonBody<Empty>,
) -> Result<Response, ApiError> {
    let user_id = user(query.get("userId").map(|text| WireId::parse(text).unwrap_or(WireId(0))))?;
    let principal = caller.act_for(&app, user_id).await?;
    let envelope = app.identity.envelope(principal, caller.target(), caller.key(), b"{}");
    let conflict = |error: ApiError| match error.code {
        Code::C005 => error.with_status(StatusCode::CONFLICT),
        Code::C001 | Code::C003 | Code::C006 => error.with_status(StatusCode::UNPROCESSABLE_ENTITY),
        _ => error,
    };
    let Some(coupon_id) = campaign_coupon(&app, "apply").await? else {
        return Err(conflict(Code::C006.into()));
    };
    let answer = claim(&app, coupon_id, user_id, envelope).await?;
    match won(&answer) {
        Ok(_) => Ok(replayed(StatusCode::OK.into_response(), answer.replayed)),
        Err(error) => Err(conflict(error)),
    }
}

/// A body without fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// `GET /api/users/{id}/coupons?status=AVAILABLE|USED|EXPIRED`. A piece that was paid with is used, also when its time has
/// passed since.
pub async fn of_user(
    State(app): State<Shared>,
    Path(id): Path<String>,
    query: Parameters,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let user_id = user(WireId::parse(&id))?;
    caller.act_for(&app, user_id).await?;
    let wanted = match query.get("status") {
        None => None,
        Some(status @ ("AVAILABLE" | "USED" | "EXPIRED")) => Some(status.to_owned()),
        Some(_) => return Err(ApiError::invalid("status is AVAILABLE, USED or EXPIRED")),
    };
    let (log, shop) = (&app.ingress.coupons, &app.ingress.shop);
    let partitions: Vec<i32> = (0..Topic::Coupon.partitions()).collect();
    tokio::try_join!(app.ingress.read_index_of(log, &partitions), app.ingress.read_index(shop, 0))?;
    // A list may use an estimate: it decides nothing, and is late rather than early.
    let brokers_now_ms = app.control.known_now_ms().unwrap_or(i64::MIN);
    let mut found = Vec::new();
    for cell in log.cells() {
        cell.look(|fold| {
            let now_ms = fold.header().clock_ms.max(brokers_now_ms);
            for (coupon_id, coupon) in fold.state().coupons() {
                let Slot::Loaded(number) = fold.state().claim(coupon_id, user_id) else { continue };
                let won = Won { user_id, coupon_id: coupon_id.get() as u32, number, total: coupon.total };
                found.push((won, coupon.terms.clone(), now_ms >= coupon.terms.expires_at_ms));
            }
        });
    }
    found.sort_unstable_by_key(|(won, ..)| won.user_coupon_id());
    let used: HashSet<u64> = shop.cell(0).look(|fold| {
        let ids = found.iter().map(|(won, ..)| won.user_coupon_id());
        ids.filter(|id| matches!(fold.state().redemption(*id), Slot::Loaded(()))).collect()
    });
    let item = |(won, terms, expired): &(Won, Arc<CouponTerms>, bool)| {
        let status = match (used.contains(&won.user_coupon_id()), expired) {
            (true, _) => "USED",
            (false, true) => "EXPIRED",
            (false, false) => "AVAILABLE",
        };
        let expires = iso(terms.expires_at_ms);
        let is_wanted = wanted.as_deref().is_none_or(|wanted| wanted == status);
        is_wanted.then(|| json!(Piece { status: Some(status), ..Piece::new(won, terms, &expires) }))
    };
    let data: Vec<Value> = found.iter().filter_map(item).collect();
    Ok(Json(json!({"data": data})))
}

/// Claims a piece: answered from the fold without a record where the fold is fresh and already knows.
pub async fn claim(
    app: &App,
    coupon_id: CouponId,
    user_id: UserId,
    envelope: Envelope,
) -> Result<Answer<CouponOutcome>, Failure> {
    let log = &app.ingress.coupons;
    let home = partition::of_id(coupon_id.to_wire(), Topic::Coupon);
    let (event_id, fingerprint) = envelope;
    let claimed =
        CouponClaimed { event_id, fingerprint, coupon_id: coupon_id.to_wire(), user_id: user_id.to_wire() };
    let record = Record::from(claimed);
    app.ingress
        .answer(log, home, &record, |coupons, outcome| trust(app, coupons.coupon(coupon_id), outcome))
        .await
}

fn trust(app: &App, coupon: Slot<&Coupon>, outcome: &CouponOutcome) -> Option<Trust> {
    match outcome {
        // A piece that was won, a coupon that is over.
        CouponOutcome::AlreadyIssued(_) | CouponOutcome::Expired => Some(Trust::Final),
        // Sold out, or over? The log's clock moves with what is appended, and a partition may be quiet: where the coupon is
        // over by an estimate of the brokers' time, a record decides, and from then on the fold knows.
        CouponOutcome::SoldOut => {
            let brokers_now_ms = app.control.known_now_ms().unwrap_or(i64::MIN);
            let is_in_doubt =
                coupon.loaded().is_some_and(|coupon| brokers_now_ms >= coupon.terms.expires_at_ms);
            (!is_in_doubt).then_some(Trust::Within(limits::REFUSAL_FRESHNESS))
        }
        // "Absent" is only ever said after asking the log itself.
        CouponOutcome::NotFound => Some(Trust::Within(Duration::ZERO)),
        _ => None,
    }
}

async fn campaign_coupon(app: &App, name: &str) -> Result<Option<CouponId>, Failure> {
    let log = &app.ingress.coupons;
    let home = partition::CAMPAIGN_PARTITION;
    // A campaign that was reset a moment ago must not send anybody to its former coupon.
    app.ingress.fresh(log, home, limits::REFUSAL_FRESHNESS).await?;
    let find = || log.cell(home).look(|fold| fold.state().campaign(name).loaded());
    match find() {
        Some(id) => Ok(Some(id)),
        None => {
            app.ingress.read_index(log, home).await?;
            Ok(find())
        }
    }
}

/// The piece that an answer stands for, or the refusal.
fn won(answer: &Answer<CouponOutcome>) -> Result<Won, ApiError> {
    let code = match &answer.verdict {
        Verdict::Decided(CouponOutcome::Won(won)) => return Ok(*won),
        Verdict::Decided(CouponOutcome::NotFound) => Code::C006,
        Verdict::Decided(CouponOutcome::AlreadyIssued(_)) => Code::C005,
        Verdict::Decided(CouponOutcome::Expired) => Code::C003,
        Verdict::Decided(CouponOutcome::SoldOut) => Code::C001,
        Verdict::KeyReused => Code::KeyReused,
        other => {
            tracing::error!(?other, "a claim was judged as no claim of ours can be");
            Code::Internal
        }
    };
    Err(ApiError { replayed: answer.replayed, ..code.into() })
}

/// The HTTP answer of a claim.
pub fn answered(app: &App, answer: &Answer<CouponOutcome>) -> Result<Response, ApiError> {
    let won = won(answer)?;
    let terms = terms_of(app, &won).ok_or(Code::Internal)?;
    let expires = iso(terms.expires_at_ms);
    let response = (StatusCode::CREATED, Json(Piece::new(&won, &terms, &expires))).into_response();
    Ok(replayed(response, answer.replayed))
}

fn terms_of(app: &App, won: &Won) -> Option<Arc<CouponTerms>> {
    let id = CouponId::new(won.coupon_id.into())?;
    let home = partition::of_id(id.to_wire(), Topic::Coupon);
    app.ingress.coupons.cell(home).look(|fold| fold.state().coupon(id).loaded().map(|c| c.terms.clone()))
}

/// A piece of a coupon on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    user_coupon_id: u64,
    coupon_id: u32,
    user_id: u64,
    coupon_name: &'a str,
    discount_rate: Value,
    expired_at: &'a str,
    expires_at: &'a str,
    remaining_quantity: u32,
    data: PieceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct PieceId {
    id: u64,
}

impl<'a> Piece<'a> {
    fn new(won: &Won, terms: &'a CouponTerms, expires: &'a str) -> Self {
        Self {
            user_coupon_id: won.user_coupon_id(),
            coupon_id: won.coupon_id,
            user_id: won.user_id.get(),
            coupon_name: &terms.name,
            discount_rate: Percent::to_json(terms.rate_bp),
            expired_at: expires,
            expires_at: expires,
            remaining_quantity: won.remaining(),
            data: PieceId { id: won.user_coupon_id() },
            status: None,
        }
    }
}

/// Marks an answer that an earlier record gave.
pub fn replayed(mut response: Response, replayed: bool) -> Response {
    if replayed {
        let value = axum::http::HeaderValue::from_static("true");
        response.headers_mut().insert("idempotent-replayed", value);
    }
    response
}

/// A coupon id in a path: a number that no coupon can have names no coupon.
pub fn coupon_id(text: &str) -> Result<CouponId, ApiError> {
    if !is_number(text) {
        return Err(ApiError::invalid("a coupon id is a number"));
    }
    text.parse().ok().and_then(CouponId::new).ok_or_else(|| Code::C006.into())
}

pub fn user(id: Option<WireId>) -> Result<UserId, ApiError> {
    id.and_then(WireId::user)
        .ok_or_else(|| ApiError::invalid("userId must be a number from 1 to 9007199254740991"))
}

//! The operators' side: coupons, campaigns, rules, and where every fold stands.

use super::{
    ApiError, App, Code, Shared,
    body::{JsonBody, canonical},
    caller::Caller,
    coupons::{Empty, coupon_id, replayed},
    wire::{Percent, WireId, WireTime, iso},
};
use crate::{
    log::{
        cell::{Answer, Envelope},
        topic_log::TopicLog,
    },
    request::Principal,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    Slot, Verdict,
    coupons::{Coupon, CouponOutcome, MAX_CAMPAIGN_NAME_CHARS, MAX_COUPON_NAME_CHARS},
    fold::State as Fold,
    rules::SUPPORTED_RULES,
};
use schemas::{
    CouponId, Record, Topic,
    ids::COUPON_TOTAL_LIMIT,
    partition::{self, CAMPAIGN_PARTITION},
    records::{CampaignOpened, CouponClosed, CouponExtended, CouponOpened},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What makes a coupon.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CouponBody {
    #[serde(default)]
    coupon_id: Option<WireId>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    total: Option<WireId>,
    #[serde(default)]
    discount_rate: Option<Percent>,
    #[serde(default)]
    expires_at: Option<WireTime>,
}

struct NewCoupon {
    coupon_id: CouponId,
    name: String,
    total: i64,
    rate_bp: i32,
    expires_at_ms: i64,
}

/// `POST /admin/coupons`.
pub async fn create_coupon(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(body): JsonBody<CouponBody>,
) -> Result<Response, ApiError> {
    let (event_id, fingerprint) = envelope(&app, &caller, &body);
    let NewCoupon { coupon_id, name, total, rate_bp, expires_at_ms } = complete(body, None)?;
    let record = CouponOpened {
        event_id,
        fingerprint,
        coupon_id: coupon_id.to_wire(),
        name,
        total,
        rate_bp,
        expires_at_ms,
    };
    answer(&submit(&app, record.into()).await?, StatusCode::CREATED)
}

/// `GET /admin/coupons/{id}`: how many are left, as this moment's log says.
pub async fn show_coupon(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = coupon_id(&id)?;
    let home = partition::of_id(id.to_wire(), Topic::Coupon);
    let log = &app.ingress.coupons;
    app.ingress.read_index(log, home).await?;
    let coupon = log.cell(home).look(|fold| fold.state().coupon(id).loaded().cloned()).ok_or(Code::C006)?;
    Ok(Json(json!({
        "couponId": id.get(),
        "name": coupon.terms.name,
        "total": coupon.total,
        "issued": coupon.issued,
        "remainingQuantity": coupon.total - coupon.issued,
        "discountRate": Percent::to_json(coupon.terms.rate_bp),
        "expiresAt": iso(coupon.terms.expires_at_ms),
        "closedAt": coupon.closed_at_ms.map(iso),
    })))
}

/// Body of an extension.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    #[serde(default)]
    total: Option<WireId>,
}

/// `POST /admin/coupons/{id}/extend`: the new total, which only grows.
pub async fn extend_coupon(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<ExtendBody>,
) -> Result<Response, ApiError> {
    let (event_id, fingerprint) = envelope(&app, &caller, &body);
    let coupon_id = coupon_id(&id)?.to_wire();
    let record = CouponExtended { event_id, fingerprint, coupon_id, total: total(body.total)? };
    answer(&submit(&app, record.into()).await?, StatusCode::OK)
}

/// `POST /admin/coupons/{id}/close`.
pub async fn close_coupon(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<Empty>,
) -> Result<Response, ApiError> {
    let (event_id, fingerprint) = envelope(&app, &caller, &body);
    let record = CouponClosed { event_id, fingerprint, coupon_id: coupon_id(&id)?.to_wire() };
    answer(&submit(&app, record.into()).await?, StatusCode::OK)
}

/// `POST /admin/campaigns/{name}/reset`: a fresh coupon; what is not given stays as it was.
pub async fn reset_campaign(
    State(app): State<Shared>,
    Path(campaign): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<CouponBody>,
) -> Result<Response, ApiError> {
    if campaign.is_empty() || campaign.chars().count() > MAX_CAMPAIGN_NAME_CHARS {
        return Err(ApiError::invalid(format!(
            "a campaign's name has 1 to {MAX_CAMPAIGN_NAME_CHARS} characters"
        )));
    }
    let (event_id, fingerprint) = envelope(&app, &caller, &body);
    let log = &app.ingress.coupons;
    app.ingress.read_index(log, CAMPAIGN_PARTITION).await?;
    let present = log.cell(CAMPAIGN_PARTITION).look(|fold| {
        let id = fold.state().campaign(&campaign).loaded()?;
        let coupon = fold.state().coupon(id).loaded()?.clone();
        // The next id of the same partition that is free.
        let step = Topic::Coupon.partitions() as u64;
        let fresh = (1..).map_while(|n| CouponId::new(id.get() + n * step));
        let fresh = fresh.into_iter().find(|id| fold.state().coupon(*id) == Slot::Absent)?;
        Some((fresh, coupon))
    });
    if present.is_none() && body.name.is_none() {
        return Err(Code::CampaignNotFound.into());
    }
    let NewCoupon { coupon_id, name, total, rate_bp, expires_at_ms } = complete(body, present)?;
    let coupon_id = coupon_id.to_wire();
    if partition::of_id(coupon_id, Topic::Coupon) != CAMPAIGN_PARTITION {
        return Err(ApiError::invalid("a campaign's coupon id must be 1 more than a multiple of 8"));
    }
    let record =
        CampaignOpened { event_id, fingerprint, campaign, coupon_id, name, total, rate_bp, expires_at_ms };
    answer(&submit(&app, record.into()).await?, StatusCode::CREATED)
}

/// Body of an activation.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivateBody {
    #[serde(default)]
    version: Option<WireId>,
}

/// `POST /admin/rules/activate`: every partition is told; one that has these rules already stays as it is.
pub async fn activate_rules(JsonBody(body): JsonBody<ActivateBody>) -> Result<Json<Value>, ApiError> {
    let version = body.version.map(|version| version.0).filter(|version| *version >= 1);
    let version = version.ok_or_else(|| ApiError::invalid("version must be a number from 1"))?;
    if version > SUPPORTED_RULES.unsigned_abs().into() {
        return Err(Code::RulesUnsupported.into());
    }
    // Version 1 is the only one that any binary carries, and every log is founded with it.
    Ok(Json(json!({"version": version, "supported": SUPPORTED_RULES, "changed": false})))
}

/// `GET /admin/positions`: next offset and digest of every partition, for the audit.
pub async fn positions(State(app): State<Shared>) -> Json<Value> {
    let mut positions = Vec::new();
    collect(&app.ingress.accounts, &mut positions);
    collect(&app.ingress.coupons, &mut positions);
    collect(&app.ingress.shop, &mut positions);
    Json(json!({"process": "api", "positions": positions}))
}

fn collect<S: Fold>(log: &TopicLog<S>, out: &mut Vec<Value>) {
    for cell in log.cells() {
        let header = cell.look(|fold| fold.header().clone());
        out.push(json!({
            "topic": log.name().as_ref(),
            "partition": cell.partition(),
            "nextOffset": header.next_offset,
            "digest": format!("{:016x}", header.digest),
            "rules": header.rules,
            "stopped": cell.stopped().as_deref(),
        }));
    }
}

pub(super) fn envelope<B: Serialize>(app: &App, caller: &Caller, body: &B) -> Envelope {
    app.identity.envelope(Principal::Admin, caller.target(), caller.key(), &canonical(body))
}

fn total(given: Option<WireId>) -> Result<i64, ApiError> {
    let range = format!("total must be a number from 1 to {}", COUPON_TOTAL_LIMIT - 1);
    let total = given.map(|total| total.0).filter(|total| (1..COUPON_TOTAL_LIMIT).contains(total));
    total.map(|total| total as i64).ok_or_else(|| ApiError::invalid(range))
}

fn complete(body: CouponBody, present: Option<(CouponId, Coupon)>) -> Result<NewCoupon, ApiError> {
    let (fresh, coupon) = present.unzip();
    let terms = coupon.as_ref().map(|coupon| coupon.terms.clone());
    let missing = |field| move || ApiError::invalid(format!("{field} is missing"));
    let coupon_id = match body.coupon_id {
        Some(id) => CouponId::new(id.0)
            .ok_or_else(|| ApiError::invalid(format!("couponId must be from 1 to {}", CouponId::MAX)))?,
        None => fresh.ok_or_else(missing("couponId"))?,
    };
    let name = body.name.or_else(|| terms.as_ref().map(|t| t.name.clone())).ok_or_else(missing("name"))?;
    if name.is_empty() || name.chars().count() > MAX_COUPON_NAME_CHARS {
        return Err(ApiError::invalid(format!("name must have 1 to {MAX_COUPON_NAME_CHARS} characters")));
    }
    let rate_bp = body.discount_rate.map(|rate| rate.0).or_else(|| terms.as_ref().map(|t| t.rate_bp.into()));
    let expires_at_ms =
        body.expires_at.map(|time| time.0).or_else(|| terms.as_ref().map(|t| t.expires_at_ms));
    Ok(NewCoupon {
        coupon_id,
        name,
        total: total(body.total.or_else(|| coupon.map(|coupon| WireId(coupon.total.into()))))?,
        rate_bp: rate_bp.ok_or_else(missing("discountRate"))?,
        expires_at_ms: expires_at_ms.ok_or_else(missing("expiresAt"))?,
    })
}

async fn submit(app: &App, record: Record) -> Result<Answer<CouponOutcome>, ApiError> {
    let home = partition::home(&record).unwrap_or(CAMPAIGN_PARTITION);
    Ok(app.ingress.submit(&app.ingress.coupons, home, &record).await?)
}

/// Whether a verdict answers something that an administrator asked.
pub(super) fn is_answer(verdict: &Verdict<CouponOutcome>) -> bool {
    use CouponOutcome as O;
    match verdict {
        Verdict::Decided(outcome) => {
            !matches!(outcome, O::Won(_) | O::AlreadyIssued(_) | O::Expired | O::SoldOut | O::NotFound)
        }
        _ => false,
    }
}

/// The HTTP answer of an administrator's request.
pub(super) fn answer(answer: &Answer<CouponOutcome>, status: StatusCode) -> Result<Response, ApiError> {
    let opened = |id: &CouponId, name: &str, rate_bp, total: &u32, expires_at_ms| {
        let rate = Percent::to_json(rate_bp);
        json!({"couponId": id.get(), "name": name, "total": total, "discountRate": rate, "expiresAt": iso(expires_at_ms)})
    };
    let body = match &answer.verdict {
        Verdict::Decided(CouponOutcome::Opened { coupon_id, terms, total }) => {
            opened(coupon_id, &terms.name, terms.rate_bp, total, terms.expires_at_ms)
        }
        Verdict::Decided(CouponOutcome::CampaignOpened { campaign, coupon_id, terms, total, closes }) => {
            let mut body = opened(coupon_id, &terms.name, terms.rate_bp, total, terms.expires_at_ms);
            body["campaign"] = campaign.as_ref().into();
            body["closedCouponId"] = closes.map(CouponId::get).into();
            body
        }
        Verdict::Decided(CouponOutcome::Extended { coupon_id, total }) => {
            json!({"couponId": coupon_id.get(), "total": total, "changed": true})
        }
        Verdict::Decided(CouponOutcome::Closed(id)) => json!({"couponId": id.get(), "changed": true}),
        Verdict::Decided(CouponOutcome::NotExtended | CouponOutcome::AlreadyClosed) => {
            json!({"changed": false})
        }
        Verdict::Decided(CouponOutcome::Exists) => return Err(Code::CouponExists.into()),
        Verdict::Decided(CouponOutcome::NotFound) => return Err(Code::C006.into()),
        Verdict::KeyReused => return Err(Code::KeyReused.into()),
        other => {
            tracing::error!(?other, "an administrator's request was judged as none of ours can be");
            return Err(Code::Internal.into());
        }
    };
    Ok(replayed((status, Json(body)).into_response(), answer.replayed))
}

//! Paying an order, with a coupon that the coupon log vouches for.

use super::{
    ApiError, App, Shared,
    body::{JsonBody, canonical},
    caller::Caller,
    coupons::user,
    orders::order_id,
    shop,
    wire::WireId,
};
use crate::{foresight::Trust, ingress::Failure};
use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::shop::{Refusal, ShopOutcome, ShopResult};
use schemas::{
    CouponId, Topic, UserId,
    ids::COUPON_TOTAL_LIMIT,
    partition,
    records::{CouponProof, PaymentRequested},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Body of a payment.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PayBody {
    #[serde(default)]
    user_id: Option<WireId>,
    #[serde(default)]
    coupon_id: Option<WireId>,
}

/// `POST /api/orders/{id}/payment`.
pub async fn pay(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<PayBody>,
) -> Result<Response, ApiError> {
    let order_id = order_id(&id)?;
    let user_id = user(body.user_id)?;
    let principal = caller.act_for(&app, user_id).await?;
    let envelope = app.identity.envelope(principal, caller.target(), caller.key(), &canonical(&body));
    let (event_id, fingerprint) = envelope;
    let proof = match body.coupon_id {
        Some(id) => proof(&app, id.0, user_id).await?,
        None => None,
    };
    let record = PaymentRequested {
        event_id,
        fingerprint,
        order_id: order_id.to_wire(),
        user_id: user_id.to_wire(),
        coupon_id: body.coupon_id.map(|id| id.0 as i64),
        proof,
    };
    shop::answered(&shop::submit(&app, record.into(), trust).await?)
}

/// Refusals of which nobody else hears; the others are appended, so that the fact reaches other systems.
fn trust(outcome: &ShopOutcome) -> Option<Trust> {
    let ShopResult::PaymentRefused(decline) = &outcome.result else { return None };
    match decline.refusal {
        // "Absent" is only ever said after asking the log itself.
        Refusal::OrderNotFound => Some(Trust::Within(Duration::ZERO)),
        Refusal::NotYours | Refusal::AlreadyPaid => Some(Trust::Final),
        _ => None,
    }
}

/// What the coupon log says of the user's piece: it can never become false, so it may stand in another topic's record.
async fn proof(app: &App, id: u64, user: UserId) -> Result<Option<CouponProof>, Failure> {
    // Below 2^32 it is a coupon's id, from there on a piece's.
    let coupon = if id < COUPON_TOTAL_LIMIT { id } else { id / COUPON_TOTAL_LIMIT };
    let Some(coupon_id) = CouponId::new(coupon) else { return Ok(None) };
    let log = &app.ingress.coupons;
    let home = partition::of_id(coupon_id.to_wire(), Topic::Coupon);
    let find = || {
        log.cell(home).look(|fold| {
            let number = fold.state().claim(coupon_id, user).loaded()?;
            let user_coupon_id = coupon * COUPON_TOTAL_LIMIT + u64::from(number);
            if id >= COUPON_TOTAL_LIMIT && id != user_coupon_id {
                return None;
            }
            let terms = &fold.state().coupon(coupon_id).loaded()?.terms;
            Some(CouponProof {
                user_coupon_id: user_coupon_id as i64,
                rate_bp: terms.rate_bp.into(),
                expires_at_ms: terms.expires_at_ms,
            })
        })
    };
    if let Some(proof) = find() {
        return Ok(Some(proof));
    }
    // Won at another process a moment ago?
    app.ingress.read_index(log, home).await?;
    Ok(find())
}

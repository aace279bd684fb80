//! `POST /api/external-platform/events`: what the external platform tells us, signed. It is a fact in the log or it was
//! not taken; what it means is judged by whoever reads that topic.
//!
//! A repeat is appended again under the same key, and recorded once: `consumers` and the compaction of the topic go by
//! the event id.

use super::{
    ApiError, Code, Shared,
    body::RawBody,
    headers::one,
    wire::{WireId, WireTime},
};
use crate::{limits, session::wall_clock_ms, signature::Signature};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
};
use schemas::{OrderId, fact::Fact, facts::PlatformEventReceived};
use serde::{Deserialize, Serialize};

/// What is signed. A partner may add fields to it without asking us: those are ignored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventBody {
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    order_id: WireId,
    occurred_at: WireTime,
}

/// See the module.
pub async fn receive(
    State(app): State<Shared>,
    headers: HeaderMap,
    RawBody { bytes, is_json }: RawBody,
) -> Result<StatusCode, ApiError> {
    let text = |name: HeaderName| {
        let value = one(&headers, &name)?;
        Ok::<_, ApiError>(value.and_then(|value| value.to_str().ok()).unwrap_or_default())
    };
    let signed = Signature {
        key_id: text(HeaderName::from_static("x-platform-key-id"))?,
        timestamp: text(HeaderName::from_static("x-platform-timestamp"))?,
        signature: text(HeaderName::from_static("x-platform-signature"))?,
    };
    if !app.platform_keys.accept(signed, &bytes, wall_clock_ms()) {
        return Err(Code::SignatureInvalid.into());
    }
    if !is_json {
        return Err(Code::UnsupportedMediaType.into());
    }
    let event = super::body::parse::<EventBody>(&bytes)?;
    app.facts.append(&Fact::from(checked(event)?)).await?;
    Ok(StatusCode::ACCEPTED)
}

fn checked(event: EventBody) -> Result<PlatformEventReceived, ApiError> {
    let EventBody { event_id, kind, order_id, occurred_at } = event;
    let (most, visible) =
        (limits::MAX_WEBHOOK_ID_CHARS, event_id.bytes().all(|byte| byte.is_ascii_graphic()));
    if !visible || !(1..=most).contains(&event_id.len()) {
        return Err(ApiError::invalid(format!("eventId has 1 to {most} visible ASCII characters")));
    }
    let most = limits::MAX_WEBHOOK_TYPE_CHARS;
    if !(1..=most).contains(&kind.chars().count()) || kind.chars().any(char::is_control) {
        return Err(ApiError::invalid(format!("type has 1 to {most} characters")));
    }
    let order_id = OrderId::new(order_id.0).ok_or_else(|| ApiError::invalid("orderId is no order's"))?;
    Ok(PlatformEventReceived { event_id, order_id: order_id.to_wire(), kind, occurred_at_ms: occurred_at.0 })
}

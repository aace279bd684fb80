//! Bodies: `application/json` or empty, bounded in size and time, parsed once into a typed value.

use super::{ApiError, Code};
use crate::limits;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};

/// A parsed body; an empty one and `null` read as `{}`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + Serialize, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let json = is_json(request.headers());
        let bytes = read(request).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(JsonBody);
        }
        if !json {
            return Err(Code::UnsupportedMediaType.into());
        }
        parse(if bytes.trim_ascii() == b"null" { b"{}" } else { &bytes }).map(JsonBody)
    }
}

async fn read(request: Request) -> Result<Bytes, ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let declared = declared.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if declared > limits::MAX_BODY_BYTES as u64 {
        return Err(Code::PayloadTooLarge.into());
    }
    let body = Limited::new(request.into_body(), limits::MAX_BODY_BYTES).collect();
    match tokio::time::timeout(limits::BODY_TIMEOUT, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Code::PayloadTooLarge.into()),
        Ok(Err(_)) => Err(ApiError::invalid("the body broke off")),
        Err(_) => Err(Code::RequestTimeout.into()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::invalid(error.to_string()))
}

/// The canonical text of a parsed body, for its fingerprint: what was understood, not how it was written.
#[must_use]
pub fn canonical<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

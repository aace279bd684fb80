//! Bodies: `application/json` or empty, bounded in size and time, parsed once into a typed value.

use super::{ApiError, Code, headers::one};
use crate::limits;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned},
};
use std::{fmt, marker::PhantomData};

/// A parsed body; an empty one and `null` read as `{}`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + Serialize, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let json = is_json(request.headers())?;
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

/// The very bytes that came, for those who must verify them before they are understood.
pub struct RawBody {
    /// As they came.
    pub bytes: Bytes,
    /// Whether they call themselves `application/json`.
    pub is_json: bool,
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers())?;
        Ok(Self { bytes: read(request).await?, is_json })
    }
}

async fn read(request: Request) -> Result<Bytes, ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let declared = declared.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if declared > limits::MAX_DISCARDED_BYTES as u64 {
        return Err(Code::PayloadTooLarge.into());
    }
    let read = tokio::time::timeout(limits::BODY_TIMEOUT, collect(request.into_body()));
    read.await.map_err(|_| Code::RequestTimeout)?
}

/// Keeps what the limit allows. What is over it is read and thrown away up to a limit of its own: a client that is
/// still sending would find its connection reset, and never read why.
async fn collect(mut body: Body) -> Result<Bytes, ApiError> {
    let (mut kept, mut length) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::invalid("the body broke off"))?.into_data() else {
            continue;
        };
        length += data.len();
        if length > limits::MAX_DISCARDED_BYTES {
            break;
        }
        if length <= limits::MAX_BODY_BYTES {
            kept.extend_from_slice(&data);
        }
    }
    if length > limits::MAX_BODY_BYTES { Err(Code::PayloadTooLarge.into()) } else { Ok(kept.freeze()) }
}

fn is_json(headers: &HeaderMap) -> Result<bool, ApiError> {
    let value = one(headers, &header::CONTENT_TYPE)?.and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    Ok(essence.eq_ignore_ascii_case("application/json"))
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde would read an array as the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::invalid("a body is a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::invalid(error.to_string()))
}

/// A value inside a body that is written as a JSON object; serde alone would read an array as its fields in their order.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData)).map(Self)
    }
}

/// For a field of which `null` is the same as leaving it out, and which has a default.
///
/// # Errors
/// Another value than the field takes.
pub fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The canonical text of a parsed body, for its fingerprint: what was understood, not how it was written.
#[must_use]
pub fn canonical<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

//! Answers that say no, in the one form that every process gives them: a status, a code for programs, a sentence for
//! people and the time. Which status and code is the caller's business.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::time::SystemTime;

/// What a client is told to wait after a 503, in seconds.
pub const RETRY_AFTER_S: u32 = 1;

/// The finished answer.
#[must_use]
pub fn response(status: StatusCode, code: &str, message: &str) -> Response {
    let timestamp = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let body = json!({"errorCode": code, "message": message, "timestamp": timestamp});
    let mut response = (status, Json(body)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
    response
}

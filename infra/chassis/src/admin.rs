//! The admin listener of every process: health, readiness, metrics, and a bearer token before everything else.

use crate::refusal;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What a process says of itself.
pub trait Condition: Send + Sync + 'static {
    /// Facts for `/health`; always answered with 200 while the process lives.
    fn health(&self) -> Value;
    /// `Ok` where the process can do its work; otherwise what it waits for or why it stopped.
    ///
    /// # Errors
    /// One sentence for the operator.
    fn ready(&self) -> Result<(), String>;
}

/// `/health`, `/ready` and `/metrics`, open to whoever reaches the listener.
pub fn open_routes(condition: Arc<dyn Condition>, metrics: Option<PrometheusHandle>) -> Router {
    let health = condition.clone();
    Router::new()
        .route("/health", get(move || async move { Json(health.health()) }))
        .route("/ready", get(move || async move { ready(condition.as_ref()) }))
        .route("/metrics", get(move || async move { render(metrics.as_ref()) }))
        .method_not_allowed_fallback(wrong_method)
}

/// Answers `/ready`.
pub fn ready(condition: &dyn Condition) -> Response {
    match condition.ready() {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(reason) => {
            let body = json!({"status": "not ready", "reason": reason});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

fn render(metrics: Option<&PrometheusHandle>) -> String {
    metrics_process::Collector::default().collect();
    metrics.map(PrometheusHandle::render).unwrap_or_default()
}

/// Puts a bearer token before a router, also before what it says of wrong paths and methods.
pub fn guarded(router: Router, token: &str) -> Router {
    let token: Arc<str> = token.into();
    let router = router.method_not_allowed_fallback(wrong_method);
    router.layer(middleware::from_fn_with_state(token, check))
}

async fn check(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if is_bearer(header, &token) {
        return next.run(request).await;
    }
    let message = "Send the admin token as a bearer token.";
    refusal::response(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
}

/// The fallback of a listener that has none of its own.
pub async fn no_such_path() -> Response {
    refusal::response(StatusCode::NOT_FOUND, "NO_SUCH_PATH", "There is no such path.")
}

async fn wrong_method() -> Response {
    let message = "This path does not take that method.";
    refusal::response(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
}

/// Whether an `Authorization` header carries the token; an empty token lets nobody in.
#[must_use]
pub fn is_bearer(header: Option<&str>, token: &str) -> bool {
    let given = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    !token.is_empty() && bool::from(given.as_bytes().ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::is_bearer;

    #[test]
    fn only_the_very_token_is_let_in() {
        assert!(is_bearer(Some("Bearer abc"), "abc"));
        for header in [None, Some("abc"), Some("Bearer ab"), Some("Bearer abcd"), Some("Basic abc")] {
            assert!(!is_bearer(header, "abc"), "{header:?}");
        }
        assert!(!is_bearer(Some("Bearer "), ""), "no token set lets nobody in");
    }
}

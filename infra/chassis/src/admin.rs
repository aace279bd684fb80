//! The admin listener of every process: health, readiness, metrics, and a bearer token before everything else.

use crate::refusal;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
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
    /// Whether requests may be answered: also by a process that is told to end and not ready any more.
    ///
    /// # Errors
    /// One sentence for the operator.
    fn serves(&self) -> Result<(), String> {
        self.ready()
    }
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
    if has_token(request.headers(), &token) {
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

/// Whether the one `Authorization` header carries the token; an empty token lets nobody in, and neither do two headers.
#[must_use]
pub fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(header), None) => is_bearer(header.as_bytes(), token),
        _ => false,
    }
}

/// The scheme may be written in any case, and any number of spaces may follow it (RFC 9110, 11.1 and 11.4).
fn is_bearer(header: &[u8], token: &str) -> bool {
    let Some((scheme, given)) = header.split_at_checked(b"Bearer".len()) else { return false };
    let is_apart = given.starts_with(b" ");
    let is_right = bool::from(given.trim_ascii().ct_eq(token.as_bytes()));
    scheme.eq_ignore_ascii_case(b"Bearer") && is_apart && is_right && !token.is_empty()
}

#[cfg(test)]
mod tests {
    use super::has_token;
    use axum::http::{HeaderMap, header::AUTHORIZATION};

    fn lets_in(headers: &[&str], token: &str) -> bool {
        let header = |text: &&str| (AUTHORIZATION, text.parse().expect("a header"));
        has_token(&headers.iter().map(header).collect::<HeaderMap>(), token)
    }

    #[test]
    fn only_the_very_token_is_let_in_however_the_scheme_is_written() {
        for header in ["Bearer abc", "bearer abc", "BEARER abc", "bEaReR abc", "Bearer  abc", "Bearer abc "] {
            assert!(lets_in(&[header], "abc"), "{header:?}");
        }
        for header in
            ["", "abc", "Bearerabc", "Bearer ab", "Bearer abcd", "Bearer ABC", "Basic abc", "Bearer"]
        {
            assert!(!lets_in(&[header], "abc"), "{header:?}");
        }
        assert!(!lets_in(&[], "abc"), "no header");
        assert!(!lets_in(&["Bearer abc", "Bearer abc"], "abc"), "two headers");
        assert!(!lets_in(&["Bearer "], ""), "no token set lets nobody in");
    }
}

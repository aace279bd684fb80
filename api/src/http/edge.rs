//! The outermost layer: every error gets its JSON body and language here, keys are echoed, requests are counted.

use super::{ApiError, Code, Shared, spelling::Aim};
use crate::limits;
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{ACCEPT_LANGUAGE, ALLOW},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use std::{any::Any, time::Instant};

/// The header by which a client makes its request safe to repeat.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Puts the edge around a router.
pub fn wrap(router: Router, app: Shared) -> Router {
    router
        .fallback(|| async { ApiError::from(Code::NotFound) })
        .method_not_allowed_fallback(|| async { ApiError::from(Code::MethodNotAllowed) })
        .layer(middleware::from_fn_with_state(app, around))
}

async fn around(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let english = prefers_english(request.headers().get(ACCEPT_LANGUAGE));
    let key = request.headers().get(&IDEMPOTENCY_KEY).cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = method_name(request.method());
    let response = match admit(&app, &mut request, route.as_ref()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let mut response = finish(response, english);
    if let Some(key) = key
        && echoes_key(response.status())
    {
        response.headers_mut().insert(&IDEMPOTENCY_KEY, key);
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.requests.count(route, method, response.status().as_u16(), began.elapsed());
    response
}

/// Reads what a request is aimed at, before anybody acts on it.
fn admit(app: &Shared, request: &mut Request, route: Option<&MatchedPath>) -> Result<(), ApiError> {
    app.condition.serves().map_err(|_| Code::NotReady)?;
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > limits::MAX_PATH_BYTES) {
        let most = limits::MAX_PATH_BYTES;
        return Err(ApiError::invalid(format!("path and query are over {most} bytes")));
    }
    if let Some(route) = route {
        let aim = Aim::read(route.as_str(), request.uri())?;
        request.extensions_mut().insert(aim);
    }
    Ok(())
}

/// Writes the body of an error that has none yet.
fn finish(mut response: Response, english: bool) -> Response {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let mut rendered = error.render(english);
        // A 405 says which methods the path takes.
        if let Some(allow) = response.headers_mut().remove(ALLOW) {
            rendered.headers_mut().insert(ALLOW, allow);
        }
        return rendered;
    }
    // All of our own refusals were there; what is left is axum's word on a path that is no UTF-8.
    if response.status().is_client_error() {
        return ApiError::invalid("path or query cannot be read").render(english);
    }
    response
}

fn echoes_key(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE
}

fn prefers_english(header: Option<&HeaderValue>) -> bool {
    let first = header.and_then(|value| value.to_str().ok()).and_then(|value| value.split(',').next());
    first.is_some_and(|language| language.trim().to_ascii_lowercase().starts_with("en"))
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A wrong method on a route outside the edge, such as `/health`.
pub async fn wrong_method() -> Response {
    ApiError::from(Code::MethodNotAllowed).render(false)
}

/// A handler that panicked; the text goes to the log, not to the client.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(text, "a handler panicked");
    ApiError::from(Code::Internal).render(false)
}

//! HTTP: parse, submit, answer. All routes stand in `routes`; no handler decides, none knows Kafka.

pub mod admin;
mod auth;
mod body;
mod caller;
mod coupons;
mod edge;
mod error;
mod requests;
mod wire;

pub use edge::wrong_method;
pub use error::{ApiError, Code};

use crate::{ingress::Ingress, metric::RequestMetrics, request::Identity, session::Sessions};
use axum::{
    Router,
    routing::{get, post},
};
use chassis::admin::Condition;
use schemas::records::Mode;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// What every handler may use.
pub struct App {
    /// The way into the log.
    pub ingress: Ingress,
    /// Identity of requests.
    pub identity: Identity,
    /// Cookies.
    pub sessions: Sessions,
    /// Mode of the log.
    pub mode: Mode,
    /// Minor units of a user never charged.
    pub opening_balance: i64,
    /// Health and readiness.
    pub condition: Arc<dyn Condition>,
    /// Counts requests.
    pub requests: RequestMetrics,
    /// Whether `POST /noop` is served, for benchmarks.
    pub bench_noop: bool,
}

/// Shared by all handlers.
pub type Shared = Arc<App>;

/// The public listener.
pub fn routes(app: Shared) -> Router {
    let (health, ready) = (app.condition.clone(), app.condition.clone());
    let router = Router::new()
        .route("/api/auth/signup", post(auth::sign_up))
        .route("/api/auth/login", post(auth::log_in))
        .route("/api/auth/logout", post(auth::log_out))
        .route("/api/coupons/{id}/issue", post(coupons::issue))
        .route("/coupon/apply", post(coupons::apply))
        .route("/api/users/{id}/coupons", get(coupons::of_user))
        .route("/api/requests/{id}", get(requests::outcome))
        .with_state(app.clone());
    let router = if app.bench_noop { router.route("/noop", post(noop)) } else { router };
    edge::wrap(router, app)
        .route("/health", get(move || async move { axum::Json(health.health()) }))
        .route("/ready", get(move || async move { chassis::admin::ready(ready.as_ref()) }))
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(CatchPanicLayer::custom(edge::panicked))
}

/// What the server costs without the log: the yardstick of `cargo stack bench ingress`.
async fn noop() -> axum::http::StatusCode {
    axum::http::StatusCode::CREATED
}

/// The admin listener's own routes, without its guard.
pub fn admin_routes(app: Shared) -> Router {
    let router = Router::new()
        .route("/admin/coupons", post(admin::create_coupon))
        .route("/admin/coupons/{id}", get(admin::show_coupon))
        .route("/admin/coupons/{id}/extend", post(admin::extend_coupon))
        .route("/admin/coupons/{id}/close", post(admin::close_coupon))
        .route("/admin/campaigns/{name}/reset", post(admin::reset_campaign))
        .route("/admin/rules/activate", post(admin::activate_rules))
        .route("/admin/positions", get(admin::positions))
        .route("/api/requests/{id}", get(requests::admin_outcome))
        .with_state(app.clone());
    edge::wrap(router, app).layer(CatchPanicLayer::custom(edge::panicked))
}

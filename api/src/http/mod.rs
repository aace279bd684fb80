//! HTTP: parse, submit, answer. All routes stand in `routes`; no handler decides, none knows Kafka.

pub mod admin;
mod auth;
mod balance_logs;
mod balances;
mod body;
mod caller;
mod carts;
mod catalogue;
mod coupons;
mod edge;
mod error;
mod headers;
mod orders;
mod payments;
mod requests;
mod shop;
mod spelling;
mod webhooks;
mod wire;

pub use error::{ApiError, Code};

use crate::{
    history::History, ingress::Ingress, log::facts::FactLog, metric::RequestMetrics, proxies::Proxies,
    recent_orders::RecentOrders, request::Identity, session::Sessions, signature::PlatformKeys, store::Store,
};
use axum::{
    Router,
    routing::{get, patch, post},
};
use chassis::admin::Condition;
use control::tail::View;
use schemas::records::Mode;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// What every handler may use.
pub struct App {
    /// The way into the log.
    pub ingress: Ingress,
    /// Orders that MySQL may not hold yet.
    pub recent: Arc<RecentOrders>,
    /// Orders and changes of balances that are in memory no more.
    pub history: Arc<History>,
    /// Carts and copies.
    pub store: Store,
    /// What the external platform tells us goes here.
    pub facts: FactLog,
    /// And must be signed with one of these.
    pub platform_keys: PlatformKeys,
    /// Opens what only administrators may do on the public listener.
    pub admin_token: Arc<str>,
    /// Identity of requests.
    pub identity: Identity,
    /// Cookies.
    pub sessions: Sessions,
    /// Mode of the log.
    pub mode: Mode,
    /// Minor units of a user never charged.
    pub opening_balance: i64,
    /// What is known of `control`, the brokers' time among it.
    pub control: View,
    /// Health and readiness.
    pub condition: Arc<dyn Condition>,
    /// Counts requests.
    pub requests: RequestMetrics,
    /// Whose `X-Retry-Key` counts.
    pub trusted_proxies: Proxies,
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
        .route("/api/products", get(catalogue::list))
        .route("/api/products/top", get(catalogue::top))
        .route("/api/products/{id}", get(catalogue::detail))
        .route("/api/products/options/{id}/stock", patch(catalogue::adjust_stock))
        .route("/api/users/{id}/balance", get(balances::show).patch(balances::charge))
        .route("/api/users/{id}/balance/logs", get(balance_logs::list))
        .route("/api/users/{id}/cart", get(carts::show).post(carts::put).delete(carts::empty))
        .route("/api/users/{id}/cart/{option}", get(carts::show_item).delete(carts::take))
        .route("/api/external-platform/events", post(webhooks::receive))
        .route("/api/orders", post(orders::place))
        .route("/api/orders/{id}", get(orders::detail))
        .route("/api/orders/{id}/payment", post(payments::pay))
        .route("/api/users/{id}/orders", get(orders::of_user))
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
        .route("/admin/products", post(catalogue::list_product))
        .route("/admin/rules/activate", post(admin::activate_rules))
        .route("/admin/positions", get(admin::positions))
        .route("/api/requests/{id}", get(requests::admin_outcome))
        .with_state(app.clone());
    edge::wrap(router, app).layer(CatchPanicLayer::custom(edge::panicked))
}

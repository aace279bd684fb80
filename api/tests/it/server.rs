//! Servers: the production application on ports of its own, and the two that share one log per mode.

use crate::{
    client::Call,
    log::{self, ADMIN_TOKEN},
    patience::until,
};
use api::{
    app::App,
    config::{Config, ModeSetting},
};
use chassis::{front::Front, serve, shutdown::CancellationToken};
use metrics_exporter_prometheus::PrometheusHandle;
use schemas::Topic;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{sync::OnceCell, task::JoinHandle};
use uuid::Uuid;

/// A server that is not ready by then never will be.
const READY: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Builds, binds, runs and waits until it is ready.
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_measured(config, None).await
    }

    /// The same with a recorder for `/metrics`.
    pub(crate) async fn start_measured(config: Config, metrics: Option<PrometheusHandle>) -> Self {
        let shutdown = CancellationToken::new();
        let port = || "127.0.0.1:0".parse().unwrap();
        let (reserved, listener) = (serve::reserve(port()).unwrap(), serve::bind(port()).unwrap());
        let front = Front::open(listener, config.starting(&shutdown), metrics.clone()).unwrap();
        let app = App::build(config, metrics, shutdown.clone()).await.expect("the application is built");
        let (public, admin) = (reserved.local_addr().unwrap(), front.address());
        let running = tokio::spawn(app.run(vec![reserved], front));
        let server = Self { public, admin, shutdown, running };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&self) {
        until("the server is ready", READY, async || {
            assert!(!self.running.is_finished(), "the server ended before it was ready");
            self.admin_get("/ready").seen(200).await
        })
        .await;
    }

    /// What SIGTERM does.
    pub(crate) fn begin_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Ends it as SIGTERM would, and fails the test where it did not end well.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().expect("a clean end");
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, self.public, path)
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// A POST without a body and without a content type.
    pub(crate) fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// As the administrator.
    pub(crate) fn admin_call(&self, method: &str, path: &str) -> Call {
        Call::new(method, self.admin, path).header("authorization", &format!("Bearer {ADMIN_TOKEN}"))
    }

    pub(crate) fn admin_get(&self, path: &str) -> Call {
        self.admin_call("GET", path)
    }

    pub(crate) fn admin_post(&self, path: &str) -> Call {
        self.admin_call("POST", path)
    }

    /// A claim as in stage mode.
    pub(crate) fn issue(&self, coupon: u64, user: u64) -> Call {
        self.post(&format!("/api/coupons/{coupon}/issue")).json(&json!({"userId": user}))
    }

    /// A user's pieces as this process sees them.
    pub(crate) async fn coupons_of(&self, user: u64) -> Vec<Value> {
        let answer = self.get(&format!("/api/users/{user}/coupons")).expect(200).await;
        answer.json()["data"].as_array().unwrap().clone()
    }

    /// Creates a coupon of that many pieces and returns its id.
    pub(crate) async fn coupon(&self, total: u64) -> u64 {
        self.coupon_with(json!({"total": total})).await
    }

    /// Creates a coupon; `terms` replace those of an ordinary one.
    pub(crate) async fn coupon_with(&self, terms: Value) -> u64 {
        let id = fresh_coupon_id();
        let mut body = json!({"couponId": id, "name": "Sommer", "total": 10, "discountRate": 15,
            "expiresAt": "2029-12-31T23:59:59Z"});
        body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        self.admin_post("/admin/coupons").json(&body).expect(201).await;
        id
    }

    /// Waits until this process has folded all that the log holds now.
    pub(crate) async fn catch_up(&self) {
        for partition in 0..Topic::Signup.partitions() {
            // A request that nobody made is looked for in the log itself.
            let unknown = format!("/api/requests/signup-{partition}-{}", Uuid::new_v4());
            self.get(&unknown).refused(404, "REQUEST_NOT_FOUND").await;
        }
        for partition in 0..Topic::Coupon.partitions() {
            let unknown = format!("/api/requests/coupon-{partition}-{}", Uuid::new_v4());
            self.get(&unknown).refused(404, "REQUEST_NOT_FOUND").await;
        }
        let unknown = format!("/api/requests/order-0-{}", Uuid::new_v4());
        self.get(&unknown).refused(404, "REQUEST_NOT_FOUND").await;
    }

    /// Signs a guest up: user id and cookie.
    pub(crate) async fn guest(&self) -> (u64, String) {
        let answer = self.post("/api/auth/signup").expect(201).await;
        (answer.json()["userId"].as_u64().unwrap(), answer.cookie())
    }
}

/// Two processes on one log.
pub(crate) struct Pair {
    pub(crate) config: Config,
    pub(crate) one: Server,
    pub(crate) other: Server,
}

impl Pair {
    async fn start(mode: ModeSetting) -> Self {
        let config = log::found(mode).await;
        let second = Config { instance: format!("{}-other", config.instance), ..config.clone() };
        let (one, other) = tokio::join!(Server::start(config.clone()), Server::start(second));
        Self { config, one, other }
    }

    /// Now the one, now the other.
    pub(crate) fn either(&self, n: u64) -> &Server {
        if n.is_multiple_of(2) { &self.one } else { &self.other }
    }
}

/// The shared log in stage mode and its two processes.
pub(crate) async fn stage() -> &'static Pair {
    static STAGE: OnceCell<Pair> = OnceCell::const_new();
    STAGE.get_or_init(|| Pair::start(ModeSetting::Stage)).await
}

/// The shared log in secure mode and its two processes.
pub(crate) async fn secure() -> &'static Pair {
    static SECURE: OnceCell<Pair> = OnceCell::const_new();
    SECURE.get_or_init(|| Pair::start(ModeSetting::Secure)).await
}

/// A coupon id that no other test has; small ids are left to the campaigns.
pub(crate) fn fresh_coupon_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(10_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// That many user ids that no other test has, and that never signed up.
pub(crate) fn fresh_users(count: u64) -> Range<u64> {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000_000);
    let first = NEXT.fetch_add(count, Ordering::Relaxed);
    first..first + count
}

/// One of them.
pub(crate) fn fresh_user() -> u64 {
    fresh_users(1).start
}

//! The admin listener from a process' first moment to its last: it says what is waited for while nothing is built yet,
//! what the process says of itself from then on, and it closes when everything else has ended.

use crate::{
    admin::{self, Condition},
    refusal,
    serve::{self, Limits},
};
use axum::{Router, extract::Request, http::StatusCode, response::Response};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt, service_fn};

/// A process that is being built.
pub struct Starting {
    /// Which program.
    pub process: &'static str,
    /// Its name among those of its kind.
    pub instance: String,
    /// One sentence: what is waited for, and what to look at where that takes long.
    pub waits_for: String,
    /// Told to end.
    pub shutdown: CancellationToken,
}

impl Condition for Starting {
    fn health(&self) -> Value {
        json!({"status": "ok", "process": self.process, "instance": self.instance, "starting": self.waits_for})
    }

    fn ready(&self) -> Result<(), String> {
        Err(if self.shutdown.is_cancelled() { SHUTTING_DOWN.to_owned() } else { self.waits_for.clone() })
    }
}

/// The sentence of a process that waits for the brokers, for so long at most (ms).
#[must_use]
pub fn waits_for_kafka(brokers: &str, wait_ms: u64) -> String {
    format!(
        "starting: the log at {brokers} is not read yet; if this lasts, Kafka is away or TIDEMARK_KAFKA wrong, and the process \
         ends after {wait_ms} ms"
    )
}

/// Why a process that was told to end is not ready.
pub const SHUTTING_DOWN: &str = "shutting down";

/// See the module.
pub struct Front {
    address: SocketAddr,
    built: Arc<OnceLock<Router>>,
    close: CancellationToken,
    server: JoinHandle<bool>,
}

impl Front {
    /// Answers from now on.
    ///
    /// # Errors
    /// A socket without an address.
    pub fn open(
        listener: TcpListener,
        starting: Starting,
        metrics: Option<PrometheusHandle>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let built = Arc::new(OnceLock::<Router>::new());
        let early = admin::open_routes(Arc::new(starting), metrics).fallback(too_early);
        let slot = built.clone();
        let choose = service_fn(move |request: Request| {
            let router = slot.get().unwrap_or(&early).clone();
            router.oneshot(request)
        });
        let close = CancellationToken::new();
        let router = Router::new().fallback_service(choose);
        let server = tokio::spawn(serve::run(listener, router, Limits::admin(), close.clone()));
        Ok(Self { address, built, close, server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is built answers from now on.
    pub fn serve(&self, router: Router) {
        let _ = self.built.set(router);
    }

    /// The end of it.
    ///
    /// # Errors
    /// The server panicked.
    pub async fn close(self) -> Result<(), JoinError> {
        self.close.cancel();
        self.server.await.map(drop)
    }
}

async fn too_early() -> Response {
    let message = "This process is starting; /ready says what it waits for.";
    refusal::response(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(format!("http://{address}{path}")).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    struct Built;

    impl Condition for Built {
        fn health(&self) -> Value {
            json!({"status": "ok"})
        }

        fn ready(&self) -> Result<(), String> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn health_and_readiness_are_answered_before_anything_is_built() {
        let shutdown = CancellationToken::new();
        let starting = Starting {
            process: "p",
            instance: "p-1".to_owned(),
            waits_for: "Kafka at k".to_owned(),
            shutdown: shutdown.clone(),
        };
        let listener = serve::bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        let front = Front::open(listener, starting, None).expect("open");
        let address = front.address();
        assert_eq!(get(address, "/health").await.0, 200);
        let not_ready = |reason: &str| (503, json!({"status": "not ready", "reason": reason}));
        assert_eq!(get(address, "/ready").await, not_ready("Kafka at k"));
        let (status, said) = get(address, "/admin/coupons").await;
        assert_eq!((status, &said["errorCode"]), (503, &json!("NOT_READY")));
        shutdown.cancel();
        assert_eq!(get(address, "/ready").await, not_ready(SHUTTING_DOWN));
        front.serve(admin::open_routes(Arc::new(Built), None).fallback(admin::no_such_path));
        assert_eq!(get(address, "/ready").await, (200, json!({"status": "ready"})));
        assert_eq!(get(address, "/admin/coupons").await.0, 404);
        front.close().await.expect("a clean end");
    }
}

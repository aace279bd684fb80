//! Health, readiness and metrics.

use crate::{
    client::Call,
    log, run,
    server::{Server, fresh_user, secure, stage},
};
use api::{
    config::ModeSetting, history, http, ingress, limits, log as api_log, metric, proxies::Proxies,
    recent_orders, request, session, store, waits::Waits,
};
use arc_swap::ArcSwap;
use chassis::{
    admin::Condition, kafka, log_reader::LogReader, serve, shutdown::CancellationToken, telemetry,
};
use schemas::{LogId, codec::Codec, records::Mode};
use serde_json::{Value, json};
use std::sync::{Arc, atomic::AtomicUsize};

#[test]
fn health_says_how_insecure_the_process_is() {
    run(async {
        for (pair, mode, insecure) in [(stage().await, "stage", true), (secure().await, "secure", false)] {
            for call in [pair.one.get("/health"), Call::new("GET", pair.one.admin, "/health")] {
                let health = call.expect(200).await.json();
                let instance = &pair.config.instance;
                let expected = json!({"status": "ok", "process": "api", "instance": instance, "mode": mode,
                    "insecure": insecure, "stopped": []});
                assert_eq!(health, expected);
            }
            for call in [pair.one.get("/ready"), Call::new("GET", pair.one.admin, "/ready")] {
                assert_eq!(call.expect(200).await.json(), json!({"status": "ready"}));
            }
        }
    });
}

#[test]
fn metrics_stand_on_the_admin_listener_without_ids() {
    run(async {
        let handle = telemetry::install_metrics().expect("nobody else installs a recorder here");
        metric::describe();
        let config = stage().await.config.clone();
        let server = Server::start_measured(config, Some(handle)).await;
        let (user, coupon) = (fresh_user(), server.coupon(1).await);
        server.issue(coupon, user).expect(201).await;
        let text = Call::new("GET", server.admin, "/metrics").expect(200).await.text;
        let line =
            r#"tidemark_http_requests_total{route="/api/coupons/{id}/issue",method="POST",status="201"}"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("tidemark_decide_seconds_bucket"), "{text}");
        assert!(!text.contains(&user.to_string()), "a user's id is no label");
        server.get("/metrics").refused(404, "NOT_FOUND").await;
        server.stop().await;
    });
}

/// A process that never gets to the end of its log.
struct Behind;

impl Condition for Behind {
    fn health(&self) -> Value {
        json!({"status": "ok"})
    }

    fn ready(&self) -> Result<(), String> {
        Err("7 records to fold".into())
    }
}

/// The production routes over folds that stand at offset 0.
async fn not_ready() -> http::Shared {
    let config = log::config(&log::random_prefix(), ModeSetting::Stage);
    let log_id = LogId([1; 16]);
    let without = api::config::Config { redis_url: String::new(), ..config.clone() };
    let store = store::Store::new(&without, log_id).unwrap();
    let recent = Arc::new(recent_orders::RecentOrders::default());
    let shop = api_log::topic_log::TopicLog::shop(&config.topic_prefix, recent.watch());
    let history = history::History::new(
        &config,
        &control::State::default(),
        store.clone(),
        shop.clone(),
        recent.clone(),
    )
    .await
    .unwrap();
    let history = Arc::new(history);
    let rest = tokio::task::spawn_blocking(move || routes(&config, (shop, recent), history, store));
    rest.await.unwrap()
}

fn routes(
    config: &api::config::Config,
    (shop, recent): (api_log::topic_log::TopicLog<domain::shop::Shop>, Arc<recent_orders::RecentOrders>),
    history: Arc<history::History>,
    store: store::Store,
) -> http::Shared {
    let settings = kafka::reader(&config.kafka, "api-it");
    let producer = kafka::producer(
        &config.kafka,
        "api-it",
        0,
        kafka::ProducerLimits { delivery_timeout_ms: 1_000, queue_messages: 10, queue_kbytes: 1_024 },
    );
    let shutdown = CancellationToken::new();
    // Its view outlives it, and knows nothing.
    let control = control::tail::Tail::start(&settings, &config.topic_prefix).unwrap().view();
    let reader = LogReader::new(settings).unwrap();
    let (read_index, _) =
        api_log::read_index::ReadIndex::start(reader, Vec::new(), limits::READ_INDEX, shutdown).unwrap();
    let (log_id, mode) = (LogId([1; 16]), Mode::Stage);
    let appender = Arc::new(api_log::producer::Appender::new(&producer, &[]).unwrap());
    let facts =
        api_log::facts::FactLog::new(appender.clone(), &[], &config.topic_prefix, limits::ANSWER_DEADLINE)
            .unwrap();
    Arc::new(http::App {
        recent,
        history,
        store,
        facts,
        platform_keys: api::signature::PlatformKeys::default(),
        admin_token: log::ADMIN_TOKEN.into(),
        ingress: ingress::Ingress {
            accounts: api_log::topic_log::TopicLog::accounts(&config.topic_prefix),
            coupons: api_log::topic_log::TopicLog::coupons(&config.topic_prefix),
            shop,
            codec: Arc::new(ArcSwap::from_pointee(Codec::new(&[]).unwrap())),
            appender,
            read_index,
            in_flight: Arc::new(AtomicUsize::new(0)),
            max_in_flight: limits::MAX_IN_FLIGHT,
            waits: Waits::default(),
            decide_seconds: metrics::histogram!(metric::DECIDE_SECONDS),
            truncated: Arc::new(drop),
        },
        identity: request::Identity { log_id, mode, fingerprint_key: vec![2; 16] },
        sessions: session::Sessions::new(&[3; 16], log_id, mode, false),
        mode,
        opening_balance: 0,
        control,
        condition: Arc::new(Behind),
        requests: metric::RequestMetrics::default(),
        trusted_proxies: Proxies::default(),
        bench_noop: false,
    })
}

#[test]
fn a_process_that_has_not_folded_the_log_serves_nothing_but_its_condition() {
    run(async {
        let shared = not_ready().await;
        let listener = serve::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = serve::run(listener, http::routes(shared), serve::Limits::default(), shutdown.clone());
        let serving = tokio::spawn(serving);
        Call::new("GET", address, "/health").expect(200).await;
        let ready = Call::new("GET", address, "/ready").expect(503).await;
        assert_eq!(ready.json(), json!({"status": "not ready", "reason": "7 records to fold"}));
        for (method, path) in
            [("POST", "/api/auth/signup"), ("POST", "/api/coupons/1/issue"), ("GET", "/api/users/1/coupons")]
        {
            Call::new(method, address, path).refused(503, "NOT_READY").await;
        }
        shutdown.cancel();
        serving.await.unwrap();
    });
}

//! Transactions of a stranger on request logs: nobody who reads or asks is held up by them.

use crate::{
    log, run,
    server::{Server, fresh_user},
};
use api::config::{Config, ModeSetting};
use chassis::kafka::{self, ProducerLimits};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use std::time::Duration;
use uuid::Uuid;

/// One call of a producer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a stranger's transaction ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Committed,
    Aborted,
    Open,
}

/// One garbage record on each partition of all request logs, in one transaction. Who keeps the producer keeps an open one
/// open.
async fn foreign_transaction(config: &Config, ending: Ending) -> FutureProducer {
    let limits = ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 100, queue_kbytes: 100 };
    let mut settings = kafka::producer(&config.kafka, "a-stranger", 0, limits);
    let id = format!("{}stranger-{}", config.topic_prefix, Uuid::new_v4());
    settings.set("transactional.id", id).set("transaction.timeout.ms", "120000");
    let spots = api::ingress::partitions(&config.topic_prefix);
    let write = move || {
        let producer: FutureProducer = settings.create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        for (topic, partition) in &spots {
            let record = FutureRecord::<(), _>::to(topic).partition(*partition).payload(b"garbage");
            drop(producer.send_result(record).map_err(|(error, _)| error).unwrap());
        }
        producer.flush(PATIENCE).unwrap();
        match ending {
            Ending::Committed => producer.commit_transaction(PATIENCE).unwrap(),
            Ending::Aborted => producer.abort_transaction(PATIENCE).unwrap(),
            Ending::Open => {}
        }
        producer
    };
    tokio::task::spawn_blocking(write).await.unwrap()
}

/// Everything that needs the fold to be at the log's end, on every topic.
async fn answers(server: &Server, coupon: u64) {
    let user = fresh_user();
    server.issue(coupon, user).expect(201).await;
    assert_eq!(server.coupons_of(user).await.len(), 1);
    // A coupon that is not there, a balance, an order that is not there: the read index, each time.
    server.issue(coupon + 1, user).refused(404, "C006").await;
    server.get(&format!("/api/users/{user}/balance")).expect(200).await;
    let order = server.get("/api/orders/999999").send().await;
    assert_eq!(order.status, 404, "{order:?}");
}

#[test]
fn markers_of_transactions_hold_up_no_answer_and_no_start() {
    run(async {
        let config = log::found(ModeSetting::Stage).await;
        let server = Server::start(config.clone()).await;
        let coupon = server.coupon(100).await;
        for ending in [Ending::Committed, Ending::Aborted, Ending::Open] {
            let open = foreign_transaction(&config, ending).await;
            answers(&server, coupon).await;
            // Also of who begins behind it, with nothing appended since.
            drop(open);
            let other = Server::start(Config { instance: "another".to_owned(), ..config.clone() }).await;
            answers(&other, coupon).await;
            other.stop().await;
        }
        server.stop().await;
    });
}

//! Kafka and the registry.

use super::{exchange, exchange_bytes};
use stack::proxy::Mode;
use stack::{http, private};
use std::time::Duration;

/// Metadata version 4 without topics.
const METADATA: &[u8] = &[0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0];
const SOON: Duration = Duration::from_secs(30);
/// The first request to a Java program that has just started, on a busy machine.
const COLD: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_killed_broker_comes_back_with_its_cluster_and_a_frozen_one_is_silent() {
    let (mut kafka, proxy) = private::kafka_behind_proxy().unwrap();
    let through = || exchange(proxy.addr().port(), METADATA, SOON);
    let advertised = u32::from(proxy.addr().port()).to_be_bytes();
    let answer = through().unwrap();
    assert!(answer.contains("127.0.0.1"), "{answer:?}");

    kafka.broker(1).unwrap().kill().unwrap();
    kafka.restart().unwrap();
    let id = std::fs::read_to_string(kafka.folder().join("data/kafka-of-1/cluster.id")).unwrap();
    assert!(through().unwrap().contains(id.trim()), "the cluster id stays");

    kafka.freeze().unwrap();
    assert_eq!(exchange(proxy.addr().port(), METADATA, SHORT), None);
    kafka.thaw().unwrap();
    assert!(through().is_some());

    proxy.set(Mode::DropAnswers).unwrap();
    assert_eq!(exchange(proxy.addr().port(), METADATA, SHORT), None);
    assert!(proxy.dropped_bytes() > 0);
    proxy.set(Mode::Pass).unwrap();
    // Clients are sent back to the proxy, not past it.
    let raw = exchange_bytes(proxy.addr().port(), METADATA, SOON).unwrap();
    assert!(raw.windows(4).any(|window| window == advertised));
}

#[test]
fn three_brokers_go_on_without_one_of_them() {
    let mut kafka = private::kafka_with(3, |_| ()).unwrap();
    let first: u16 = kafka.bootstrap().split([':', ',']).nth(1).unwrap().parse().unwrap();
    kafka.broker(3).unwrap().kill().unwrap();
    assert!(exchange(first, METADATA, SOON).is_some());
    kafka.broker(3).unwrap().restart().unwrap();
    assert!(kafka.broker(4).is_err());
}

#[test]
fn a_killed_registry_forgets_no_schema() {
    let mut registry = private::registry().unwrap();
    let body = r#"{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}"}"#;
    let port: u16 = registry.launch().port;
    let request = format!(
        "POST /apis/ccompat/v7/subjects/s/versions HTTP/1.1\r\nHost: r\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let said = exchange(port, request.as_bytes(), COLD).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    registry.kill().unwrap();
    registry.restart().unwrap();
    let answer = http::get_within(&format!("{}/subjects/s/versions/1", registry.url()), COLD).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let level = http::get_within(&format!("{}/config", registry.url()), COLD).unwrap();
    assert!(level.body.contains("BACKWARD_TRANSITIVE"), "{}", level.body);
}

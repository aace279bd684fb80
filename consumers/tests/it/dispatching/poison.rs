//! What is no fact is kept aside and passed; what this binary does not know stops its partition; what is wrong in MySQL
//! the audit finds.

use super::*;
use crate::{
    auditing::audit_of_a_corrupted_copy,
    dead_letters::{dead_letters, headers},
    world::in_world,
};
use chassis::kafka::{self, ProducerLimits};
use dispatches::DELIVERED;
use rdkafka::{
    Message,
    producer::{FutureProducer, FutureRecord},
};
use schemas::{
    facts::{DispatchDelivered, DispatchFailed, DispatchRequested, PlatformEventReceived},
    partition::home_of_fact,
};
use stack::platform::Mode;

const LIMITS: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 100, queue_kbytes: 1_024 };

/// Appends payloads to the topic, past everything that would know better. A compacted topic wants a key.
async fn append_raw(world: &World, entries: &[(i32, Option<Vec<u8>>)]) -> anyhow::Result<Vec<i64>> {
    let producer: FutureProducer = kafka::producer(&world.config.kafka, "poison", 0, LIMITS).create()?;
    let name = FactTopic::ExternalPlatform.name(&world.config.topic_prefix);
    let mut offsets = Vec::new();
    for (number, (partition, payload)) in entries.iter().enumerate() {
        let key = format!("poison:{number}");
        let mut record = FutureRecord::to(&name).partition(*partition).key(&key);
        record.payload = payload.as_ref();
        let sent = producer.send(record, crate::patience::PATIENCE).await;
        offsets.push(sent.map_err(|(error, _)| error)?.offset);
    }
    Ok(offsets)
}

/// Of a payment before all others, so that the relay does not take any for published.
fn requested(order_id: i64) -> DispatchRequested {
    let (source_offset, user_id, total, discount, paid) = (0, 1, 10, 1, 9);
    DispatchRequested { source_offset, order_id, user_id, total, discount, paid, at_ms: 1, redriven: false }
}

async fn encoded(world: &World, fact: &Fact) -> anyhow::Result<Vec<u8>> {
    let mut payload = Vec::new();
    world.fact_codec().await?.encode(fact, &mut payload)?;
    Ok(payload)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_fact_becomes_a_dead_letter_and_orders_behind_it_are_told() -> anyhow::Result<()> {
    in_world(async |world| {
        world.expect_dead_letters(3);
        let (partner, config) = scene(world, ALL, 1.0).await?;
        // Of order 2, in the partition of order 1.
        let elsewhere = encoded(world, &requested(2).into()).await?;
        let poison = [(0, Some(b"\xffpoison".to_vec())), (0, None), (0, Some(elsewhere.clone()))];
        assert_eq!(append_raw(world, &poison).await?, [0, 1, 2]);
        let process = start(world, &config).await?;
        pay(world, 1..=16).await?;
        until_delivered(world, 16).await?;
        assert_one_effect_each(&partner, 1..=16);
        assert_eq!(process.not_ready().await?, None);
        world.clean_audit().await?;
        assert_eq!((place(world, 0).await?.dead_lettered, place(world, 1).await?.dead_lettered), (3, 0));

        let prefix = &world.config.topic_prefix;
        let letters = dead_letters(world, &FactTopic::ExternalPlatform.dead_letters(prefix), 3)?;
        let payloads: Vec<_> = letters.iter().map(Message::payload).collect();
        assert_eq!(payloads, [Some(b"\xffpoison".as_slice()), None, Some(elsewhere.as_slice())]);
        for (offset, letter) in letters.iter().enumerate() {
            let source = format!("{}/0/{offset}", FactTopic::ExternalPlatform.name(prefix));
            assert_eq!(letter.key(), Some(source.as_bytes()));
            let reason = if offset < 2 { "not a fact of its schema" } else { "a fact that cannot be" };
            let found = headers(letter);
            assert!(found[0].0 == "reason" && found[0].1.starts_with(reason), "{found:?}");
            assert_eq!(found[2], ("source".to_owned(), source));
        }
        process.stop().await
    })
    .await
}

/// Facts of their schemas that cannot be; each in the partition where it belongs.
fn impossible() -> Vec<Fact> {
    let requested = |change: fn(&mut DispatchRequested)| {
        let mut fact = requested(1);
        change(&mut fact);
        Fact::from(fact)
    };
    let told = |event_id: &str, order_id, kind: &str| {
        let (event_id, kind) = (event_id.to_owned(), kind.to_owned());
        Fact::from(PlatformEventReceived { event_id, order_id, kind, occurred_at_ms: 1 })
    };
    let reason = String::new();
    vec![
        requested(|fact| fact.order_id = 0),
        requested(|fact| fact.order_id = 1 << 53),
        requested(|fact| fact.user_id = 0),
        requested(|fact| fact.total = -1),
        requested(|fact| fact.paid = 1 << 53),
        requested(|fact| fact.source_offset = -1),
        requested(|fact| fact.at_ms = i64::MAX),
        DispatchDelivered { order_id: 1, attempts: -1, at_ms: 1 }.into(),
        DispatchFailed { order_id: -7, attempts: 8, reason, at_ms: 1 }.into(),
        told("", 1, "SHIPPED"),
        told(&"e".repeat(129), 1, "SHIPPED"),
        told("event", 1, &"k".repeat(65)),
        told("event", 0, "SHIPPED"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_cannot_be_become_dead_letters_too() -> anyhow::Result<()> {
    in_world(async |world| {
        let impossible = impossible();
        world.expect_dead_letters(impossible.len() as u64);
        let (partner, config) = scene(world, SHOP, 1.0).await?;
        let mut entries = Vec::new();
        for fact in &impossible {
            entries.push((home_of_fact(fact), Some(encoded(world, fact).await?)));
        }
        append_raw(world, &entries).await?;
        let longest = "r".repeat(1_000);
        world
            .append_facts(&[
                PlatformEventReceived {
                    event_id: "e".repeat(128),
                    order_id: 1,
                    kind: "k".repeat(64),
                    occurred_at_ms: i64::MIN,
                }
                .into(),
                // Of an order that nobody asked for: its end alone is known.
                DispatchFailed { order_id: 9, attempts: 8, reason: longest, at_ms: i64::MAX }.into(),
            ])
            .await?;
        let process = start(world, &config).await?;
        pay(world, 1..=8).await?;
        until_true("the orders that were paid are delivered", async || {
            Ok(rows(world).await?.iter().filter(|row| row.state == DELIVERED).count() == 8)
        })
        .await?;
        assert_one_effect_each(&partner, 1..=8);
        let events = world.number("SELECT COUNT(*) AS n FROM platform_events").await?;
        assert_eq!((events, rows(world).await?.len()), (1, 9));
        let token = Some(world.config.admin_token.as_str());
        let again = operate(&process, Method::POST, "/admin/dispatches/9/redrive", token).await?;
        assert_eq!(again.0, 409, "nobody knows what is to be told: {}", again.1);
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_nobody_listed_stops_its_partition_and_no_other() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, SHOP, 1.0).await?;
        let process = start(world, &config).await?;
        pay(world, 1..=8).await?;
        until_delivered(world, 8).await?;
        let next = place(world, 0).await?.next_offset;
        let unknown = [&[0][..], &999_999_i32.to_be_bytes(), b"datum"].concat();
        let at = append_raw(world, &[(0, Some(unknown))]).await?[0];
        assert!(at as u64 >= next);
        // Order 9 stands behind it.
        pay(world, 9..=16).await?;
        let reason = process.until_not_ready("external-platform stopped partition 0: at offset").await?;
        assert!(reason.contains("999999"), "{reason}");
        until_true("the other orders are delivered", async || Ok(partner.effects().len() == 15)).await?;
        assert_eq!((partner.calls_of("9"), rows(world).await?.len()), (0, 15));
        process.stop().await
    })
    .await
}

/// What is done to MySQL, and what the audit must say.
const CORRUPTIONS: [(&str, &str); 8] = [
    ("DELETE FROM external_dispatches WHERE order_id = 1", "external_dispatches 1: MySQL lacks it"),
    (
        "UPDATE external_dispatches SET state = 0, delivered_at_ms = NULL WHERE order_id = 1",
        "external_dispatches 1: the topic says state 1",
    ),
    (
        "UPDATE external_dispatches SET state = 0 WHERE order_id = 2",
        "external_dispatches 2: the topic says state 2",
    ),
    (
        "UPDATE external_dispatches SET state = 1 WHERE order_id = 2",
        "external_dispatches 2: the topic says state 2",
    ),
    (
        "UPDATE external_dispatches SET paid = paid + 1 WHERE order_id = 1",
        "external_dispatches 1: the topic asks",
    ),
    (
        "UPDATE external_dispatches SET partition_id = 3 WHERE order_id = 1",
        "external_dispatches 1: it belongs to",
    ),
    (
        "UPDATE external_dispatches SET order_id = 77 WHERE order_id = 2",
        "external_dispatches 77: the topic knows nothing of",
    ),
    ("UPDATE platform_events SET kind = 'LOST'", "platform_events \"event\": the topic says"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_dispatches_in_mysql_the_audit_finds() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, ALL, 1e-5).await?;
        let process = start(world, &config).await?;
        pay(world, 1..=1).await?;
        row_when(world, 1, "was delivered", |row| row.state == DELIVERED).await?;
        partner.set_mode(Mode::Refusal { status: 400 })?;
        pay(world, 2..=2).await?;
        row_when(world, 2, "was given up", |row| row.state == dispatches::FAILED).await?;
        let (event_id, kind) = ("event".to_owned(), "SHIPPED".to_owned());
        let event = PlatformEventReceived { event_id, order_id: 1, kind, occurred_at_ms: 1 };
        // A partner may tell it twice.
        world.append_facts(&[event.clone().into(), event.into()]).await?;
        world.clean_audit().await?;
        process.stop().await?;
        for (corruption, expected) in CORRUPTIONS {
            let report = audit_of_a_corrupted_copy(world, corruption).await?;
            let named = report.findings.iter().any(|finding| finding.contains(expected));
            assert!(named && !report.clean, "{corruption}: {expected:?} is not said: {report}");
        }
        Ok(())
    })
    .await
}

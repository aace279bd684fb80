//! The outbox relay: every decided payment is told once, whatever becomes of MySQL and of former relays.

use crate::{
    facts::Standing,
    operator,
    patience::{PATIENCE, making, until, until_true},
    paying::{self, PRICE},
    process::Process,
    world::{World, in_world, in_world_without_mysql},
};
use chassis::kafka::{self, ProducerLimits};
use consumers::{
    config::Config,
    relay::{PublishError, Publisher},
};
use migrations::entity::outbox;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use schemas::{Fact, FactTopic, facts::*};
use serde_json::json;
use std::ops::RangeInclusive;

/// Users that pay in turn; those of even id have no money.
const USERS: i64 = 11;

fn user_of(order: i64) -> i64 {
    (order - 1) % USERS + 1
}

/// The world's settings for a process that projects the shop and nothing else.
fn shop_only(world: &World) -> Config {
    Config { groups: "order-projection".into(), ..world.config.clone() }
}

async fn start(world: &World) -> anyhow::Result<Process> {
    let process = world.start_with(shop_only(world)).await?;
    process.until_it_owns(1).await?;
    Ok(process)
}

/// An open shop with its first paid orders, and a process that has told of them.
async fn start_with_orders(world: &World, orders: i64) -> anyhow::Result<Process> {
    paying::open_shop(world, USERS).await?;
    paying::order_and_pay(world, 1..=orders, user_of).await?;
    let process = start(world).await?;
    until_the_outbox_is_empty(world).await?;
    Ok(process)
}

/// These orders more are placed, paid and told.
async fn tell_of(world: &World, orders: RangeInclusive<i64>) -> anyhow::Result<()> {
    paying::order_and_pay(world, orders, user_of).await?;
    until_the_outbox_is_empty(world).await
}

async fn until_the_outbox_is_empty(world: &World) -> anyhow::Result<()> {
    paying::until_projected(world).await?;
    until_true("the outbox is empty", async || {
        Ok(world.number("SELECT COUNT(*) AS n FROM outbox").await? == 0)
    })
    .await
}

fn source_offset(fact: &Fact) -> i64 {
    match fact {
        Fact::PaymentCaptured(fact) => fact.source_offset,
        Fact::PaymentDeclined(fact) => fact.source_offset,
        Fact::DispatchRequested(fact) => fact.source_offset,
        _ => -1,
    }
}

/// That these orders, and no others, were told once, right, at home and in order.
async fn assert_told_once(world: &World, orders: i64) -> anyhow::Result<()> {
    let (payments, dispatches) =
        (world.facts(FactTopic::Payment).await?, world.facts(FactTopic::ExternalPlatform).await?);
    for told in [&payments, &dispatches] {
        for partition in 0..8 {
            let of_it = told.iter().filter(|standing| standing.partition == partition);
            let offsets: Vec<i64> = of_it.map(|standing| source_offset(&standing.fact)).collect();
            assert!(offsets.is_sorted_by(|a, b| a < b), "partition {partition}: {offsets:?}");
        }
    }
    let mut captured = 0;
    for order in 1..=orders {
        let user_id = user_of(order);
        let of_order = |standing: &&Standing| match &standing.fact {
            Fact::PaymentCaptured(fact) => fact.order_id == order,
            Fact::PaymentDeclined(fact) => fact.order_id == order,
            Fact::DispatchRequested(fact) => fact.order_id == order,
            _ => false,
        };
        let payment: Vec<_> = payments.iter().filter(of_order).collect();
        let dispatch: Vec<_> = dispatches.iter().filter(of_order).collect();
        assert_eq!(payment.len(), 1, "order {order}: {payment:?}");
        let home = ((user_id - 1) % 8) as i32;
        assert_eq!((payment[0].partition, &payment[0].key), (home, &user_id.to_string()));
        match &payment[0].fact {
            Fact::PaymentCaptured(fact) => {
                captured += 1;
                assert_eq!(user_id % 2, 1);
                assert_eq!(
                    (fact.user_id, fact.total, fact.discount, fact.paid),
                    (user_id, 2 * PRICE, 0, 2 * PRICE)
                );
                assert_eq!(dispatch.len(), 1, "order {order}: {dispatch:?}");
                let home = (((order - 1) % 8) as i32, format!("DispatchRequested:{order}"));
                assert_eq!((dispatch[0].partition, dispatch[0].key.clone()), home);
                let PaymentCaptured {
                    source_offset, order_id, user_id, total, discount, paid, at_ms, ..
                } = fact.clone();
                let redriven = false;
                let expected = DispatchRequested {
                    source_offset,
                    order_id,
                    user_id,
                    total,
                    discount,
                    paid,
                    at_ms,
                    redriven,
                };
                assert_eq!(dispatch[0].fact, expected.into());
            }
            Fact::PaymentDeclined(fact) => {
                assert_eq!(user_id % 2, 0);
                assert_eq!((fact.user_id, fact.total, fact.discount, fact.paid), (user_id, 2 * PRICE, 0, 0));
                assert_eq!(fact.reason, "PAY001");
                assert_eq!(dispatch.len(), 0, "order {order}: {dispatch:?}");
            }
            other => panic!("{other:?} in payment"),
        }
    }
    assert_eq!((payments.len() as i64, dispatches.len() as i64), (orders, captured));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_decided_payment_is_told_once_and_in_order() -> anyhow::Result<()> {
    in_world(async |world| {
        let process = start_with_orders(world, 40).await?;
        assert_told_once(world, 40).await?;
        tell_of(world, 41..=60).await?;
        assert_told_once(world, 60).await?;
        let (_, health) = process.get("/health", false).await?;
        assert_eq!((&health["relay"]["running"], &health["relay"]["error"]), (&true.into(), &().into()));
        assert_eq!(process.not_ready().await?, None);
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_emptied_or_set_back_publishes_nothing_twice() -> anyhow::Result<()> {
    in_world(async |world| {
        let process = start_with_orders(world, 20).await?;
        world.keep_copy().await?;
        tell_of(world, 21..=40).await?;
        // Under a process that runs: it notices with the next record.
        world.put_back_copy().await?;
        tell_of(world, 41..=42).await?;
        assert_told_once(world, 42).await?;
        world.empty().await?;
        tell_of(world, 43..=44).await?;
        assert_told_once(world, 44).await?;
        assert_eq!(process.not_ready().await?, None);
        process.stop().await?;
        // Under none.
        world.empty().await?;
        let process = start(world).await?;
        until_the_outbox_is_empty(world).await?;
        assert_told_once(world, 44).await?;
        process.stop().await
    })
    .await
}

fn row(source_offset: u64, order_id: u64) -> outbox::Model {
    outbox::Model {
        source_offset,
        kind: outbox::CAPTURED,
        order_id,
        user_id: order_id,
        total: 10,
        discount: 1,
        paid: 9,
        user_coupon_id: None,
        reason: None,
        at_ms: 1,
    }
}

async fn publisher(world: &World) -> anyhow::Result<Publisher> {
    let (config, codec) = (world.config.clone(), world.fact_codec().await?);
    Ok(tokio::task::spawn_blocking(move || Publisher::start(&config, codec)).await??)
}

/// Off the threads of the runtime, as it must be.
async fn publish(
    publisher: Publisher,
    rows: Vec<outbox::Model>,
) -> anyhow::Result<(Publisher, Result<u64, PublishError>)> {
    let publish = move || {
        let mut publisher = publisher;
        let published = publisher.publish(&rows);
        (publisher, published)
    };
    Ok(tokio::task::spawn_blocking(publish).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_relays_the_former_publishes_nothing_any_more() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let (former, published) = publish(publisher(world).await?, vec![row(10, 1), row(11, 9)]).await?;
        assert_eq!(published?, 4);
        let latter = publisher(world).await?;
        assert_eq!(latter.positions().newest(), Some(11));
        let (former, refused) = publish(former, vec![row(12, 2)]).await?;
        assert!(matches!(refused, Err(PublishError::Fatal(_))), "{refused:?}");
        let (_, published) = publish(latter, vec![row(10, 1), row(11, 9), row(12, 2)]).await?;
        assert_eq!(published?, 2, "what the former published is not published again");
        let (_, refused) = publish(former, vec![row(13, 3)]).await?;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(world.facts(FactTopic::Payment).await?.len(), 3);
        assert_eq!(world.facts(FactTopic::ExternalPlatform).await?.len(), 3);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_fenced_while_it_owns_the_partition_ends_its_process() -> anyhow::Result<()> {
    in_world(async |world| {
        let process = start_with_orders(world, 5).await?;
        let _other = publisher(world).await?;
        paying::order_and_pay(world, 6..=10, user_of).await?;
        let reason = process.its_end().await?;
        assert!(reason.contains("the outbox relay failed for good"), "{reason}");
        // Its restart goes on where the topics end.
        let process = start(world).await?;
        until_the_outbox_is_empty(world).await?;
        assert_told_once(world, 10).await?;
        process.stop().await
    })
    .await
}

fn requested(source_offset: i64, order_id: i64, redriven: bool) -> Fact {
    let (user_id, total, discount, paid, at_ms) = (1, 1, 0, 1, 1);
    DispatchRequested { source_offset, order_id, user_id, total, discount, paid, at_ms, redriven }.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_relay_left_unfinished_is_never_seen() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let (former, published) = publish(publisher(world).await?, vec![row(10, 1)]).await?;
        assert_eq!(published?, 2);
        drop(former);
        let id = format!("{}outbox-relay", world.config.topic_prefix);
        let limits = ProducerLimits { delivery_timeout_ms: 60_000, queue_messages: 10, queue_kbytes: 100 };
        let mut settings = kafka::producer(&world.config.kafka, "killed", 0, limits);
        settings.set("transactional.id", id).set("transaction.timeout.ms", "120000");
        let mut payload = Vec::new();
        world.fact_codec().await?.encode(&requested(99, 1, false), &mut payload)?;
        let topic = FactTopic::ExternalPlatform.name(&world.config.topic_prefix);
        let killed = tokio::task::spawn_blocking(move || -> anyhow::Result<FutureProducer> {
            let producer: FutureProducer = settings.create()?;
            producer.init_transactions(PATIENCE)?;
            producer.begin_transaction()?;
            let record = FutureRecord::<(), _>::to(&topic).partition(0).payload(&payload);
            drop(producer.send_result(record).map_err(|(error, _)| error)?);
            producer.flush(PATIENCE)?;
            Ok(producer)
        });
        let _killed = killed.await??;
        let latter = publisher(world).await?;
        assert_eq!(latter.positions().newest(), Some(10));
        let (_, published) = publish(latter, vec![row(10, 1), row(11, 9)]).await?;
        assert_eq!(published?, 2);
        let told = world.facts(FactTopic::ExternalPlatform).await?;
        assert_eq!(told.iter().map(|standing| source_offset(&standing.fact)).collect::<Vec<_>>(), [10, 11]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_stuck_says_so_only_while_it_has_the_partition() -> anyhow::Result<()> {
    in_world(async |world| {
        start_with_orders(world, 2).await?.stop().await?;
        let limits = ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 10, queue_kbytes: 1_024 };
        let producer: FutureProducer = kafka::producer(&world.config.kafka, "foreign", 0, limits).create()?;
        let name = FactTopic::Payment.name(&world.config.topic_prefix);
        let unknown = [&[0][..], &999_999_i32.to_be_bytes(), b"datum"].concat();
        let foreign = FutureRecord::to(&name).partition(0).key("foreign").payload(&unknown);
        producer.send(foreign, PATIENCE).await.map_err(|(error, _)| error)?;

        let process = start(world).await?;
        let stuck = "the outbox relay does not get on";
        let reason = process.until_not_ready(stuck).await?;
        assert!(reason.contains("999999"), "{reason}");
        let scope = json!({"scope": {"groups": ["order-projection"]}});
        let operation = operator::pause(&process, scope).await?;
        operator::settles(&process, &operation, "PAUSED").await?;
        until_true("who has no partition has no error", async || {
            let (_, health) = process.get("/health", false).await?;
            Ok(health["relay"]["error"].is_null())
        })
        .await?;
        operator::resume(&process, json!({})).await?;
        process.until_not_ready(stuck).await?;
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_position_is_the_newest_one_behind_any_number_of_other_facts() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let delivered = |order_id| DispatchDelivered { order_id, attempts: 1, at_ms: 1 }.into();
        let failed =
            |order_id| DispatchFailed { order_id, attempts: 8, reason: "HTTP 500".into(), at_ms: 1 }.into();
        // Partition 0; a redriven one of an old order stands behind the newest.
        let mut facts =
            vec![requested(50, 1, false), failed(1), requested(100, 9, false), requested(50, 1, true)];
        // More than the first chunk of the search.
        facts.extend((0..600).flat_map(|_| [delivered(1), delivered(9)]));
        // Partition 1: compaction took the first request of the newest order, its repetition tells.
        facts.extend([requested(40, 2, false), requested(120, 10, true)]);
        // Partition 2: what is no request of an order.
        facts.push(delivered(3));
        world.append_facts(&facts).await?;
        // Partition 3: a stray fact of another partition's order proves nothing.
        world.misplace(&requested(500, 1, false), 3).await?;
        let publisher = publisher(world).await?;
        let has = |order: i64, offset| {
            publisher.positions().has(FactTopic::ExternalPlatform, ((order - 1) % 8) as i32, offset)
        };
        assert!(has(1, 100) && !has(1, 101));
        assert!(has(2, 120) && !has(2, 121));
        assert!(!has(3, 0) && !has(4, 0));
        assert_eq!(publisher.positions().newest(), Some(120));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_whose_time_was_over_are_not_told_again() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let (_, published) = publish(publisher(world).await?, vec![row(10, 1), row(11, 2)]).await?;
        assert_eq!(published?, 4);
        // As after 30 days: the payments are gone, the dispatches stay.
        let topic = FactTopic::Payment.name(&world.config.topic_prefix);
        let mut list = rdkafka::TopicPartitionList::new();
        for partition in [0, 1] {
            list.add_partition_offset(&topic, partition, rdkafka::Offset::End)?;
        }
        world.admin()?.delete_records(&list, &making()).await?;
        until("the payments are gone", async || {
            Ok(world.facts(FactTopic::Payment).await?.is_empty().then_some(()))
        })
        .await?;
        let (_, published) =
            publish(publisher(world).await?, vec![row(10, 1), row(11, 2), row(12, 3)]).await?;
        assert_eq!(published?, 2, "only the third is new");
        Ok(())
    })
    .await
}

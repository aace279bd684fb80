//! Whatever is wrong in the topics that tell other systems of payments.

use super::{audit_of, in_busy_world, none_of, unnamed};
use crate::{
    facts::Standing,
    patience::{PATIENCE, making, until, until_right},
    world::World,
};
use chassis::kafka::{self, ProducerLimits};
use consumers::log;
use rdkafka::{
    admin::{NewTopic, TopicReplication},
    producer::{FutureProducer, FutureRecord},
};
use schemas::{
    Fact,
    FactTopic::{self, ExternalPlatform, Payment},
    FactType::{self, *},
    facts::{DispatchDelivered, DispatchFailed, DispatchRequested, PaymentCaptured},
};

const LIMITS: ProducerLimits =
    ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 1_000, queue_kbytes: 1_024 };

fn order_of(fact: &Fact) -> i64 {
    match fact {
        Fact::PaymentCaptured(fact) => fact.order_id,
        Fact::PaymentDeclined(fact) => fact.order_id,
        Fact::DispatchRequested(fact) => fact.order_id,
        Fact::DispatchDelivered(fact) => fact.order_id,
        Fact::DispatchFailed(fact) => fact.order_id,
        Fact::PlatformEventReceived(fact) => fact.order_id,
    }
}

/// What one of the topics holds.
struct Facts(Vec<Standing>);

impl Facts {
    /// The first of this kind about this order.
    fn at(&self, order: i64, kind: FactType) -> usize {
        let found =
            |standing: &Standing| order_of(&standing.fact) == order && standing.fact.fact_type() == kind;
        self.0.iter().position(found).unwrap_or_else(|| panic!("no {kind:?} of order {order}"))
    }

    fn lose(&mut self, order: i64, kind: FactType) {
        let at = self.at(order, kind);
        self.0.remove(at);
    }

    fn repeat(&mut self, order: i64, kind: FactType) {
        let again = self.0[self.at(order, kind)].clone();
        self.0.push(again);
    }

    /// One more, where it belongs.
    fn add(&mut self, fact: impl Into<Fact>) {
        let fact = fact.into();
        let (partition, key) =
            (schemas::partition::home_of_fact(&fact), schemas::partition::key_of_fact(&fact));
        self.0.push(Standing { partition, key, fact });
    }

    fn fact(&mut self, order: i64, kind: FactType) -> &mut Fact {
        let at = self.at(order, kind);
        &mut self.0[at].fact
    }

    fn captured(&mut self, order: i64) -> &mut PaymentCaptured {
        let Fact::PaymentCaptured(fact) = self.fact(order, PaymentCaptured) else { unreachable!() };
        fact
    }

    fn requested(&mut self, order: i64) -> &mut DispatchRequested {
        let Fact::DispatchRequested(fact) = self.fact(order, DispatchRequested) else { unreachable!() };
        fact
    }

    /// An operator's.
    fn redriven(&mut self, order: i64) -> &mut DispatchRequested {
        let again = self.0.iter_mut().find_map(|standing| match &mut standing.fact {
            Fact::DispatchRequested(fact) if fact.order_id == order && fact.redriven => Some(fact),
            _ => None,
        });
        again.expect("it was redriven")
    }
}

/// What is done to a topic, and what the audit must say.
type Corruption = (fn(&mut Facts), &'static str);

const PAYMENTS: [Corruption; 12] = [
    (|facts| facts.lose(1, PaymentCaptured), "for order 1 stands neither in topic payment nor in the outbox"),
    (|facts| facts.lose(8, PaymentDeclined), "for order 8 stands neither in topic payment nor in the outbox"),
    (|facts| facts.repeat(2, PaymentCaptured), "was told 2 times"),
    (|facts| facts.repeat(8, PaymentDeclined), "was told 2 times"),
    (|facts| facts.captured(1).paid += 1, "paid: 2001, user_coupon_id"),
    (|facts| facts.captured(2).paid *= -1, "-1800"),
    (|facts| facts.captured(2).user_coupon_id = None, "user_coupon_id: None, reason: None"),
    (|facts| facts.captured(6).at_ms += 1, "told was"),
    (
        |facts| {
            let never = PaymentCaptured { order_id: 7, source_offset: 99_999, ..facts.captured(5).clone() };
            facts.add(never);
        },
        "the payment of offset 99999 was told, the log knows nothing of it",
    ),
    (
        // The decline of order 8, as if it had been paid.
        |facts| {
            let Fact::PaymentDeclined(told) = facts.fact(8, PaymentDeclined).clone() else { unreachable!() };
            let model = facts.captured(1).clone();
            let (order_id, user_id, source_offset) = (8, told.user_id, told.source_offset);
            *facts.fact(8, PaymentDeclined) =
                PaymentCaptured { order_id, user_id, source_offset, ..model }.into();
        },
        "reason: Some(\"PAY001\")",
    ),
    (
        |facts| {
            let at = facts.at(6, PaymentCaptured);
            facts.0[at].partition = 7;
        },
        "payment-7 offset 0 holds what belongs elsewhere",
    ),
    (
        // Both of user 1: readers keep the largest offset of a partition and skip what is not larger.
        |facts| {
            let (first, second) = (facts.at(1, PaymentCaptured), facts.at(5, PaymentCaptured));
            facts.0.swap(first, second);
        },
        "payment-0 offset 1 tells of offset",
    ),
];

const DISPATCHES: [Corruption; 18] = [
    (
        |facts| facts.lose(6, DispatchRequested),
        "for order 6 stands neither in topic external-platform nor in the outbox",
    ),
    (|facts| facts.repeat(6, DispatchRequested), "the dispatch of order 6 was told 2 times"),
    (|facts| facts.requested(2).paid += 1, "the dispatch of order 2 must ask"),
    (|facts| facts.requested(6).total *= -1, "external-platform-5: 1 are no facts, 0 became dead letters"),
    (|facts| facts.requested(6).user_id = 3, "the dispatch of order 6 must ask"),
    (|facts| facts.redriven(5).paid -= 1, "the dispatch of order 5 must ask"),
    (|facts| facts.redriven(5).at_ms += 1, "the dispatch of order 5 must ask"),
    (
        |facts| {
            let never = DispatchRequested { order_id: 3, ..facts.requested(1).clone() };
            facts.add(never);
        },
        "the dispatch of order 3: the order is not paid",
    ),
    (
        |facts| {
            let never = DispatchRequested { order_id: 77, redriven: true, ..facts.requested(1).clone() };
            facts.add(never);
        },
        "the dispatch of order 77: the order is not paid",
    ),
    (
        |facts| facts.add(DispatchDelivered { order_id: 7, attempts: 1, at_ms: 1 }),
        "the dispatch of order 7 ended and was never requested",
    ),
    (
        |facts| facts.add(DispatchFailed { order_id: 3, attempts: 8, reason: String::new(), at_ms: 1 }),
        "the dispatch of order 3 ended and was never requested",
    ),
    (|facts| facts.lose(1, DispatchDelivered), "external_dispatches 1: the topic says state 0"),
    (|facts| facts.lose(4, DispatchFailed), "external_dispatches 4: the topic says state 0"),
    (|facts| facts.lose(4, PlatformEventReceived), "platform_events \"other\": the topic knows nothing of"),
    (
        |facts| {
            let Fact::PlatformEventReceived(event) = facts.fact(4, PlatformEventReceived) else {
                unreachable!()
            };
            event.kind = "LOST".to_owned();
        },
        "platform_events \"other\": the topic says",
    ),
    (
        // In the partition of order 5, which MySQL has read.
        |facts| {
            let at = facts.at(1, DispatchDelivered);
            facts.0[at].partition = 4;
            facts.0.swap(0, at);
        },
        "external-platform-4: 1 are no facts, 0 became dead letters",
    ),
    (
        // It cannot be, so it must be a dead letter and tells nothing.
        |facts| {
            let Fact::DispatchDelivered(told) = facts.fact(2, DispatchDelivered) else { unreachable!() };
            told.attempts = -1;
        },
        "external-platform-1: 1 are no facts, 0 became dead letters",
    ),
    (|facts| facts.lose(6, DispatchRequested), "external-platform-5: MySQL waits for offset"),
];

/// Waits until the broker says of a topic that it has so many partitions; 0 is none.
async fn until_there(world: &World, name: &str, partitions: i32) -> anyhow::Result<()> {
    let look = async || {
        let (config, name) = (world.config.clone(), name.to_owned());
        let ask = move || anyhow::Ok(log::patient_reader(&config)?.partitions(&name)?);
        let found = tokio::task::spawn_blocking(ask).await??;
        Ok(if found == partitions as usize { Ok(()) } else { Err(found) })
    };
    until_right(&format!("{name} has {partitions} partitions"), look).await
}

/// Makes a topic anew, with these facts in it.
async fn tell(world: &World, topic: FactTopic, facts: &[Standing]) -> anyhow::Result<()> {
    let (admin, name) = (world.admin()?, topic.name(&world.config.topic_prefix));
    for gone in admin.delete_topics(&[&name], &making()).await? {
        gone.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
    }
    // Whoever writes to a name that the broker still knows from before writes into what is about to go.
    until_there(world, &name, 0).await?;
    // It does not stamp: these are not the times at which the facts were first told.
    let anew = NewTopic::new(&name, topic.partitions(), TopicReplication::Fixed(1));
    let anew = anew.set("message.timestamp.type", "CreateTime");
    until(&format!("{name} can be made again"), async || {
        let made = admin.create_topics([&anew], &making()).await?;
        Ok(made.into_iter().all(|made| made.is_ok()).then_some(()))
    })
    .await?;
    until_there(world, &name, topic.partitions()).await?;
    let producer: FutureProducer =
        kafka::producer(&world.config.kafka, &world.config.instance, 0, LIMITS).create()?;
    let codec = world.fact_codec().await?;
    for Standing { partition, key, fact } in facts {
        let mut payload = Vec::new();
        codec.encode(fact, &mut payload)?;
        let record = FutureRecord::to(&name).partition(*partition).key(key).payload(&payload);
        producer.send(record, PATIENCE).await.map_err(|(error, _)| error)?;
    }
    // Of a partition that is this young, not every broker knows at once.
    until(&format!("{name} can be read"), async || {
        let told = world.facts(topic).await.ok().filter(|told| told.len() == facts.len());
        Ok(told.map(drop))
    })
    .await
}

/// Tells what was told, without the marks of the relay's transactions: from now on MySQL waits for other offsets.
async fn retell(world: &World, topic: FactTopic, told: &[Standing]) -> anyhow::Result<()> {
    tell(world, topic, told).await?;
    for partition in 0..topic.partitions() {
        let end = told.iter().filter(|standing| standing.partition == partition).count();
        let name = topic.name(&world.config.topic_prefix);
        let place = format!("topic = '{name}' AND partition_id = {partition}");
        world.sql(&format!("UPDATE projection_offset SET next_offset = {end} WHERE {place}")).await?;
    }
    Ok(())
}

async fn all_are_found(topic: FactTopic, corruptions: &[Corruption]) -> anyhow::Result<()> {
    in_busy_world(async |world| {
        let told = world.facts(topic).await?;
        retell(world, topic, &told).await?;
        let mut unseen = Vec::new();
        for (corrupt, expected) in corruptions {
            let mut facts = Facts(told.clone());
            corrupt(&mut facts);
            tell(world, topic, &facts.0).await?;
            unseen.extend(unnamed(topic.base_name(), expected, &audit_of(&world.config).await?));
        }
        none_of(unseen)?;
        tell(world, topic, &told).await?;
        let mended = audit_of(&world.config).await?;
        anyhow::ensure!(mended.clean, "all is mended: {mended}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_in_payment_is_found() -> anyhow::Result<()> {
    all_are_found(Payment, &PAYMENTS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_in_external_platform_is_found() -> anyhow::Result<()> {
    all_are_found(ExternalPlatform, &DISPATCHES).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_outbox_still_holds_is_not_missing() -> anyhow::Result<()> {
    in_busy_world(async |world| {
        let told = world.facts(Payment).await?;
        let mut facts = Facts(told);
        let PaymentCaptured { source_offset, .. } = facts.captured(1).clone();
        facts.lose(1, PaymentCaptured);
        tell(world, Payment, &facts.0).await?;
        let row = format!(
            "INSERT INTO outbox SELECT source_offset, 1, order_id, user_id, total, discount, paid, NULL, NULL, \
             paid_at_ms FROM external_dispatches WHERE source_offset = {source_offset}"
        );
        assert_eq!(world.sql(&row).await?, 1);
        let report = audit_of(&world.config).await?;
        assert_eq!((report.clean, report.facts.waiting, report.facts.missing), (true, 1, 0), "{report}");
        world.sql("DELETE FROM outbox").await?;
        let report = audit_of(&world.config).await?;
        assert_eq!((report.clean, report.facts.waiting, report.facts.missing), (false, 0, 1), "{report}");
        Ok(())
    })
    .await
}

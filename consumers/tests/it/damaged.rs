//! A log that somebody else has changed: its head cut off, or with a partition more than it has.

use crate::{
    patience::{PATIENCE, making},
    records::{claim, fresh, open},
    world::{World, in_world},
};
use chassis::kafka::{self, ProducerLimits};
use consumers::{log, tools::init};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::NewPartitions,
    producer::{FutureProducer, FutureRecord},
};
use schemas::Topic;

/// Why nobody who starts works with this log.
async fn refusal(world: &World) -> anyhow::Result<String> {
    let config = world.config.clone();
    let look = move || -> anyhow::Result<String> {
        let founded = log::foundation(&config, &log::patient_reader(&config)?);
        Ok(founded.map_or_else(|error| error.to_string(), |_| "not refused".to_owned()))
    };
    tokio::task::spawn_blocking(look).await?
}

async fn delete_before(world: &World, partition: i32, offset: i64) -> anyhow::Result<()> {
    let mut list = TopicPartitionList::new();
    let topic = Topic::Coupon.name(&world.config.topic_prefix);
    list.add_partition_offset(&topic, partition, Offset::Offset(offset))?;
    world.admin()?.delete_records(&list, &making()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_head_is_cut_off_is_refused_and_not_founded_anew() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 9), claim(fresh(), 1, 1), claim(fresh(), 1, 2)]).await?;
        let ends = world.ends().await?;
        delete_before(world, 0, 2).await?;
        let reason = refusal(world).await?;
        assert!(reason.contains("the head of") && reason.contains("is cut off at 2"), "{reason}");
        assert!(reason.contains("docs/operations.md"), "it names no way on: {reason}");
        let refused = init::run(&world.config).await.map_err(|error| format!("{error:#}"));
        assert!(refused.is_err_and(|reason| reason.contains("is cut off at 2")));
        assert_eq!(world.ends().await?, ends, "nothing was founded behind the cut");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ninth_partition_is_ignored_while_it_is_empty_and_refused_with_records() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 9), claim(fresh(), 1, 1)]).await?;
        let process = world.start_and_open().await?;
        let name = Topic::Coupon.name(&world.config.topic_prefix);
        world.admin()?.create_partitions(&[NewPartitions::new(&name, 9)], &making()).await?;
        world.append(&[claim(fresh(), 1, 2)]).await?;
        world.clean_audit().await?;
        process.stop().await?;
        // Whoever starts ignores it, too.
        let process = world.start_and_open().await?;
        world.append(&[claim(fresh(), 1, 3)]).await?;
        world.clean_audit().await?;
        process.stop().await?;
        // By a client that has not known the topic before: others hear of a new partition minutes later.
        let limits = ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 10, queue_kbytes: 100 };
        let stranger: FutureProducer =
            kafka::producer(&world.config.kafka, "a-stranger", 0, limits).create()?;
        let stray = FutureRecord::<(), _>::to(&name).partition(8).payload(b"stray");
        stranger.send(stray, PATIENCE).await.map_err(|(error, _)| error)?;
        let reason = refusal(world).await?;
        assert!(reason.contains("coupon-8 holds records, and this log has 8 partitions"), "{reason}");
        // The way on that it names.
        delete_before(world, 8, 1).await?;
        assert_eq!(refusal(world).await?, "not refused");
        init::run(&world.config).await
    })
    .await
}

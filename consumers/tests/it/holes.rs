//! Transactions of a stranger on request logs: their markers take offsets that nobody is given, and an open one holds nobody
//! back.

use crate::{
    patience::{PATIENCE, until_true},
    records::{claim, fresh, guest, open},
    world::{World, in_world},
};
use chassis::kafka::{self, ProducerLimits};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use schemas::{Topic, Uuid};

/// How a stranger's transaction ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Committed,
    Aborted,
    Open,
}

/// One garbage record in a transaction of somebody else. Who keeps the producer keeps an open transaction open.
async fn foreign_transaction(
    world: &World,
    topic: Topic,
    partition: i32,
    ending: Ending,
) -> anyhow::Result<FutureProducer> {
    let limits = ProducerLimits { delivery_timeout_ms: 30_000, queue_messages: 10, queue_kbytes: 100 };
    let mut settings = kafka::producer(&world.config.kafka, "a-stranger", 0, limits);
    let id = format!("{}stranger-{}", world.config.topic_prefix, Uuid::new_v4());
    settings.set("transactional.id", id).set("transaction.timeout.ms", "120000");
    let name = topic.name(&world.config.topic_prefix);
    let write = move || -> anyhow::Result<FutureProducer> {
        let producer: FutureProducer = settings.create()?;
        producer.init_transactions(PATIENCE)?;
        producer.begin_transaction()?;
        let record = FutureRecord::<(), _>::to(&name).partition(partition).payload(b"garbage");
        drop(producer.send_result(record).map_err(|(error, _)| error)?);
        producer.flush(PATIENCE)?;
        match ending {
            Ending::Committed => producer.commit_transaction(PATIENCE)?,
            Ending::Aborted => producer.abort_transaction(PATIENCE)?,
            Ending::Open => {}
        }
        Ok(producer)
    };
    tokio::task::spawn_blocking(write).await?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_of_transactions_are_passed_over_by_projections_replays_and_the_audit() -> anyhow::Result<()>
{
    in_world(async |world| {
        world.append(&[open(fresh(), 1, 100), claim(fresh(), 1, 1), guest(fresh())]).await?;
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        // While somebody follows, then where a log ends with a marker, then while nobody does.
        for ending in [Ending::Committed, Ending::Aborted] {
            for topic in Topic::ALL {
                drop(foreign_transaction(world, topic, 0, ending).await?);
            }
            world.clean_audit().await?;
            world.append(&[claim(fresh(), 1, 2), guest(fresh())]).await?;
            world.clean_audit().await?;
        }
        process.stop().await?;
        for topic in Topic::ALL {
            drop(foreign_transaction(world, topic, 0, Ending::Committed).await?);
        }
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        assert_eq!(process.not_ready().await?, None);
        // An open transaction holds back nobody, not even what stands behind it.
        let _open = foreign_transaction(world, Topic::Coupon, 0, Ending::Open).await?;
        world.append(&[claim(fresh(), 1, 3)]).await?;
        until_true("the claim behind it is there", async || Ok(world.rows().await?.claims.len() == 3))
            .await?;
        process.stop().await?;
        // Whoever fills an empty database comes to the same.
        let before = world.rows().await?;
        world.empty().await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        assert_eq!(world.rows().await?, before);
        world.expect_dead_letters(2 * 10);
        process.stop().await
    })
    .await
}

//! The topics of facts from a test's side: all that stands there, and a hand to append to them.

use crate::{patience::PATIENCE, world::World};
use chassis::{kafka, log_reader::is_wrong_offset};
use consumers::{config::Config, dispatch::Journal};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    producer::{FutureProducer, FutureRecord},
};
use schemas::{Fact, FactTopic, codec::FactCodec};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two looks whether it was enough.
const POLL: Duration = Duration::from_millis(500);
/// How long one client may hear nothing before another one reads.
const ONE_CLIENT: Duration = Duration::from_secs(10);

/// A fact and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) fact: Fact,
}

impl World {
    /// The codec of the log's facts.
    pub(crate) async fn fact_codec(&self) -> anyhow::Result<Arc<FactCodec>> {
        let read = async || Ok(Arc::new(FactCodec::new(&self.foundation().await?.schemas)?));
        self.fact_codec.get_or_try_init(read).await.cloned()
    }

    /// Appends facts as a dispatcher, an ingress or an operator would, in order.
    pub(crate) async fn append_facts(&self, facts: &[Fact]) -> anyhow::Result<()> {
        let journal = Journal::new(&self.config, self.fact_codec().await?)?;
        for fact in facts {
            journal.append(fact).await?;
        }
        Ok(())
    }

    /// Appends a fact where it has no business to stand.
    pub(crate) async fn misplace(&self, fact: &Fact, partition: i32) -> anyhow::Result<()> {
        let mut payload = Vec::new();
        self.fact_codec().await?.encode(fact, &mut payload)?;
        let topic = FactTopic::of(fact.fact_type()).name(&self.config.topic_prefix);
        let producer: FutureProducer = kafka::client(&self.config.kafka, "misplacing").create()?;
        let record = FutureRecord::to(&topic).partition(partition).key("stray").payload(&payload);
        producer.send(record, PATIENCE).await.map_err(|(error, _)| error)?;
        Ok(())
    }

    /// All facts of a topic as other systems read them, partition by partition.
    pub(crate) async fn facts(&self, topic: FactTopic) -> anyhow::Result<Vec<Standing>> {
        let codec = self.fact_codec().await?;
        let (config, name) = (self.config.clone(), topic.name(&self.config.topic_prefix));
        let read = move || {
            let deadline = Instant::now() + PATIENCE;
            loop {
                // A client that met a topic before all brokers knew it takes it for gone, and goes on doing so.
                match read_all(&config, &codec, topic)? {
                    Some(found) => return Ok(found),
                    None => anyhow::ensure!(Instant::now() < deadline, "{name} does not end"),
                }
            }
        };
        tokio::task::spawn_blocking(read).await?
    }
}

/// All that stands in a topic, by one client; `None` where that takes it too long.
fn read_all(config: &Config, codec: &FactCodec, topic: FactTopic) -> anyhow::Result<Option<Vec<Standing>>> {
    let mut settings = kafka::reader(&config.kafka, &config.instance);
    settings.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    let consumer: BaseConsumer = settings.create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..topic.partitions() {
        list.add_partition_offset(&topic.name(&config.topic_prefix), partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    drop(list);
    let mut left: BTreeSet<i32> = (0..topic.partitions()).collect();
    let mut found = Vec::new();
    let deadline = Instant::now() + ONE_CLIENT;
    while !left.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                let fact = codec.decode(topic, message.payload())?;
                found.push(Standing { partition: message.partition(), key, fact });
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
            }
            Some(Err(error)) if is_wrong_offset(&error) => anyhow::bail!(error),
            // Brokers that stand still for a moment are none of the test's business.
            Some(Err(_)) | None if Instant::now() >= deadline => return Ok(None),
            Some(Err(_)) | None => {}
        }
    }
    found.sort_by_key(|standing| standing.partition);
    Ok(Some(found))
}

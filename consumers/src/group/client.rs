//! The Kafka client of a group. Its callbacks assign, pause and hand an input over; they never wait for anything.

use super::{Work, work::Source};
use crate::{config::Config, limits};
use chassis::kafka;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol, StreamConsumer},
    error::KafkaResult,
    types::RDKafkaRespErr,
};
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// A change of ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These partitions are ours from now on; they are paused until they were opened.
    Assigned(Vec<i32>),
    /// These partitions are not ours any more.
    Revoked(Vec<i32>),
}

/// See the module.
pub struct Context {
    rebalances: Sender<Rebalance>,
}

impl ClientContext for Context {}

impl Context {
    fn tell(&self, rebalance: Rebalance) {
        match self.rebalances.try_send(rebalance) {
            // The loop is gone only when the group ends.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(rebalance)) => {
                tracing::error!(?rebalance, "the loop does not take changes of ownership; this is a bug");
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        let result = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => assign(consumer, list, cooperative)
                .inspect(|()| {
                    if !partitions.is_empty() {
                        self.tell(Rebalance::Assigned(partitions));
                    }
                }),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.tell(Rebalance::Revoked(partitions));
                if cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() }
            }
            _ => consumer.unassign(),
        };
        if let Err(error) = result {
            tracing::error!(%error, "a rebalance could not be followed");
        }
    }
}

/// Takes partitions over, paused: where to begin stands in MySQL, and asking it here would block the poll.
fn assign(
    consumer: &BaseConsumer<Context>,
    list: &mut TopicPartitionList,
    cooperative: bool,
) -> KafkaResult<()> {
    let wanted: Vec<(String, i32)> =
        list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
    for (topic, partition) in wanted {
        list.set_partition_offset(&topic, partition, Offset::Beginning)?;
    }
    if cooperative {
        consumer.incremental_assign(list)?
    } else {
        consumer.assign(list)?
    }
    // A pause inside the callback lets no record through: measured in kafka-facts, section 1.
    consumer.pause(list)
}

/// The client of one group on one instance.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn connect<W: Work>(
    config: &Config,
    topic: &str,
    rebalances: Sender<Rebalance>,
) -> KafkaResult<StreamConsumer<Context>> {
    // The coordinator lists members by client id, so it names the instance.
    let group = W::GROUP;
    let instance = format!("{}-{group}", config.instance);
    // An open transaction of a stranger would hold a request log back, and what it aborts stands in the log for everybody
    // who answered from it. Facts are written in transactions.
    let isolation = match W::SOURCE {
        Source::Log(_) => "read_uncommitted",
        Source::Facts(_) => "read_committed",
    };
    let mut settings = kafka::client(&config.kafka, &instance);
    settings
        .set("group.id", format!("{}{group}", config.topic_prefix))
        .set("group.instance.id", &instance)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", config.session_timeout().as_millis().to_string())
        .set("heartbeat.interval.ms", config.heartbeat_interval().as_millis().to_string())
        .set("max.poll.interval.ms", limits::MAX_POLL_INTERVAL.as_millis().to_string())
        .set("auto.offset.reset", "error")
        .set("isolation.level", isolation)
        // Where to begin stands in MySQL. Kafka's own offsets would be for lag tools only, and they are dear: when the
        // brokers stood still for longer than the session, the automatic commit goes out with the instance's name
        // and no member id, and the coordinator fences the instance for it (seen in 4 of 15 frozen brokers).
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.min.messages", "10000")
        .set("queued.max.messages.kbytes", "16384");
    let consumer = StreamConsumer::from_config_and_context(&settings, Context { rebalances })?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

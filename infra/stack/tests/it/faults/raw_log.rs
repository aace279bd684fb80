//! The log past our own programs: raw bytes in, raw records out.

use super::{SOON, wait_for};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// One call to the brokers.
const CALL: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

fn config(kafka: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka).set("reconnect.backoff.max.ms", "500");
    config.set("group.id", "fault-tests").set("enable.auto.commit", "false");
    config
}

/// Appends one payload to a partition that nobody else writes to now, and returns its offset.
pub fn append(kafka: &str, topic: &str, partition: i32, payload: &[u8]) -> u64 {
    let offset = end(kafka, topic, partition);
    let producer: BaseProducer = config(kafka).create().unwrap();
    producer.send(BaseRecord::<(), _>::to(topic).partition(partition).payload(payload)).unwrap();
    producer.flush(CALL).unwrap();
    assert_eq!(end(kafka, topic, partition), offset + 1, "{topic}-{partition} did not take the payload");
    offset
}

/// Where a partition ends; a broker that has just started needs a moment to know.
pub fn end(kafka: &str, topic: &str, partition: i32) -> u64 {
    let consumer: BaseConsumer = config(kafka).create().unwrap();
    // Not by `fetch_watermarks`, which takes a missing answer for the other one.
    let ask = || {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::End).ok()?;
        let found = consumer.offsets_for_times(list, CALL).ok()?;
        let element = found.find_partition(topic, partition)?;
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(end)) => Some(end.unsigned_abs()),
            _ => None,
        }
    };
    wait_for(&format!("the end of {topic}-{partition}"), SOON, ask)
}

/// Every committed record of a partition.
pub fn read(kafka: &str, topic: &str, partition: i32) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = config(kafka).set("enable.partition.eof", "true").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let deadline = Instant::now() + CALL;
    let mut found = Vec::new();
    // Not by offsets: transactions end with markers, and compaction leaves gaps.
    loop {
        assert!(Instant::now() < deadline, "{topic}-{partition}: {} records and no end", found.len());
        match consumer.poll(POLL) {
            Some(Ok(message)) => found.push(message.detach()),
            Some(Err(KafkaError::PartitionEOF(_))) => return found,
            // A broker that has just started needs a moment.
            Some(Err(_)) | None => (),
        }
    }
}

/// Deletes topics as far as possible.
pub fn delete(kafka: &str, topics: &[String]) {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let options = AdminOptions::new().request_timeout(Some(CALL));
    let admin: Result<AdminClient<DefaultClientContext>, _> = config(kafka).create();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    if let (Ok(admin), Ok(runtime)) = (admin, runtime) {
        let _ = runtime.block_on(admin.delete_topics(&names, &options));
    }
}

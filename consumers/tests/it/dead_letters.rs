//! Bytes that are no record: kept aside with where they stood and why; the partition goes on.

use crate::{
    patience::PATIENCE,
    records::{claim, fresh, open},
    world::{Entry, World, in_world},
};
use chassis::{kafka, log_reader::is_wrong_offset};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Headers, OwnedMessage},
};
use schemas::Topic;
use std::time::{Duration, Instant};

/// Between two looks whether it was enough.
const POLL: Duration = Duration::from_millis(500);

/// The first `count` dead letters in the topic of this name.
pub(crate) fn dead_letters(world: &World, name: &str, count: usize) -> anyhow::Result<Vec<OwnedMessage>> {
    let consumer: BaseConsumer = kafka::reader(&world.config.kafka, &world.config.instance).create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(name, 0, Offset::Beginning)?;
    consumer.assign(&list)?;
    drop(list);
    let mut found = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while found.len() < count {
        anyhow::ensure!(Instant::now() < deadline, "only {found:?}");
        match consumer.poll(POLL) {
            Some(Ok(message)) => found.push(message.detach()),
            Some(Err(error)) if is_wrong_offset(&error) => anyhow::bail!(error),
            // Brokers that stand still for a moment are none of the test's business.
            Some(Err(_)) | None => {}
        }
    }
    Ok(found)
}

pub(crate) fn headers(message: &OwnedMessage) -> Vec<(String, String)> {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    headers.map(|header| (header.key.to_owned(), text(header.value))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_record_becomes_a_dead_letter_and_the_partition_moves_on() -> anyhow::Result<()> {
    in_world(async |world| {
        world.expect_dead_letters(2);
        world.append(&[open(fresh(), 2, 9), claim(fresh(), 2, 1)]).await?;
        let poison = [Some(b"\xffpoison".to_vec()), None];
        let entries = poison.map(|payload| Entry { topic: Topic::Coupon, partition: 1, payload }).into();
        assert_eq!(world.append_entries(entries).await?, [3, 4]);
        world.append(&[claim(fresh(), 2, 2)]).await?;
        let process = world.start().await?;
        world.clean_audit().await?;
        assert_eq!(process.not_ready().await?, None);
        process.stop().await?;
        let place = world.place(Topic::Coupon, 1).await?;
        assert_eq!(place.map(|place| (place.next_offset, place.dead_lettered)), Some((6, 2)));
        assert_eq!(world.rows().await?.claims.len(), 2);

        let letters = dead_letters(world, &Topic::Coupon.dead_letters(&world.config.topic_prefix), 2)?;
        assert_eq!(letters[0].payload(), Some(b"\xffpoison".as_slice()));
        assert_eq!(letters[1].payload(), None);
        for (letter, offset) in letters.iter().zip([3, 4]) {
            let source = format!("{}/1/{offset}", Topic::Coupon.name(&world.config.topic_prefix));
            assert_eq!(letter.key(), Some(source.as_bytes()), "the position, so that a repetition shows");
            let expected =
                [("reason", "not a record of its schema"), ("attempts", "1"), ("source", source.as_str())];
            assert_eq!(headers(letter), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        Ok(())
    })
    .await
}

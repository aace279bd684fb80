//! Bytes that are no record: everybody skips them alike, and they are kept.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::{SOON, once, raw_log, wait_seeing};
use rdkafka::Message;
use rdkafka::message::Headers;

const GARBAGE: &[u8] = b"\xff not a record";
const COUPON: u64 = 1;

#[test]
fn garbage_becomes_a_dead_letter_and_the_partition_moves_on() {
    let deployment = Deployment::on_the_stack("garbage");
    let api = deployment.patient_api();
    let _consumers = deployment.consumers();
    open_coupon(&api, COUPON, 10);
    let client = Client::of(&api);
    assert_eq!(client.claim(COUPON, 1, "before").unwrap().status, 201);
    let (kafka, topic) = (deployment.setting("KAFKA"), deployment.topic("coupon"));
    let offset = raw_log::append(kafka, &topic, 0, GARBAGE);

    let after = client.claim(COUPON, 2, "after").unwrap();
    assert_eq!((after.status, after.id("remainingQuantity")), (201, 8), "{after:?}");
    let place = || once(deployment.place("coupon", 0), |place| *place == offset + 2);
    wait_seeing("MySQL moved on", SOON, place);
    let dead = raw_log::read(kafka, &deployment.topic("coupon.dead"), 0);
    let [letter] = dead.as_slice() else { panic!("{} dead letters", dead.len()) };
    assert_eq!(letter.payload(), Some(GARBAGE));
    assert_eq!(letter.key(), Some(format!("{topic}/0/{offset}").as_bytes()));
    let headers = letter.headers().expect("headers");
    let reason = headers.iter().find(|header| header.key == "reason").and_then(|header| header.value);
    assert!(reason.is_some_and(|reason| !reason.is_empty()), "why it is dead");
    deployment.assert_clean(&api, 1);
}

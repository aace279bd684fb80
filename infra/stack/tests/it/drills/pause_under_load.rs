//! Proof 1: one call pauses every process under load, what is confirmed is true, and no shopper notices.

use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED, ORDERS};
use crate::faults::shoppers::Shoppers;
use serde_json::json;
use stack::testing;
use std::time::Instant;

#[test]
fn one_call_pauses_every_process_and_nothing_is_written_until_they_are_resumed() {
    let mut scene = Scene::on("pause-under-load", testing::endpoints(), 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    pause_and_resume(&scene, &shoppers);
    scene.grow(4, &[]);
    pause_and_resume(&scene, &shoppers);
    shoppers.advance(ORDERS);
    scene.judge_undisturbed(&shoppers.end());
}

fn pause_and_resume(scene: &Scene, shoppers: &Shoppers) {
    let (operator, processes) = (scene.operator(), scene.consumers.len());
    let began = Instant::now();
    let operation = operator.pause(json!({"ttl": "10m"}));
    let accepted = began.elapsed();
    let said = operator.until_all_confirmed(&operation, processes, CONFIRMED);
    let confirmed = began.elapsed();
    assert_confirmed(&said, processes);
    scene.assert_still(shoppers);
    let first = scene.resume();
    eprintln!(
        "{processes} processes: accepted after {} ms, confirmed after {} ms, first rows {} ms after the resume",
        accepted.as_millis(),
        confirmed.as_millis(),
        first.as_millis()
    );
}

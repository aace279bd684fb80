//! Proof 4: the broker and all workers restart while paused. The same hold is in force afterwards.

use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED_WITHOUT, ORDERS};
use serde_json::{Value, json};
use stack::{Endpoints, private, testing};

#[test]
fn a_pause_outlives_the_broker_and_all_workers() {
    let mut kafka = private::kafka().unwrap();
    let endpoints = Endpoints { kafka: kafka.bootstrap(), ..testing::endpoints().clone() };
    let mut scene = Scene::on("all-restart", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let operator = scene.operator();
    let operation = operator.pause(json!({"ttl": "30m", "reason": "a bigger disk"}));
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    let (before, held) = (scene.written(), holds(&scene));
    assert_eq!(held[0]["reason"], "a bigger disk", "{held}");
    assert!(held[0]["expires_at_ms"].is_number(), "{held}");

    scene.consumers[0].stop().unwrap();
    scene.consumers[1].kill().unwrap();
    kafka.kill().unwrap();
    kafka.restart().unwrap();
    for process in &mut scene.consumers {
        process.restart().unwrap();
    }
    // Until then the API may tell people to come again; it owes them no more than that.
    shoppers.advance(ORDERS);
    assert_eq!(holds(&scene), held, "another hold than before");
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    for row in operator.rows() {
        assert_eq!((row.desired.as_str(), row.observed.as_str()), ("PAUSED", "PAUSED"), "{row:?}");
    }
    scene.assert_still(&shoppers);
    assert_eq!(scene.written(), before, "something was written");

    scene.resume();
    shoppers.advance(ORDERS);
    scene.judge(&shoppers.end());
}

/// Everything that is held: by whom, how, why, until when, since which record of `control`.
fn holds(scene: &Scene) -> Value {
    scene.operator().consumers()["holds"].clone()
}

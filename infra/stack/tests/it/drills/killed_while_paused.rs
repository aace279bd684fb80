//! Proof 3: a member dies while paused. Its partitions move to the other one and stay paused; so they do when it is back.

use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED_WITHOUT, ORDERS};
use crate::faults::{once, wait_seeing};
use serde_json::json;
use stack::testing;
use std::time::Instant;

#[test]
fn partitions_of_a_killed_member_move_and_stay_paused() {
    let mut scene = Scene::on("killed-while-paused", testing::endpoints(), 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let operator = scene.operator();
    let operation = operator.pause(json!({"ttl": "10m"}));
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    let before = scene.written();

    let began = Instant::now();
    scene.consumers[1].kill().unwrap();
    let heir = scene.consumers[0].name().to_owned();
    wait_seeing("its partitions move", CONFIRMED_WITHOUT, || {
        once(operator.rows(), |rows| rows.iter().all(|row| row.instance == heir && row.observed == "PAUSED"))
    });
    assert_confirmed(&operator.until(&operation, "PAUSED", CONFIRMED_WITHOUT), 1);
    eprintln!("moved after {:.1?}", began.elapsed());
    scene.assert_still(&shoppers);

    scene.consumers[1].restart().unwrap();
    wait_seeing("both are listed again", CONFIRMED_WITHOUT, || {
        once(operator.members(), |all| all.len() == 2)
    });
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    scene.assert_still(&shoppers);
    assert_eq!(scene.written(), before, "something was written");

    scene.resume();
    shoppers.advance(ORDERS);
    scene.judge_undisturbed(&shoppers.end());
}

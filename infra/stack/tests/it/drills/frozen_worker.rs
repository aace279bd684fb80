//! Proof 5: a worker is frozen while everybody is told to pause. It is named until the coordinator has given it up, and
//! when it wakes it writes nothing, not even where it was frozen within a transaction.

use super::activity::{row_waits, transactions_that_wrote};
use super::operator::{Operator, assert_confirmed};
use super::scene::Scene;
use super::{CONFIRMED, CONFIRMED_WITHOUT, ORDERS};
use crate::faults::deployment::Deployment;
use crate::faults::shoppers::Shoppers;
use crate::faults::{SOON, once, wait_seeing};
use mysql_session::Session;
use serde_json::json;
use stack::{Endpoints, private, testing};
use std::collections::BTreeSet;
use std::time::Instant;

/// The partition that all orders pass.
const GROUP: &str = "order-projection";
/// So many looks at locks in a row must say the same: others may wait for a moment.
const LOOKS: usize = 10;
const OF_PARTITION: &str = "group_name = 'order-projection' AND partition_id = 0";

#[test]
fn a_worker_frozen_during_the_call_is_named_and_writes_nothing_when_it_wakes() {
    let mut scene = Scene::on("frozen-worker", testing::endpoints(), 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let frozen = owner(&scene);
    scene.consumers[frozen].freeze().unwrap();
    let operation = scene.operator().pause(json!({"ttl": "10m"}));
    paused_without(&scene, frozen, &operation);
    wakes(&mut scene, frozen, &operation, &shoppers);
    shoppers.advance(ORDERS);
    scene.judge_undisturbed(&shoppers.end());
}

#[test]
fn a_worker_frozen_within_a_transaction_holds_nobody_up_and_its_transaction_is_refused() {
    let mysql = private::mysql().unwrap();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let mut scene = Scene::on("frozen-transaction", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let frozen = owner(&scene);
    // It waits for its own row; then it is frozen, and then it gets the row: a transaction that nobody ends.
    let root = Session::at(mysql.port());
    let lock = Lock::take(&scene.deployment);
    waits(&root);
    scene.consumers[frozen].freeze().unwrap();
    lock.give_back();
    has_written(&root);
    let operation = scene.operator().pause(json!({"ttl": "10m"}));
    paused_without(&scene, frozen, &operation);
    wakes(&mut scene, frozen, &operation, &shoppers);
    shoppers.advance(ORDERS);
    scene.judge_undisturbed(&shoppers.end());
}

/// Which process has the orders.
fn owner(scene: &Scene) -> usize {
    let rows = scene.operator().rows();
    let row = rows.iter().find(|row| row.group == GROUP && row.partition == 0).unwrap();
    scene.consumers.iter().position(|process| process.name() == row.instance).unwrap()
}

/// PARTIAL names who is frozen; once its session has ended, the others are PAUSED without it.
fn paused_without(scene: &Scene, frozen: usize, operation: &str) {
    let (operator, name) = (scene.operator(), scene.consumers[frozen].name());
    let began = Instant::now();
    let said = operator.until(operation, "PARTIAL", CONFIRMED);
    let named = began.elapsed();
    let missing = said["missing"].as_object().unwrap();
    assert!(missing.contains_key(&format!("{name}/{GROUP}")), "{name} is not named: {said:#}");
    let said = operator.until(operation, "PAUSED", CONFIRMED_WITHOUT);
    assert_confirmed(&said, 1);
    assert!(!said.to_string().contains(name), "{said:#}");
    eprintln!("PARTIAL after {named:.1?}, PAUSED by the others after {:.1?}", began.elapsed());
}

/// Who wakes joins again, rests, and has written nothing; then all go on.
fn wakes(scene: &mut Scene, frozen: usize, operation: &str, shoppers: &Shoppers) {
    let before = scene.written();
    shoppers.advance(ORDERS);
    scene.consumers[frozen].thaw().unwrap();
    let operator: Operator = scene.operator();
    wait_seeing("it is listed again", CONFIRMED_WITHOUT, || once(operator.members(), |all| all.len() == 2));
    assert_confirmed(&operator.until_all_confirmed(operation, 2, CONFIRMED_WITHOUT), 2);
    scene.assert_still(shoppers);
    assert_eq!(scene.written(), before, "who woke has written");
    let log = std::fs::read_to_string(scene.consumers[frozen].log()).unwrap();
    let refused = log.matches("another instance claimed the partition; nothing was written").count();
    let lost = log.matches("the database is away; holding until it answers").count();
    eprintln!(
        "when it woke: {refused} transactions refused by their row, {lost} groups without their sessions"
    );
    scene.resume();
}

/// That for a while somebody waits for a row of this server.
fn waits(root: &Session) {
    let mut looks = 0;
    wait_seeing("a transaction waits for its row", SOON, || {
        let now = row_waits(root);
        looks = if now > 0 { looks + 1 } else { 0 };
        once((now, looks), |(_, looks)| *looks >= LOOKS)
    });
}

/// That one and the same transaction has written and does not end. A relay that waits for the same row may be first: then
/// MySQL ends its silent session, and it is the projection's turn.
fn has_written(root: &Session) {
    let (mut looks, mut same) = (0, BTreeSet::new());
    wait_seeing("a transaction that has written stands still", SOON, || {
        let now = transactions_that_wrote(root);
        same = if looks == 0 { now.clone() } else { &same & &now };
        looks = if same.is_empty() { 0 } else { looks + 1 };
        once((now, looks), |(_, looks)| *looks >= LOOKS)
    });
}

/// The row of the partition, locked by a session of root.
struct Lock(Session);

impl Lock {
    fn take(deployment: &Deployment) -> Self {
        let session = deployment.session();
        let sql = format!("SELECT 'locked' FROM projection_offset WHERE {OF_PARTITION} FOR UPDATE");
        assert_eq!(session.rows(&sql).unwrap(), [["locked"]]);
        Self(session)
    }

    fn give_back(self) {
        self.0.rows("COMMIT").unwrap();
    }
}

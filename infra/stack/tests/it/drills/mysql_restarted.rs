//! Proof 9: MySQL is stopped and comes back with a bigger buffer pool in the middle of the sale.

use super::k6::{self, K6};
use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED_WITHOUT, ORDERS};
use mysql_session::Session;
use serde_json::json;
use stack::private::Private;
use stack::services::MySql;
use stack::{Endpoints, private, testing};
use std::time::Instant;

const OLD_MB: u32 = 64;
const NEW_MB: u32 = 256;
const POOL: &str = "SELECT @@innodb_buffer_pool_size DIV 1048576";
/// Iterations of k6 a second: no measurement, and the machine does much else.
const RATE: u64 = 15;

#[test]
fn mysql_comes_back_with_a_bigger_buffer_pool_and_nobody_notices() {
    let mut mysql = small();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let scene = Scene::on("mysql-restarted", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let operator = scene.operator();
    let (began, wanted) = (Instant::now(), json!({"mode": "release", "ttl": "30m", "reason": "scale up"}));
    let operation = operator.pause(wanted);
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);

    mysql.stop().unwrap();
    shoppers.advance(ORDERS);
    come_back_bigger(&mut mysql);
    shoppers.advance(ORDERS);
    let first = scene.resume();
    eprintln!("away for {:.1?}, first rows {first:.1?} after the resume", began.elapsed());
    shoppers.advance(ORDERS);
    let visits = shoppers.end();
    scene.judge_undisturbed(&visits);
    scene.deployment.assert_each_called_once(visits.0.len() as u64);
}

#[test]
fn nobody_notices_it_under_the_production_scenario_of_k6_either() {
    let mut mysql = small();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let scene = Scene::seeded("mysql-restarted-k6", &endpoints);
    let mut k6 = K6::start(&scene.api, RATE);
    scene.advances();
    let operator = scene.operator();
    let operation = operator.pause(json!({"mode": "release", "ttl": "30m", "reason": "scale up"}));
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    mysql.stop().unwrap();
    come_back_bigger(&mut mysql);
    let first = scene.resume();
    scene.advances();
    assert!(k6.is_running(), "the load was over before MySQL was back");
    let summary = k6.end();
    eprintln!("{}, first rows {first:.1?} after the resume", k6::told(&summary));
    scene.judge_k6(&summary);
}

fn small() -> Private<MySql> {
    let mysql = private::mysql_with(|options| options.buffer_pool_mb = OLD_MB).unwrap();
    assert_eq!(pool_mb(&mysql), u64::from(OLD_MB));
    mysql
}

fn come_back_bigger(mysql: &mut MySql) {
    let mut launch = mysql.launch().clone();
    for arg in &mut launch.args {
        if arg.starts_with("--innodb-buffer-pool-size=") {
            *arg = format!("--innodb-buffer-pool-size={NEW_MB}M");
        }
    }
    mysql.restart_as(launch).unwrap();
    assert_eq!(pool_mb(mysql), u64::from(NEW_MB));
}

fn pool_mb(mysql: &MySql) -> u64 {
    Session::at(mysql.port()).number(POOL).unwrap()
}

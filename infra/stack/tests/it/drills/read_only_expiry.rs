//! Proof 7: a hold's time ends while MySQL takes no writes. It stays, says why, and waits for a person.

use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED, CONFIRMED_WITHOUT, ORDERS};
use crate::faults::wait_seeing;
use mysql_session::Session;
use serde_json::json;
use stack::{Endpoints, private, testing};

#[test]
fn a_hold_that_ends_while_mysql_is_read_only_stays_and_says_why() {
    let mysql = private::mysql().unwrap();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let scene = Scene::on("read-only-expiry", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let operator = scene.operator();
    let operation = operator.pause(json!({"ttl": "10m", "on_expiry": "resume_if_database_healthy"}));
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    let root = Session::at(mysql.port());
    root.rows("SET GLOBAL super_read_only = 1").unwrap();
    // Extending never shortens: a hold that is to end sooner is placed anew.
    let operation = operator.pause(json!({"ttl": "1s", "on_expiry": "resume_if_database_healthy"}));

    let why = wait_seeing("the hold is overdue", CONFIRMED + CONFIRMED, || {
        let seen = operator.consumers();
        let holds = seen["holds"].as_array().unwrap();
        assert_eq!(holds.len(), 1, "the hold is gone: {seen:#}");
        holds[0]["overdue"].as_str().map(str::to_owned).ok_or_else(|| seen["holds"].to_string())
    });
    assert_eq!(why, "the database does not take writes");
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    scene.assert_still(&shoppers);

    // That MySQL is well again resumes nothing: somebody has to say so.
    root.rows("SET GLOBAL read_only = 0").unwrap();
    scene.assert_still(&shoppers);
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    scene.resume();
    shoppers.advance(ORDERS);
    scene.judge_undisturbed(&shoppers.end());
}

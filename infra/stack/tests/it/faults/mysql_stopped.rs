//! MySQL is away: writes go on, the projections wait and catch up by themselves.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::load::Load;
use super::{SOON, wait_until};
use stack::private;
use stack::process::Process;
use stack::{Endpoints, testing};

/// Requests won while MySQL is away.
const MISSED: u64 = 1_000;
const THREADS: u64 = 4;
const COUPONS: [u64; 3] = [1, 2, 3];

#[test]
fn mysql_may_be_away_and_no_request_notices() {
    let mut mysql = private::mysql().unwrap();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("mysql-stopped", &endpoints);
    let api = deployment.patient_api();
    let consumers = deployment.consumers();
    COUPONS.iter().for_each(|&coupon| open_coupon(&api, coupon, 1_000_000));
    let load = Load::start(&Client::of(&api), &COUPONS, THREADS);
    load.advance(100);
    // Something is projected, so that the outage comes in the middle of it.
    wait_until("rows in MySQL", SOON, || deployment.number("SELECT COUNT(*) FROM user_coupons") > 0);

    mysql.stop().unwrap();
    wait_until("the consumers hold", SOON, || held(&consumers));
    load.advance(MISSED);
    assert!(held(&consumers), "who holds is not ready");
    let answered = load.won();
    mysql.restart().unwrap();
    load.advance(100);
    let history = load.end();
    assert!(history.0.len() as u64 > answered, "load went on");

    wait_until("the consumers go on", SOON, || !held(&consumers));
    history.assert_undisturbed();
    deployment.assert_clean(&api, 0);
    history.assert_kept(&deployment);
}

/// Whether `/ready` says that MySQL is away.
fn held(consumers: &Process) -> bool {
    let answer = Client::at(&consumers.admin_url()).get("/ready").unwrap();
    let reason = answer.body["reason"].as_str().unwrap_or_default();
    answer.status == 503 && reason.contains("holds")
}

//! The API dies at any moment, and clients repeat what it did not answer.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::load::Load;

/// Threads of load.
const THREADS: u64 = 6;
/// Requests answered between two kills.
const BETWEEN: u64 = 150;
const COUPONS: [u64; 3] = [1, 2, 3];
const KILLS: usize = 3;

#[test]
fn an_api_killed_under_load_loses_no_answer_it_gave_and_repeats_each_of_them() {
    let deployment = Deployment::on_the_stack("api-killed");
    let _consumers = deployment.consumers();
    let mut api = deployment.patient_api();
    COUPONS.iter().for_each(|&coupon| open_coupon(&api, coupon, 1_000_000));
    let client = Client::of(&api);
    let load = Load::start(&client, &COUPONS, THREADS);
    for _ in 0..KILLS {
        load.advance(BETWEEN);
        api.kill().unwrap();
        api.restart().unwrap();
    }
    load.advance(BETWEEN);
    let history = load.end();
    let broken = history.answers().filter(|answer| answer.is_err()).count();
    assert!(broken >= KILLS, "only {broken} requests were under way when the API died");

    deployment.assert_clean(&api, 0);
    history.assert_kept(&deployment);
    history.assert_repeatable(&client);
    // The repetitions changed nothing either.
    history.assert_kept(&deployment);
    deployment.assert_clean(&api, 0);
}

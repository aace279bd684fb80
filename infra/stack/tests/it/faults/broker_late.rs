//! Everything starts at the same moment, as after a power cut: the programs are up long before the broker answers.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::load::Load;
use stack::{Endpoints, private, testing};
use std::thread;

const COUPONS: [u64; 1] = [1];

#[test]
fn what_starts_before_the_broker_waits_for_it() {
    let mut kafka = private::kafka().unwrap();
    let endpoints = Endpoints { kafka: kafka.bootstrap(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("broker-late", &endpoints);
    kafka.kill().unwrap();
    let (api, _consumers) = thread::scope(|scope| {
        let api = scope.spawn(|| deployment.api());
        let consumers = scope.spawn(|| deployment.consumers());
        kafka.restart().unwrap();
        (api.join().unwrap(), consumers.join().unwrap())
    });
    COUPONS.iter().for_each(|&coupon| open_coupon(&api, coupon, 1_000));
    let client = Client::of(&api);
    let load = Load::start(&client, &COUPONS, 4);
    load.advance(100);
    let history = load.end();
    deployment.assert_clean(&api, 0);
    history.assert_kept(&deployment);
}

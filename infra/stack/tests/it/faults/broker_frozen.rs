//! The broker stands still: connections stay open and nothing answers.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::load::Load;
use super::{SOON, wait_until};
use stack::private;
use stack::process::Process;
use stack::{Endpoints, testing};
use std::time::{Duration, Instant};

/// The broker stands still until the API has given so many 503s.
const REFUSED: u64 = 2 * THREADS;
/// From its return until requests are won again, by itself. Seen: 2 to 7 s, most of it the broker's own: it was fenced
/// meanwhile and has to register again. The bound tells "by itself" from "never", on a loaded machine too.
const RECOVERY: Duration = Duration::from_secs(90);
/// What the API may grow by meanwhile, in KiB.
const GROWTH_KIB: u64 = 64 * 1024;
const THREADS: u64 = 24;
const COUPONS: [u64; 3] = [1, 2, 3];

#[test]
fn a_frozen_broker_costs_time_and_no_truth() {
    let mut kafka = private::kafka().unwrap();
    let endpoints = Endpoints { kafka: kafka.bootstrap(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("broker-frozen", &endpoints);
    let (mut api, patient) = (deployment.api(), deployment.patient_api());
    let _consumers = deployment.consumers();
    COUPONS.iter().for_each(|&coupon| open_coupon(&api, coupon, 1_000_000));
    let client = Client::of(&api);
    let load = Load::start(&client, &COUPONS, THREADS);
    let beside = Load::numbered(&Client::of(&patient), &COUPONS, THREADS + 1..=THREADS + 4);
    load.advance(500);
    beside.advance(20);
    let before = resident_kib(&mut api);

    kafka.freeze().unwrap();
    wait_until("somebody waits no longer", SOON, || refusals(&api) > 0);
    assert_eq!(refusals(&patient), 0, "who was told to wait longer does");
    wait_until("nobody waits any longer", SOON, || refusals(&api) >= REFUSED);
    let frozen = resident_kib(&mut api);
    kafka.thaw().unwrap();
    let thawed = Instant::now();
    load.advance(THREADS);
    let recovered = thawed.elapsed();
    load.advance(500);
    beside.advance(20);
    let mut history = load.end();
    history.0.extend(beside.end().0);

    assert!(recovered < RECOVERY, "{recovered:?} until requests were won again");
    assert!(frozen < before + GROWTH_KIB, "the API grew from {before} to {frozen} KiB");
    let mut refused = 0;
    for answer in history.answers() {
        let answer = answer.as_ref().expect("every attempt gets an answer");
        assert!(matches!(answer.status, 201 | 202 | 503), "{answer:?}");
        assert_eq!(answer.retry_after, answer.status == 503, "{answer:?}");
        refused += usize::from(answer.status == 503);
    }
    assert!(refused > 0, "nobody noticed the frozen broker");
    deployment.assert_clean(&api, 0);
    history.assert_kept(&deployment);
    history.assert_repeatable(&client);
}

/// 503s of an API process so far.
fn refusals(api: &Process) -> u64 {
    let answer = stack::http::get_within(&format!("{}/metrics", api.admin_url()), SOON).unwrap();
    let counts = answer
        .body
        .lines()
        .filter(|line| line.starts_with("tidemark_http_requests_total{") && line.contains("status=\"503\""));
    counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// Memory of a process, in KiB.
fn resident_kib(process: &mut Process) -> u64 {
    let pid = process.pid().expect("the API runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

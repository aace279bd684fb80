//! Proof 11: a backlog is drained step by step, and people who shop meanwhile are answered in time. How much longer they
//! wait than while nothing is drained is measured by `cargo stack bench drain`, on optimised programs: here a machine that
//! stands still for a quarter of a second would decide it.

use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED, CONFIRMED_WITHOUT, ORDERS};
use crate::faults::deployment::Deployment;
use crate::faults::wait_until;
use serde_json::json;
use stack::testing;
use std::time::{Duration, Instant};

/// Claims of the backlog; another number for runs by hand.
const BACKLOG: &str = "TIDEMARK_RAMP_BACKLOG";
const CLAIMS: u64 = 20_000;
/// Small ones, so that a step is more than one transaction of each partition.
const BATCH_RECORDS: &str = "64";
/// How long a step lasts.
const STEP: Duration = Duration::from_secs(3);
/// Orders that the p99 is taken of, at least.
const MEASURED: u64 = 150;
/// What 99 of 100 requests must stay below, whatever is drained.
const IN_TIME: Duration = Duration::from_secs(1);
/// How long the backlog may take.
const DRAINED: Duration = Duration::from_secs(600);

#[test]
fn a_backlog_is_drained_in_steps_and_shoppers_are_answered_in_time() {
    let claims = std::env::var(BACKLOG).map_or(CLAIMS, |claims| claims.parse().unwrap());
    let deployment = Deployment::on("ramp", testing::endpoints());
    let scene = Scene::with(deployment, 2, &[("BATCH_RECORDS", BATCH_RECORDS)]);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    let usual = shoppers.end();
    let shoppers = scene.shoppers(2);
    shoppers.advance(MEASURED);
    let before = p99(&shoppers.end().latencies());
    let operator = scene.operator();
    let operation = operator.pause(json!({"ttl": "30m"}));
    assert_confirmed(&operator.until_all_confirmed(&operation, 2, CONFIRMED_WITHOUT), 2);
    let appended = scene.deployment.tool(&["backlog", "--claims", &claims.to_string()], &[]);
    assert!(appended.status.success(), "{}", String::from_utf8_lossy(&appended.stderr));
    // Whoever is answered now finds an API that has taken the backlog in.
    let shoppers = scene.shoppers(3);
    shoppers.advance(ORDERS);
    shoppers.end().assert_undisturbed();
    usual.assert_undisturbed();

    let shoppers = scene.shoppers(4);
    let ramp = json!({"start_percent": 10, "step_percent": 30, "every": format!("{}s", STEP.as_secs())});
    let rates = drain(&scene, claims, || operator.resume(json!({"ramp": ramp})));
    shoppers.advance(1);
    let visits = shoppers.end();
    let during = p99(&visits.latencies());
    eprintln!(
        "{claims} claims in steps of {STEP:?}: {rates:.0?} offsets/s; p99 {before:.1?}, then {during:.1?}"
    );
    visits.assert_undisturbed();
    let fastest = rates.iter().skip(1).copied().fold(0.0, f64::max);
    assert!(rates.len() >= 2 && fastest >= 2.0 * rates[0], "no steps are to be seen: {rates:?}");
    assert!(during <= IN_TIME, "p99 {before:?} before, {during:?} while the backlog was drained");
    scene.deployment.assert_clean(&scene.api, 0);
}

/// Lets a backlog flow; returns the pace within each step until it was gone.
fn drain(scene: &Scene, claims: u64, resume: impl FnOnce() -> String) -> Vec<f64> {
    let claimed = || scene.deployment.number("SELECT COUNT(*) FROM user_coupons WHERE coupon_id <= 8");
    let began = Instant::now();
    let operation = resume();
    let (mut rates, mut at, mut since) = (Vec::new(), 0, Instant::now());
    wait_until("the backlog is drained", DRAINED, || {
        let now = claimed();
        let is_over = now >= claims;
        if is_over || began.elapsed() >= STEP * (rates.len() as u32 + 1) {
            rates.push((now - at) as f64 / since.elapsed().as_secs_f64());
            (at, since) = (now, Instant::now());
        }
        is_over
    });
    scene.operator().until(&operation, "RUNNING", CONFIRMED);
    rates
}

fn p99(sorted: &[Duration]) -> Duration {
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted[rank.max(1) - 1]
}

//! The projections' process dies at any moment: between a transaction and Kafka's offset, within either, at its start.

use super::at_some_moment;
use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::load::Load;
use rand::{SeedableRng, rngs::StdRng};

const KILLS: usize = 20;
/// The longest life of a process after it was ready, in ms: some die before their first transaction, which on a busy
/// machine comes a second after.
const LONGEST_LIFE_MS: u64 = 2_500;
const THREADS: u64 = 4;
const COUPONS: [u64; 3] = [1, 2, 3];
/// Lives in which MySQL must have moved on; else the kills hit nothing.
const ACTIVE_LIVES: usize = 5;
const PLACES: &str = "SELECT COALESCE(SUM(next_offset), 0) FROM projection_offset";

#[test]
fn consumers_killed_at_random_skip_nothing_and_apply_nothing_twice() {
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let deployment = Deployment::on_the_stack("consumers-killed");
    let api = deployment.patient_api();
    let mut consumers = deployment.consumers();
    COUPONS.iter().for_each(|&coupon| open_coupon(&api, coupon, 1_000_000));
    let load = Load::start(&Client::of(&api), &COUPONS, THREADS);
    let (mut place, mut active) = (0, 0);
    for _ in 0..KILLS {
        at_some_moment(&mut random, 0..LONGEST_LIFE_MS);
        consumers.kill().unwrap();
        let now = deployment.number(PLACES);
        active += usize::from(now > place);
        place = now;
        consumers.restart().unwrap();
    }
    assert!(active >= ACTIVE_LIVES, "seed {seed}: MySQL moved on in {active} lives only");
    let history = load.end();
    history.assert_undisturbed();
    deployment.assert_clean(&api, 0);
    history.assert_kept(&deployment);
}

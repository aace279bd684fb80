//! The broker's folder is replaced by an older copy, and the log grows past the old end with other records.
//! Kafka itself tells nobody (measured), so whoever reads on would mix two histories.

use super::client::{Client, open_coupon};
use super::deployment::Deployment;
use super::{SOON, once, raw_log, wait_seeing, wait_until};
use stack::daemon::{Launch, Ready};
use stack::process::Process;
use stack::proxy::Mode;
use stack::{Endpoints, private, testing};
use std::path::Path;
use std::process::Command;

const COUPON: u64 = 1;
const KEPT: u64 = 10;
const LOST: u64 = 10;
const REGROWN: u64 = 40;
/// What the consumers say of a log that is not theirs.
const ANOTHER: &str = "the last applied record is another one in this log";

#[test]
fn a_log_that_was_replaced_and_regrew_stops_whoever_knew_the_old_one() {
    let (mut kafka, proxy) = private::kafka_behind_proxy().unwrap();
    let endpoints = Endpoints { kafka: kafka.bootstrap(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("log-replaced", &endpoints);
    let (behind, direct) = (proxy.addr().to_string(), kafka.bootstrap());
    let mut api = deployment.api_at(&behind);
    let mut consumers = deployment.consumers_at(&behind);
    open_coupon(&api, COUPON, 1_000);
    claim(&api, 1, KEPT);
    // Asked of the log: a claim that had to be repeated stands there twice.
    let end = || raw_log::end(&direct, &deployment.topic("coupon"), 0);
    let kept = end();
    wait_seeing("MySQL follows", SOON, || once(deployment.place("coupon", 0), |place| *place == kept));

    // A copy, and a restart that is none of anybody's business.
    kafka.stop().unwrap();
    let folder = kafka.folder().join("data/kafka-of-1");
    let older = kafka.folder().join("older");
    run("cp", &["-a".as_ref(), &folder, &older]);
    kafka.restart().unwrap();
    claim(&api, 101, LOST);
    let known = end();
    wait_seeing("MySQL follows", SOON, || once(deployment.place("coupon", 0), |place| *place == known));
    assert!(api.is_alive() && consumers.is_alive(), "a restart of the broker is no fault");

    kafka.kill().unwrap();
    run("rm", &["-r".as_ref(), &folder]);
    run("mv", &[&older, &folder]);
    // Nobody sees the log until it has outgrown what they know.
    proxy.set(Mode::Refuse).unwrap();
    proxy.cut();
    kafka.restart().unwrap();
    assert_eq!(end(), kept);
    let other = deployment.api_at(&direct);
    claim(&other, 1_001, REGROWN);
    assert!(end() > known);
    assert!(api.is_alive() && consumers.is_alive(), "nobody can know yet");
    proxy.set(Mode::Pass).unwrap();

    ends(&mut api, &["is not the log that this process has folded"]);
    // The copy also holds an older membership, which may fence the process before its next record comes.
    ends(&mut consumers, &[ANOTHER, "FencedInstanceId"]);
    let launch = Launch { ready: Ready::Running, ..consumers.launch().clone() };
    consumers.restart_as(launch).unwrap();
    ends(&mut consumers, &[ANOTHER]);
    assert_eq!(deployment.place("coupon", 0), known, "nothing of the other history");
    let rows = "SELECT COUNT(*) FROM user_coupons WHERE user_id > 1000";
    assert_eq!(deployment.number(rows), 0, "nothing of the other history");
}

fn claim(api: &Process, first_user: u64, count: u64) {
    let client = Client::of(api);
    for user in first_user..first_user + count {
        let answered = || client.claim(COUPON, user, "k").unwrap();
        wait_seeing("a claim is won", SOON, || once(answered(), |answer| answer.status == 201));
    }
}

/// Waits until the process has ended by itself, with an error (`Error:` is the runtime's word for exit code 1).
fn ends(process: &mut Process, reasons: &[&str]) {
    wait_until(&format!("{} ends", process.name()), SOON, || !process.is_alive());
    let log = std::fs::read_to_string(process.log()).unwrap();
    let last = log.lines().rfind(|line| line.starts_with("Error: "));
    let expected = last.is_some_and(|line| reasons.iter().any(|reason| line.contains(reason)));
    assert!(expected, "{}: {last:?}", process.name());
}

fn run(program: &str, args: &[&Path]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}

//! Proof 10: the system moves to another MySQL in the middle of the sale, by one command, and back; and where that fails,
//! it runs on where it was.

use super::ORDERS;
use super::k6::{self, K6};
use super::operator::Row;
use super::scene::Scene;
use crate::command_line;
use crate::faults::deployment::ADMIN_TOKEN;
use crate::faults::{SOON, once, wait_seeing, wait_until};
use mysql_session::Session;
use serde_json::Value;
use stack::services::MySql;
use stack::{Endpoints, cache::Cache, install, private, testing};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Iterations of k6 a second: no measurement, and the machine does much else.
const RATE: u64 = 15;
/// How long a command may take that has to go back.
const PATIENCE: Duration = Duration::from_secs(240);
const PASSED: &str = "SELECT COALESCE(SUM(next_offset), 0) FROM projection_offset";

#[test]
fn a_server_that_lacks_the_last_transactions_takes_over_and_nothing_is_applied_twice() {
    let (mut old, new) = (private::mysql().unwrap(), private::mysql().unwrap());
    let endpoints = Endpoints { mysql: old.url(), ..testing::endpoints().clone() };
    let mut scene = Scene::on("cutover", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    copy(&old, &new, scene.deployment.database());
    shoppers.advance(ORDERS);
    let passed = format!("USE {}; {PASSED}", scene.deployment.database());
    let there = root(&new).number(&passed).unwrap();
    assert!(0 < there && there < scene.passed(), "{there} of {}", scene.passed());

    let to = scene.deployment.address_on(new.port());
    let began = Instant::now();
    let said = tidemark(&scene, &["cutover", "--to", &to, "--reason", "scale up", "--ramp", "20,40,1s"]);
    eprintln!("{}moved within {:.1?}", String::from_utf8_lossy(&said.stdout), began.elapsed());
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    scene.deployment.moves_to(new.port());
    shoppers.advance(ORDERS);
    old.kill().unwrap();
    shoppers.advance(ORDERS);
    let visits = shoppers.end();
    scene.judge_undisturbed(&visits);
    scene.deployment.assert_each_called_once(visits.0.len() as u64);
}

#[test]
fn nobody_notices_a_cutover_there_and_back_under_the_production_scenario_of_k6() {
    let (old, new) = (private::mysql().unwrap(), private::mysql().unwrap());
    let endpoints = Endpoints { mysql: old.url(), ..testing::endpoints().clone() };
    let mut scene = Scene::seeded("cutover-k6", &endpoints);
    root(&new).rows(&format!("CREATE DATABASE {}", scene.deployment.database())).unwrap();
    let mut k6 = K6::start(&scene.api, RATE);
    scene.advances();

    let to = scene.deployment.address_on(new.port());
    for (args, server) in [(["--to", to.as_str()].as_slice(), &new), (["--back"].as_slice(), &old)] {
        let said = tidemark(&scene, &[&["cutover", "--reason", "a drill"], args].concat());
        eprintln!("{}", String::from_utf8_lossy(&said.stdout));
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        scene.deployment.moves_to(server.port());
        scene.advances();
    }
    assert!(k6.is_running(), "the load was over before the way back was");
    let summary = k6.end();
    eprintln!("{}", k6::told(&summary));
    scene.judge_k6(&summary);
}

#[test]
fn a_cutover_that_fails_leaves_the_old_server_in_charge() {
    let (old, mut new) = (private::mysql().unwrap(), private::mysql().unwrap());
    let endpoints = Endpoints { mysql: old.url(), ..testing::endpoints().clone() };
    let scene = Scene::on("cutover-fails", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    copy(&old, &new, scene.deployment.database());
    let to = scene.deployment.address_on(new.port());
    let args = ["cutover", "--to", &to, "--reason", "a drill", "--timeout", "20s"];

    // It never takes writes.
    root(&new).rows("SET GLOBAL read_only = ON").unwrap();
    let said = tidemark(&scene, &args);
    assert_on_the_old_one(&scene, &said, "read-only");
    root(&new).rows("SET GLOBAL read_only = OFF").unwrap();
    shoppers.advance(ORDERS);

    // It dies while all writers rest and wait for it.
    let waiting = spawn(&scene, &[&args[..], &["--wait", "60s"]].concat());
    let rows = || scene.operator().rows();
    wait_seeing("all rest", SOON, || once(rows(), |rows| rows.iter().all(|row| row.observed == "PAUSED")));
    new.kill().unwrap();
    shoppers.advance(ORDERS);
    let said = end(waiting);
    assert_on_the_old_one(&scene, &said, "");
    new.restart().unwrap();
    shoppers.advance(ORDERS);

    // It is frozen as soon as it counts.
    let moving = spawn(&scene, &args);
    wait_seeing("it counts", SOON, || once(counts(&scene), |counts| *counts == to));
    new.freeze().unwrap();
    shoppers.advance(ORDERS);
    let said = end(moving);
    assert_on_the_old_one(&scene, &said, "");
    new.thaw().unwrap();
    shoppers.advance(ORDERS);
    let visits = shoppers.end();
    scene.judge_undisturbed(&visits);
}

#[test]
fn a_server_that_is_gone_for_good_is_left_for_an_empty_one_also_by_workers_that_have_started_since() {
    let (mut old, new) = (private::mysql().unwrap(), private::mysql().unwrap());
    let endpoints = Endpoints { mysql: old.url(), ..testing::endpoints().clone() };
    let mut scene = Scene::on("cutover-gone", &endpoints, 2);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    root(&new).rows(&format!("CREATE DATABASE {}", scene.deployment.database())).unwrap();
    old.kill().unwrap();
    shoppers.advance(ORDERS);
    // What people do when MySQL is down. It has never claimed what it is given now.
    scene.consumers[0].kill().unwrap();
    scene.consumers[0].restart().unwrap();
    shoppers.advance(ORDERS);

    let to = scene.deployment.address_on(new.port());
    let args = ["cutover", "--to", &to, "--reason", "a dead disk", "--timeout", "60s"];
    let said = tidemark(&scene, &args);
    assert_eq!(said.status.code(), Some(1), "without a word on the old one: {said:?}");
    let said = tidemark(&scene, &[&args[..], &["--old-is-gone"]].concat());
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    eprintln!("{out}");
    assert!(said.status.success(), "{out}{err}");
    scene.deployment.moves_to(new.port());
    shoppers.advance(ORDERS);
    let visits = shoppers.end();
    scene.judge_undisturbed(&visits);
}

/// That everything flows to the old server, and that the command said so.
fn assert_on_the_old_one(scene: &Scene, said: &Output, why: &str) {
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    eprintln!("{out}{err}");
    assert_eq!(said.status.code(), Some(1), "{out}{err}");
    assert!(err.contains(why), "{err}");
    assert_eq!(counts(scene), scene.deployment.address_on(port_of(scene)), "{out}{err}");
    wait_seeing("all partitions flow", SOON, || {
        let flow = |row: &Row| row.desired == "RUNNING" && row.observed == "RUNNING";
        once(scene.operator().rows(), |rows| rows.iter().all(flow))
    });
    scene.advances();
}

fn port_of(scene: &Scene) -> u16 {
    let (server, _) = scene.deployment.setting("DATABASE_URL").rsplit_once('/').unwrap();
    server.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The server that counts, by the API's word.
fn counts(scene: &Scene) -> String {
    let said: Value = scene.operator().database();
    said["address"].as_str().unwrap().to_owned()
}

fn root(server: &MySql) -> Session {
    Session::at(server.port())
}

/// A copy of a database as it is at one moment.
fn copy(from: &MySql, to: &MySql, database: &str) {
    let programs = install::mysql(&Cache::open().unwrap()).unwrap().bin;
    let client = |program: &str, server: &MySql| {
        let mut client = Command::new(programs.join(program));
        client.args(["-uroot", "-h127.0.0.1", &format!("-P{}", server.port())]);
        client
    };
    let mut dump = client("mysqldump", from);
    dump.args(["--single-transaction", "--set-gtid-purged=OFF", "--databases", database]);
    let mut dump = dump.stdout(Stdio::piped()).spawn().unwrap();
    let loaded = client("mysql", to).stdin(dump.stdout.take().unwrap()).status().unwrap();
    assert!(loaded.success() && dump.wait().unwrap().success(), "the copy was not made");
}

/// The operators' command line, asking the consumers.
fn spawn(scene: &Scene, args: &[&str]) -> Child {
    let urls = command_line::urls(scene.consumers.iter().map(|process| &**process));
    command_line::tidemark(&urls, ADMIN_TOKEN)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn tidemark(scene: &Scene, args: &[&str]) -> Output {
    end(spawn(scene, args))
}

/// What a command said until its end, which must come.
fn end(mut command: Child) -> Output {
    wait_until("the command ends", PATIENCE, || command.try_wait().unwrap().is_some());
    command.wait_with_output().unwrap()
}

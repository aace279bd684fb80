//! `tidemark`, the operators' command line, against real processes: what it prints, what it answers with its exit code.
//!
//! The binaries must be built: `cargo build --workspace`.

use crate::command_line;
use crate::faults::client::{Client, list_product, open_coupon};
use crate::faults::deployment::{ADMIN_TOKEN, Deployment};
use crate::faults::{SOON, once, raw_log, wait_seeing};
use serde_json::Value;
use stack::platform::Mode;
use stack::ports::lease;
use stack::process::Process;

/// Lies in partition 0 of `coupon`.
const COUPON: u64 = 1;
/// Framed as ours, schema id 999.
const UNKNOWN: &[u8] = &[0, 0, 0, 0x03, 0xe7, 1, 2, 3];
/// All attempts at a dispatch within two seconds.
const QUICKLY: (&str, &str) = ("PLATFORM_RETRY_SCALE", "0.00001");
/// Exit codes: see `tidemark --help`.
const DONE: i32 = 0;
const REFUSED: i32 = 1;
const UNCONFIRMED: i32 = 3;

/// An operator at a terminal.
struct Operator {
    urls: String,
    token: &'static str,
}

/// What a command came to.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Operator {
    fn of(processes: &[&Process]) -> Self {
        Self { urls: command_line::urls(processes.iter().copied()), token: ADMIN_TOKEN }
    }

    fn says(&self, line: &str) -> Said {
        self.runs(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn runs(&self, words: &[&str]) -> Said {
        let mut command = command_line::tidemark(&self.urls, self.token);
        let output = command.args(words).args(["--actor", "a-test"]).output().unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A command that must be done.
    fn does(&self, line: &str) -> String {
        let said = self.says(line);
        assert_eq!(said.code, DONE, "{line}: {said:?}");
        said.out
    }

    /// As [`Operator::does`], as the processes themselves put it.
    fn reads(&self, line: &str) -> Value {
        serde_json::from_str(&self.does(&format!("{line} --json"))).unwrap()
    }

    /// A command that must be refused, with that code.
    fn is_refused(&self, line: &str, code: &str) {
        let said = self.says(line);
        assert_eq!(said.code, REFUSED, "{line}: {said:?}");
        assert!(said.out.is_empty() && said.err.contains(code) && said.err.contains("\nnext: "), "{said:?}");
    }
}

/// What an admin listener says, asked without the command line: for waits.
fn told(process: &Process, path: &str) -> Value {
    let answer = Client::at(&process.admin_url()).get_as_operator(path).unwrap();
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// Waits until all of these report and are members, and until the command line calls that ok; of the latter one look is
/// enough, unless the machine stands still between the two.
fn all_report(operator: &Operator, processes: &[&Process]) {
    wait_seeing("all instances report", SOON, || {
        once(told(processes[0], "/admin/consumers"), |seen| {
            let groups = seen["groups"].as_object().unwrap();
            let is_listed = |name: &str| {
                let mut members = groups.values().filter_map(|group| group["members"].as_array());
                members.any(|members| members.iter().any(|member| member == name))
            };
            let reports = seen["instances"].as_array().unwrap();
            let has_reported = |name: &str| reports.iter().any(|report| report["instance"] == name);
            processes.iter().all(|process| has_reported(instance(process)) && is_listed(instance(process)))
        })
    });
    wait_seeing("the command line calls them ok", SOON, || {
        once(operator.does("status"), |status| status.matches("  ok\n").count() == processes.len())
    });
}

/// Waits until so much is projected.
fn projected(deployment: &Deployment, pieces: u64) {
    wait_seeing("the pieces are projected", SOON, || once(rows(deployment), |rows| *rows == pieces));
}

fn rows(deployment: &Deployment) -> u64 {
    deployment.number("SELECT COUNT(*) FROM user_coupons")
}

fn instance(process: &Process) -> &str {
    process.launch().name.as_str()
}

#[test]
fn an_operator_pauses_everybody_and_can_trust_each_answer() {
    let deployment = Deployment::on_the_stack("operators");
    let api = deployment.patient_api();
    let audit = [("API_ADMIN_URLS", api.admin_url())];
    let audit: Vec<(&str, &str)> = audit.iter().map(|(name, url)| (*name, url.as_str())).collect();
    let (one, two) = (deployment.consumers_with(&audit), deployment.consumers_with(&audit));
    open_coupon(&api, COUPON, 1_000);
    let client = Client::of(&api);
    let away = lease().unwrap();
    let mut operator = Operator::of(&[&one, &two, &api]);
    // Whoever is named first need not live.
    operator.urls = format!("http://127.0.0.1:{},{}", away.port(), operator.urls);

    all_report(&operator, &[&one, &two]);
    assert!(operator.does("status").contains("nothing is held"));
    operator.is_refused("resume", "409 NOT_HELD");
    operator.is_refused("pause --group nobody --reason r", "404 UNKNOWN_GROUP");
    operator.is_refused("pause --all --reason r --ttl 31days", "400 INVALID_REQUEST");

    let paused = operator.does("pause --topic coupon --mode release --ttl 45m --reason a-test");
    assert!(paused.contains("PAUSED: all 2 confirmed after "), "{paused}");
    assert!(paused.contains(instance(&one)) && paused.contains(instance(&two)), "{paused}");
    for user in 1..=20 {
        assert_eq!(client.claim(COUPON, user, "while paused").unwrap().status, 201);
    }
    let status = operator.does("status");
    assert!(status.contains("operator  topic:coupon  release"), "{status}");
    assert!(status.contains("resume if database healthy  a-test  a-test"), "{status}");
    assert!(!status.contains("NOT CONFIRMED"), "{status}");
    let seen = operator.reads("status");
    let rows_of = &seen["consumers"]["groups"]["coupon-projection"]["partitions"];
    let lag: u64 = rows_of.as_array().unwrap().iter().filter_map(|row| row["lag_records"].as_u64()).sum();
    assert_eq!((lag, rows(&deployment)), (20, 0), "{seen:#}");
    let silent = format!("http://127.0.0.1:{}", away.port());
    assert!(status.contains("  writer/coupon-projection  "), "{status}");
    assert!(status.contains(&format!("pools of {silent}: not known (")), "{status}");
    assert_eq!(seen["pools"].as_array().unwrap().len(), 3, "{seen:#}");
    assert!(seen["notKnown"]["pools"][&silent].is_string(), "{seen:#}");

    assert!(operator.does("extend --ttl 30m").contains("DONE: operator holds until "));
    operator.is_refused("resume --holder deploy", "409 NOT_HELD");
    let operations = operator.reads("operations");
    let kinds: Vec<&Value> =
        operations["operations"].as_array().unwrap().iter().map(|operation| &operation["kind"]).collect();
    assert_eq!(kinds, ["extend", "pause"]);
    let resumed = operator.does("resume --ramp 50,50,100ms");
    assert!(resumed.contains("RUNNING: all 2 confirmed after "), "{resumed}");
    projected(&deployment, 20);
    assert!(operator.does("audit").trim_end().ends_with("clean"));
    let stranger = Operator { urls: operator.urls.clone(), token: "another" };
    stranger.is_refused("status", "401 UNAUTHENTICATED");
    deployment.assert_clean(&api, 0);
}

#[test]
fn a_frozen_instance_is_named_and_its_pause_is_not_called_done() {
    let deployment = Deployment::on_the_stack("operators-frozen");
    let (mut one, two) = (deployment.consumers(), deployment.consumers());
    // The frozen one is asked first, and does not keep anybody waiting.
    let operator = Operator::of(&[&one, &two]);
    all_report(&operator, &[&one, &two]);
    one.freeze().unwrap();
    let said = operator.says("pause --all --reason a-test --timeout 4s");
    assert_eq!(said.code, UNCONFIRMED, "{said:?}");
    assert!(said.out.contains("PARTIAL: 4 confirmed"), "{said:?}");
    let named = format!("  {}/coupon-projection: it has not heard of it yet", instance(&one));
    assert!(said.err.contains(&named), "{said:?}");
    let status = operator.does("status");
    assert!(status.contains("NOT CONFIRMED") && status.contains(&named), "{status}");
    one.thaw().unwrap();
    let newest = operator.reads("operations --limit 1")["operations"][0]["id"].clone();
    let line = format!("operations {} --wait 60s", newest.as_str().unwrap());
    assert!(operator.does(&line).contains("PAUSED: all "), "{line}");
    operator.does("resume");
}

/// The number of the operation that a command was.
fn operation(said: &str) -> String {
    said.lines().next().unwrap().strip_prefix("operation ").unwrap().to_owned()
}

#[test]
fn a_pause_that_replaces_another_one_says_what_that_was() {
    let deployment = Deployment::on_the_stack("operators-replaced");
    let consumers = deployment.consumers();
    let operator = Operator::of(&[&consumers]);
    all_report(&operator, &[&consumers]);
    let first = operator.does("pause --topic coupon --mode release --ttl 45m --reason the-first");
    assert!(!first.contains("REPLACES"), "{first}");
    let first = operation(&first);
    let second = operator.does("pause --topic coupon --reason the-second");
    let head = format!("REPLACES the hold of operation {first}\n  operator/topic:coupon: release until ");
    assert!(second.contains(&head) && second.contains("), by a-test: the-first\n"), "{second}");
    let replaced = operator.does(&format!("operations {first}"));
    assert!(replaced.contains("\nREPLACED"), "{replaced}");

    let third = operator.reads("pause --topic coupon --mode hold --reason the-third");
    assert_eq!(third["replaces"][0], operation(&second), "{third:#}");
    let before = &third["replaced"][0];
    assert_eq!((&before["mode"], &before["reason"]), (&"drain".into(), &"the-second".into()), "{third:#}");
    assert!(before["expires_at_ms"].is_null() && third["state"] == "PAUSED", "{third:#}");
    let fourth = operator.reads("pause --topic coupon --reason the-fourth --no-wait");
    assert_eq!(fourth["replaced"][0]["mode"], "hold", "{fourth:#}");
    let elsewhere = operator.reads("pause --topic order --reason another");
    assert_eq!(elsewhere["replaced"], Value::Array(Vec::new()), "{elsewhere:#}");
    operator.does("resume");
}

#[test]
fn a_cutover_ends_no_hold_that_was_placed_by_hand() {
    let deployment = Deployment::on_the_stack("operators-by-hand");
    let consumers = deployment.consumers();
    let operator = Operator::of(&[&consumers]);
    all_report(&operator, &[&consumers]);
    let held = || operator.reads("status")["consumers"]["holds"].as_array().unwrap().clone();
    operator.does("pause --group signup-projection --holder cutover --reason another-scope");
    operator.does("pause --all --mode release --holder cutover --reason mending");
    let here = operator.reads("status")["database"]["address"].as_str().unwrap().to_owned();
    for to in [here.as_str(), "mysql://127.0.0.1:1/a_typo"] {
        let said = operator.says(&format!("cutover --to {to} --reason r --no-audit"));
        assert_eq!(said.code, REFUSED, "{said:?}");
        assert!(said.err.contains("a-test holds everything by hand"), "{said:?}");
        assert!(said.err.contains("\"mending\"\nnext: "), "{said:?}");
        assert_eq!(held().len(), 2, "{said:?}");
    }

    // As one leaves it that died after the switch.
    let reason = format!("to {here}: a drill");
    let said =
        operator.runs(&["pause", "--all", "--mode", "release", "--holder", "cutover", "--reason", &reason]);
    assert_eq!(said.code, DONE, "{said:?}");
    let said = operator.does(&format!("cutover --to {here} --reason r --no-audit"));
    assert!(said.contains("DONE: it runs on "), "{said}");
    let left = held();
    assert!(left.len() == 1 && left[0]["scope"] == "group:signup-projection", "{left:?}");
    operator.does("resume --holder cutover");
}

#[test]
fn dead_letters_are_listed_and_a_foreign_record_is_passed_over_by_everybody() {
    let deployment = Deployment::on_the_stack("operators-letters");
    let (api, consumers) = (deployment.patient_api(), deployment.consumers());
    let operator = Operator::of(&[&consumers, &api]);
    let (kafka, topic) = (deployment.setting("KAFKA"), deployment.topic("coupon"));
    let garbage = raw_log::append(kafka, &topic, 0, b"garbage \x1b[2J");
    let offset = raw_log::append(kafka, &topic, 0, UNKNOWN);
    wait_seeing("the partition stops", SOON, || {
        let groups = told(&consumers, "/admin/consumers")["groups"].clone();
        once(groups["coupon-projection"]["partitions"][0].clone(), |row| row["observed"] == "STOPPED")
    });
    let status = operator.does("status");
    assert!(status.contains("STOPPED\n"), "{status}");
    assert!(status.contains(&format!("coupon/0: at offset {offset}: schema id 999")), "{status}");
    let advice = format!("tidemark skip --topic coupon --partition 0 --offset {offset} --reason");
    assert!(status.contains(&advice), "{status}");
    let place = format!("coupon/0/{garbage}");
    assert!(operator.does("dead-letters list").contains(&place));
    let shown = operator.does(&format!("dead-letters show {place}"));
    assert!(shown.contains("67 61 72 62 61 67 65 20 1b") && shown.contains("garbage .[2J"), "{shown}");
    operator.is_refused("dead-letters show coupon/0/999", "404 UNKNOWN_DEAD_LETTER");

    let skip = |offset: u64| format!("skip --topic coupon --partition 0 --offset {offset} --reason a-test");
    operator.is_refused(&skip(garbage), "409 NOT_STOPPED_THERE");
    operator.does(&skip(offset));
    // Recorded is not obeyed yet.
    let stopped_at_api = || Client::at(&api.admin_url()).get("/health").unwrap().body["stopped"].clone();
    let none = || once(stopped_at_api(), |stopped| *stopped == Value::Array(Vec::new()));
    wait_seeing("the API flows again", SOON, none);
    open_coupon(&api, COUPON, 10);
    assert_eq!(Client::of(&api).claim(COUPON, 1, "after").unwrap().status, 201);
    projected(&deployment, 1);
    assert!(!operator.does("status").contains("STOPPED"));
}

#[test]
fn pools_are_tuned_while_they_work_and_set_back() {
    let deployment = Deployment::on_the_stack("operators-pools");
    let (api, consumers) = (deployment.patient_api(), deployment.consumers());
    let operator = Operator::of(&[&consumers]);
    let most = || operator.reads("pools")[0]["said"]["pools"][0]["max"].clone();
    let before = most();
    operator.does("tune pool writer --max 3 --acquire-timeout 1500ms --reason a-test");
    let is_set = || told(&consumers, "/admin/pools")["pools"][0]["max"].clone();
    wait_seeing("the pool is smaller", SOON, || once(is_set(), |max| *max == 3));
    assert_eq!(most(), 3);
    assert!(operator.does("pools").contains("1.5s"));
    operator.does("tune pool writer --reset --reason a-test");
    wait_seeing("the pool is as configured", SOON, || once(is_set(), |max| *max == before));
    assert_eq!(most(), before);
    operator.is_refused("tune pool writer --max 0 --reason a-test", "400 INVALID_REQUEST");
    operator.is_refused("tune group nobody --batch-records 1 --reason a-test", "404 UNKNOWN_GROUP");
    let of_api = Operator::of(&[&consumers, &api]);
    assert!(of_api.does("rules activate --version 1").starts_with("DONE: version 1"));
    of_api.is_refused("rules activate --version 99", "409 RULES_UNSUPPORTED");
    operator.is_refused("rules activate --version 1", "404 NOT_SERVED");
}

#[test]
fn a_dispatch_that_failed_is_told_again_and_its_end_is_awaited() {
    let deployment = Deployment::on_the_stack("operators-redrive");
    let (api, consumers) = (deployment.patient_api(), deployment.consumers_with(&[QUICKLY]));
    let operator = Operator::of(&[&api, &consumers]);
    let option = list_product(&api, 1, 100)[0];
    let client = Client::of(&api);
    let user = client.sign_up("0123456789abcdef0123456789abcdef").unwrap().id("userId");
    deployment.partner().set_mode(Mode::Refusal { status: 400 }).unwrap();
    let order = client.order(user, option, "an order").unwrap().id("orderId");
    assert_eq!(client.pay(order, user, None, "a payment").unwrap().status, 201);
    wait_seeing("the dispatch is given up", SOON, || {
        let failed = told(&consumers, "/admin/dispatches?state=FAILED&limit=20")["dispatches"].clone();
        once(failed, |failed| failed.as_array().unwrap().iter().any(|dispatch| dispatch["orderId"] == order))
    });
    let listed = operator.does("dead-letters list");
    assert!(listed.contains("FAILED"), "{listed}");
    assert!(operator.does("status").contains("dispatches: 1 FAILED"));
    let said = operator.says(&format!("dead-letters redrive {order}"));
    assert_eq!(said.code, REFUSED, "{said:?}");
    assert!(said.out.contains(&format!("{order}: FAILED again: HTTP 400")), "{said:?}");
    deployment.partner().set_mode(Mode::Fast).unwrap();
    assert_eq!(operator.does("dead-letters redrive --all").trim(), format!("{order}: DELIVERED"));
    operator.is_refused(&format!("dead-letters redrive {order}"), "409 NOT_FAILED");
    assert!(operator.does("dead-letters list").contains("no failed dispatches"));
}

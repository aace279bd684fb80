//! What an operator does: asks an admin listener to pause and to resume, and looks what came of it.

use crate::faults::client::Client;
use crate::faults::{once, wait_seeing};
use serde_json::{Value, json};
use stack::process::Process;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Every group is held by all drills, so each instance confirms as often.
pub const GROUPS: usize = 4;

/// At one process; any will do.
pub struct Operator(Client);

/// A partition as `GET /admin/consumers` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub group: String,
    pub partition: i64,
    pub instance: String,
    pub desired: String,
    pub observed: String,
}

impl Operator {
    /// Asks this process.
    pub fn at(process: &Process) -> Self {
        Self(Client::at(&process.admin_url()))
    }

    /// Pauses everything; returns the operation. `more` may say how.
    pub fn pause(&self, more: Value) -> String {
        let mut body = json!({"scope": {"all": true}, "reason": "a drill", "actor": "drill"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("/admin/consumers/pause", body)
    }

    /// Resumes what the operator holds; returns the operation. `body` may say how.
    pub fn resume(&self, body: Value) -> String {
        self.ask("/admin/consumers/resume", body)
    }

    fn ask(&self, path: &str, body: Value) -> String {
        let answer = self.0.post_as_operator(path, body).unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body["operation"].as_str().unwrap().to_owned()
    }

    /// Waits until an operation is where it should be, and returns all that is said of it.
    pub fn until(&self, operation: &str, state: &str, within: Duration) -> Value {
        let deadline = Instant::now() + within;
        loop {
            // Only what is settled ends that wait early.
            let wait = if state == "PARTIAL" { "100ms" } else { "2s" };
            let said = self.progress(operation, wait);
            if said["state"] == state {
                return said;
            }
            let (now, missing) = (&said["state"], &said["missing"]);
            assert!(
                Instant::now() < deadline,
                "{now}, not {state}, after {within:?}: {missing:#} of {said:#}"
            );
        }
    }

    /// Waits until everybody has confirmed a pause, those included who have yet to join again: until they do, it is
    /// true that all members are paused, but they are not all.
    pub fn until_all_confirmed(&self, operation: &str, processes: usize, within: Duration) -> Value {
        let all = Some((processes * GROUPS) as u64);
        wait_seeing("all processes, and no other, have confirmed", within, || {
            let said = self.progress(operation, "2s");
            once(said, |said| said["state"] == "PAUSED" && said["confirmed"].as_u64() == all)
        })
    }

    /// What is said of an operation.
    pub fn progress(&self, operation: &str, wait: &str) -> Value {
        let path = format!("/admin/operations/{operation}?wait={wait}");
        let answer = self.0.get_as_operator(&path).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Everything that is wanted and everything that is.
    pub fn consumers(&self) -> Value {
        let answer = wait_seeing("an answer of /admin/consumers", super::CONFIRMED, || {
            let answer = self.0.get_as_operator("/admin/consumers").map_err(|error| error.to_string())?;
            once(answer, |answer| answer.status == 200)
        });
        answer.body
    }

    /// Which MySQL counts.
    pub fn database(&self) -> Value {
        let answer = self.0.get_as_operator("/admin/database").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Every partition.
    pub fn rows(&self) -> Vec<Row> {
        let seen = self.consumers();
        let mut rows = Vec::new();
        for (group, of_group) in seen["groups"].as_object().unwrap() {
            for row in of_group["partitions"].as_array().unwrap() {
                let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                rows.push(Row {
                    group: group.clone(),
                    partition: row["partition"].as_i64().unwrap(),
                    instance: text("instance"),
                    desired: text("desired"),
                    observed: text("observed"),
                });
            }
        }
        rows
    }

    /// Whom the coordinators list, over all groups.
    pub fn members(&self) -> BTreeSet<String> {
        let seen = self.consumers();
        let groups = seen["groups"].as_object().unwrap().values();
        let members = groups.flat_map(|group| group["members"].as_array().cloned().unwrap_or_default());
        members.map(|member| member.as_str().unwrap().to_owned()).collect()
    }
}

/// That everybody has confirmed, with nothing under way.
pub fn assert_confirmed(said: &Value, processes: usize) {
    let instances = said["instances"].as_array().unwrap();
    let all = processes * GROUPS;
    assert_eq!((instances.len(), said["confirmed"].as_u64()), (all, Some(all as u64)), "{said:#}");
    assert_eq!(said["missing"], json!({}), "{said:#}");
    for instance in instances {
        assert_eq!((&instance["confirmed"], &instance["in_flight"]), (&json!(true), &json!(0)), "{said:#}");
    }
}

//! The production scenario by k6, in the background; what it counted is judged by whoever ran it.

use super::load_gate::LoadGate;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stack::cache::Cache;
use stack::process::Process;
use stack::{install, workspace};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const SCRIPT: &str = "infra/stack/tests/it/drills/until_told.js";
/// Longer than any drill; it is told to stop long before.
const AT_MOST: &str = "900s";

/// A k6 that runs; it ends with the test.
pub struct K6 {
    child: Child,
    gate: LoadGate,
    log: PathBuf,
}

impl K6 {
    /// So many iterations a second until [`K6::end`], one in four with an order; an iteration asks four times and more.
    pub fn start(api: &Process, per_second: u64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let log = std::env::temp_dir().join(format!("tidemark-k6-{unique}.log"));
        let out = std::fs::File::create(&log).unwrap();
        let gate = LoadGate::open();
        let child = Command::new(install::k6(&Cache::open().unwrap()).unwrap())
            .args(["run", "--no-usage-report", "--no-color", "--quiet"])
            .arg(workspace::root().unwrap().join(SCRIPT))
            .env_clear()
            .envs(["HOME", "PATH"].iter().filter_map(|name| Some((*name, std::env::var_os(name)?))))
            .env("K6_TARGET_URL", format!("http://127.0.0.1:{}", api.launch().port))
            .env("SUMMARY_FILE", log.with_extension("json"))
            .envs([("SCENARIO", "load"), ("ORDER_EVERY", "4"), ("VUS", "400"), ("P95_MS", "5000")])
            .env("RATE", per_second.to_string())
            .env("DURATION", AT_MOST)
            .env("LOAD_GATE_URL", gate.url())
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out)
            .spawn()
            .unwrap();
        Self { child, gate, log }
    }

    /// Whether the load goes on.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it when every iteration that has begun is through; returns its summary (shape: `k6/README.md`).
    pub fn end(mut self) -> Value {
        self.gate.stop();
        // Nothing is under way that this could cut off.
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap();
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let summary = std::fs::read_to_string(self.log.with_extension("json"));
        let summary = summary.unwrap_or_else(|error| panic!("no summary ({error}): {said}"));
        serde_json::from_str(&summary).unwrap()
    }
}

impl Drop for K6 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for file in [self.log.clone(), self.log.with_extension("json")] {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// How much it was. Of the endpoints alone: the totals count the load's own questions as well.
pub fn told(summary: &Value) -> String {
    let endpoints = summary["endpoints"].as_object().unwrap();
    let requests: u64 = endpoints.values().map(|said| said["requests"].as_u64().unwrap()).sum();
    format!("{requests} requests, p99 of claims {} ms", summary["endpoints"]["issue"]["latency_ms"]["p99"])
}

/// That no request failed and none was left out.
pub fn assert_undisturbed(summary: &Value) {
    let mut found = Vec::new();
    for count in ["http_5xx", "socket_errors", "dropped_iterations"] {
        if summary[count] != 0 {
            found.push(format!("{count}: {}", summary[count]));
        }
    }
    for (endpoint, said) in summary["endpoints"].as_object().unwrap() {
        for (status, count) in said["status"].as_object().unwrap() {
            if !matches!(status.as_str(), "200" | "201") && *count != 0 {
                found.push(format!("{endpoint} {status}: {count}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join(", "));
}

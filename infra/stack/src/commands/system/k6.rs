//! k6: one script, run to its end, and the summary it leaves behind (shape: `k6/README.md`).

use super::System;
use serde::{Deserialize, Serialize};
use stack::cache::Cache;
use stack::error::Doing;
use stack::{Error, Result, install, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Pause between two looks at a running k6.
const POLL: Duration = Duration::from_millis(20);
/// How often a person hears how far it is.
const TELL: Duration = Duration::from_secs(5);

/// A script's summary, as far as it is judged here.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::commands) struct Summary {
    pub(in crate::commands) passed: bool,
    pub(in crate::commands) seconds: f64,
    pub(in crate::commands) requests: u64,
    pub(in crate::commands) http_5xx: u64,
    pub(in crate::commands) dropped_iterations: u64,
    pub(in crate::commands) socket_errors: u64,
    pub(in crate::commands) latency_ms: Latency,
    endpoints: BTreeMap<String, Endpoint>,
    thresholds: BTreeMap<String, bool>,
}

/// Latency of all requests, in ms; nothing where there was no request.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::commands) struct Latency {
    pub(in crate::commands) p50: Option<f64>,
    pub(in crate::commands) p95: Option<f64>,
    pub(in crate::commands) p99: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Endpoint {
    status: BTreeMap<String, u64>,
}

impl Summary {
    /// Answers of one endpoint with one status.
    pub(in crate::commands) fn answers(&self, endpoint: &str, status: &str) -> u64 {
        self.endpoints.get(endpoint).and_then(|e| e.status.get(status)).copied().unwrap_or_default()
    }

    /// Requests that got their outcome: neither "not known yet" (202) nor an error.
    pub(in crate::commands) fn decided(&self) -> u64 {
        let all = self.endpoints.values().flat_map(|endpoint| &endpoint.status);
        all.filter(|(status, _)| is_decision(status)).map(|(_, count)| count).sum()
    }

    /// The gates that broke.
    pub(in crate::commands) fn broken(&self) -> Vec<&str> {
        self.thresholds.iter().filter(|(_, ok)| !**ok).map(|(gate, _)| gate.as_str()).collect()
    }
}

fn is_decision(status: &str) -> bool {
    status != "202" && matches!(status.as_bytes().first(), Some(b'2' | b'4')) && status.len() == 3
}

/// What to run.
#[derive(Debug)]
pub(in crate::commands) struct Script<'a> {
    /// The file in `k6/`.
    pub(in crate::commands) file: &'a str,
    /// Variables besides the target and the summary's file.
    pub(in crate::commands) variables: BTreeMap<String, String>,
}

impl System {
    /// Runs a script; `tell` is called every few seconds with the time since the start. Broken gates are in
    /// the summary, not an error.
    pub(in crate::commands) fn k6(
        &self,
        script: &Script<'_>,
        log: &Path,
        mut tell: impl FnMut(Duration),
    ) -> Result<Summary> {
        let summary = log.with_extension("json");
        // Of a former run; k6 may not get as far as writing a new one.
        let _ = fs::remove_file(&summary);
        let out = fs::File::create(log).doing(|| format!("create {}", log.display()))?;
        let err = out.try_clone().doing(|| "copy a file handle".into())?;
        let mut k6 = Command::new(install::k6(&Cache::open()?)?);
        k6.args(["run", "--no-usage-report", "--no-color", "--quiet"])
            .arg(workspace::root()?.join("k6").join(script.file))
            // A variable that somebody has set must not change the load.
            .env_clear()
            .envs(["HOME", "PATH"].iter().filter_map(|name| Some((*name, std::env::var_os(name)?))))
            .env("K6_TARGET_URL", self.base_url())
            .env("SUMMARY_FILE", &summary)
            .envs(&script.variables)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        wait(k6.spawn().doing(|| "run k6".into())?, &mut tell)?;
        let failed = || Error::failed(format!("read why k6 ran {} to no end", script.file), log);
        let text = fs::read_to_string(&summary).map_err(|_| failed())?;
        serde_json::from_str(&text).map_err(|_| failed())
    }
}

fn wait(mut k6: Child, tell: &mut impl FnMut(Duration)) -> Result<()> {
    let since = Instant::now();
    let mut next = TELL;
    while k6.try_wait().doing(|| "wait for k6".into())?.is_none() {
        if since.elapsed() >= next {
            tell(since.elapsed());
            next += TELL;
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_final_answers_are_decisions() {
        let summary: Summary = serde_json::from_str(
            r#"{"passed":false,"seconds":1.0,"requests":21,"http_5xx":1,"dropped_iterations":0,"socket_errors":1,
            "latency_ms":{"p50":0.5,"p55":0.6,"p95":null,"p99":2.0,"max":4.3},
            "endpoints":{"issue":{"requests":21,"status":{"201":10,"422":5,"202":2,"503":1,"0":1,"other":2}}},
            "thresholds":{"http_5xx count==0":false,"checks rate==1":true}}"#,
        )
        .unwrap();
        assert_eq!(summary.decided(), 15);
        assert_eq!(summary.answers("issue", "201"), 10);
        assert_eq!(summary.broken(), ["http_5xx count==0"]);
    }
}

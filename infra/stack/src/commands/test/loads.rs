//! The loads: our programs behind nginx under k6's scripts, and what must agree afterwards.

use super::outcome::{Found, Outcome};
use super::runner::{Runner, watched};
use super::steps::{Load, Step, Work};
use crate::commands::system::{System, k6::Script};
use stack::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// What the API adds to its waits, in ms: with its own 4.5 s still below nginx's 10 s.
const EXTRA_WAIT_MS: &str = "5000";

/// What the loads work on.
#[derive(Debug)]
pub(super) struct Loads {
    system: System,
    api_processes: u16,
    /// Whether the step `programs` has passed.
    programs_run: bool,
    counted: Vec<Counted>,
}

/// Requests of one load.
#[derive(Debug, Clone, Copy)]
struct Counted {
    file: &'static str,
    k6: u64,
    servers: u64,
}

impl Loads {
    pub(super) fn on(system: System, api_processes: u16) -> Self {
        Self { system, api_processes, programs_run: false, counted: Vec::new() }
    }

    /// Runs one step.
    pub(super) fn run(&mut self, runner: &Runner, step: &'static Step) -> Outcome {
        watched(step, &runner.log(step), |log| self.work(&step.work, log))
    }

    fn work(&mut self, work: &'static Work, log: &Path) -> Result<Found> {
        if matches!(work, Work::Programs) {
            self.start(log)?;
            return Ok(Found::plain(true));
        }
        if !self.programs_run {
            return Err(Error::prepare("repair `programs` first: they did not start"));
        }
        if let Work::K6(load) = work {
            return self.load(load, log);
        }
        self.system.require_alive()?;
        match work {
            Work::Counters => Ok(Found::judged(disagreement(&self.counted))),
            Work::Partner => {
                let heard = self.system.heard()?;
                let wrong = || format!("not every paid order exactly once: {heard:?}");
                Ok(Found::judged((!heard.once()).then(wrong)))
            }
            Work::Audit => {
                Ok(Found::judged(self.system.audit(log)?.complaint(usize::from(self.api_processes))))
            }
            _ => Err(Error::prepare("report this: a check is no load")),
        }
    }

    fn start(&mut self, log: &Path) -> Result<()> {
        self.system.tool(&["init"], log)?;
        self.system.tool(&["seed"], log)?;
        self.system.start_consumers()?;
        // These loads look for errors of the system: what a stall of the machine would make of an answer is none.
        self.system.set("TIDEMARK_EXTRA_WAIT_MS", EXTRA_WAIT_MS);
        self.system.start_apis(self.api_processes)?;
        self.programs_run = true;
        Ok(())
    }

    fn load(&mut self, load: &'static Load, log: &Path) -> Result<Found> {
        let system = &mut self.system;
        let mut variables: BTreeMap<String, String> =
            load.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if let Some(pieces) = load.pieces {
            variables.insert("COUPON_ID".into(), system.open_coupon(pieces)?.to_string());
            variables.insert("COUPON_PIECES".into(), pieces.to_string());
        }
        if !load.counted {
            variables.insert("K6_ADMIN_URL".into(), system.api_admins().first().cloned().unwrap_or_default());
            variables.insert("K6_CONSUMERS_ADMIN_URL".into(), system.consumers_admin());
            variables.insert("K6_ADMIN_TOKEN".into(), system.token());
            variables.insert("K6_PLATFORM_KEY".into(), system.platform_key());
        }
        let before = system.served()?.requests();
        let summary = system.k6(&Script { file: load.file, variables }, log, |_| ())?;
        let servers = system.served()?.requests() - before;
        if load.counted {
            self.counted.push(Counted { file: load.file, k6: summary.requests, servers });
        }
        let broken = (!summary.passed).then(|| format!("broken gates: {}", summary.broken().join(", ")));
        Ok(Found::judged(broken))
    }

    /// Stops everything.
    pub(super) fn stop(self) -> Result<()> {
        self.system.down()
    }
}

/// `None` when servers and k6 counted the same.
fn disagreement(counted: &[Counted]) -> Option<String> {
    let lines: Vec<String> = counted
        .iter()
        .filter(|load| load.k6 != load.servers)
        .map(|Counted { file, k6, servers }| {
            let why = match servers > k6 {
                true => "nginx sent some to a second process, or somebody else asked",
                false => "some never reached a process, or one of them was started again",
            };
            format!("{file}: k6 counted {k6} requests, the API processes {servers}: {why}")
        })
        .collect();
    match (counted.is_empty(), lines.is_empty()) {
        (true, _) => Some("no load was run, so there is nothing to compare".to_owned()),
        (_, true) => None,
        (_, false) => Some(lines.join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_served_twice_is_told_from_one_that_got_lost() {
        let counted = |k6, servers| Counted { file: "a.js", k6, servers };
        assert_eq!(disagreement(&[counted(5, 5)]), None);
        assert!(disagreement(&[counted(5, 5), counted(5, 6)]).unwrap().contains("second process"));
        assert!(disagreement(&[counted(5, 4)]).unwrap().contains("never reached"));
        assert!(disagreement(&[]).is_some());
    }
}

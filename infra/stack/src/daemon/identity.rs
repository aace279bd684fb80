//! Which process is meant: its pid and when it started.
//!
//! It must never say "alive" of a zombie, nor of a process that merely got the same pid later.

use crate::error::{Doing, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::fs;
use std::time::Duration;

/// A process, told apart from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The pid.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks between boot and the process' start.
    pub start_ticks: u64,
}

impl Identity {
    /// The process that has this pid now.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, start_ticks) = parse(&stat)?;
        Some(Self { pid, start_ticks })
    }

    /// Whether this very process still runs (frozen counts, a zombie does not).
    ///
    /// A killed program's first thread may be a zombie while its other threads still hold its ports and
    /// files (seen with Java), so it has ended only when it is a zombie alone.
    pub fn is_alive(self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        match parse(&stat) {
            Some((_, start)) if start != self.start_ticks => false,
            Some(('Z' | 'X', _)) => self.threads() > 1,
            found => found.is_some(),
        }
    }

    /// Whether all of its threads are stopped. A signal that stops it is taken by one of them, and the others go on until
    /// they are told: on a busy machine long enough to answer a request.
    pub fn stands_still(self) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return false };
        let stat = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("stat")).ok();
        // One that ended between the two looks stands still, too.
        let states = threads.flatten().filter_map(stat).filter_map(|stat| parse(&stat));
        states.into_iter().all(|(state, _)| matches!(state, 'T' | 't' | 'Z' | 'X'))
    }

    fn threads(self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count)
    }

    /// Sends a signal, unless the process has gone.
    ///
    /// # Errors
    /// The kernel refuses, for instance because another user owns the process.
    pub fn signal(self, signal: Signal) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(());
        };
        match kill_process(pid, signal) {
            // It ended between the look and the signal, which is what the caller wants or will see.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => sent.doing(|| format!("signal the process {}", self.pid)),
        }
    }

    /// The processes it started that still have it as their parent.
    pub fn children(self) -> Vec<Self> {
        fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid))
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|pid| Self::of(pid.parse().ok()?))
            .collect()
    }

    /// How long ago it started.
    pub fn age(self) -> Option<Duration> {
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        let started = Duration::from_millis(self.start_ticks * 1000 / u64::from(ticks));
        Some(Duration::from_secs_f64(seconds).saturating_sub(started))
    }

    /// Its resident memory in megabytes.
    pub fn resident_mb(self) -> Option<u64> {
        Some(self.resident_kb()? / 1024)
    }

    /// Its resident memory in kilobytes.
    pub fn resident_kb(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// State and start time out of `/proc/<pid>/stat`. The second field, the program's name, may hold
/// blanks and brackets, so everything is counted from its last bracket.
fn parse(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 10 20";
        assert_eq!(parse(stat), Some(('S', 98765)));
        assert_eq!(parse("12 (cut"), None);
    }

    #[test]
    fn a_reused_pid_is_somebody_else() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        let former = Identity { start_ticks: me.start_ticks - 1, ..me };
        assert!(!former.is_alive());
        // Were the pid alone decisive, this would end the test.
        former.signal(Signal::KILL).unwrap();
    }
}

//! How the machine behaved while the tests ran: which of them failed because the machine stalled for ten seconds, nobody
//! can tell afterwards.
//!
//! It must never judge: a test that failed has failed.

use crate::commands::system::machine::Ticks;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// What took so much longer than it should was a stall.
const STALL: Duration = Duration::from_secs(1);
/// So many are told one by one.
const TOLD: usize = 20;
const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// A watch over the machine, until it is asked.
pub(super) struct Watch {
    end: Sender<()>,
    thread: JoinHandle<Seen>,
}

/// What was seen of the machine.
#[derive(Debug, Default)]
pub(super) struct Seen {
    began: Option<Ticks>,
    found: Vec<Stall>,
}

#[derive(Debug)]
struct Stall {
    what: &'static str,
    ended: SystemTime,
    lasted: Duration,
}

impl Watch {
    /// Begins; writes to this file now and then.
    pub(super) fn begin(file: PathBuf) -> Self {
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            let mut seen = Seen { began: Ticks::now(), found: Vec::new() };
            // A disk that refuses is found out by everybody else.
            let disk = File::create(&file).ok();
            loop {
                let began = Instant::now();
                let waited = ended.recv_timeout(LOOK);
                seen.note("processor", began.elapsed().saturating_sub(LOOK));
                if !matches!(waited, Err(RecvTimeoutError::Timeout)) {
                    return seen;
                }
                let began = Instant::now();
                // In place, so that nothing but these bytes must reach the disk.
                let _ = disk
                    .as_ref()
                    .map(|disk| disk.write_all_at(&[0; 4096], 0).and_then(|()| disk.sync_data()));
                seen.note("disk", began.elapsed());
            }
        });
        Self { end, thread }
    }

    /// What was seen.
    pub(super) fn end(self) -> Seen {
        let _ = self.end.send(());
        self.thread.join().unwrap_or_default()
    }
}

impl Seen {
    fn note(&mut self, what: &'static str, lasted: Duration) {
        if lasted >= STALL {
            self.found.push(Stall { what, ended: SystemTime::now(), lasted });
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.began.and_then(Ticks::shares_since);
        let (idle, stolen) = shares.map_or((f64::NAN, f64::NAN), |shares| (shares.idle, shares.stolen));
        write!(f, "the machine: idle {:.0} %, stolen {:.0} %, ", 100.0 * idle, 100.0 * stolen)?;
        write!(f, "stalls of {STALL:?} and longer: {}", self.found.len())?;
        for Stall { what, ended, lasted } in self.found.iter().take(TOLD) {
            let second = ended.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) % SECONDS_A_DAY;
            let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
            write!(f, "; {what} {lasted:.1?} until {hour:02}:{minute:02}:{second:02} UTC")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_took_long_is_told_with_its_time() {
        let mut seen = Seen::default();
        seen.note("disk", STALL / 2);
        assert!(seen.to_string().ends_with("stalls of 1s and longer: 0"), "{seen}");
        let ended = UNIX_EPOCH + Duration::from_secs(SECONDS_A_DAY + 3_661);
        seen.found.push(Stall { what: "disk", ended, lasted: Duration::from_millis(2_500) });
        assert!(seen.to_string().ends_with("longer: 1; disk 2.5s until 01:01:01 UTC"), "{seen}");
    }

    #[test]
    fn a_watch_ends_when_it_is_asked() {
        let folder = std::env::temp_dir().join(format!("tidemark-watch-{}", std::process::id()));
        let seen = Watch::begin(folder.clone()).end();
        assert!(seen.began.is_some(), "{seen:?}");
        let _ = std::fs::remove_file(folder);
    }
}

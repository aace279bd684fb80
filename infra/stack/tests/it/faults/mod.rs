//! Faults under load, against the real binaries: whatever breaks, no acknowledged request is lost, none counts
//! twice, and nothing is skipped.
//!
//! Unlike their neighbours these tests use the running stack (`cargo stack up`), under topics and tables of their
//! own; a service that a test breaks is its own. The binaries must be built: `cargo build --workspace`.

mod answer_lost;
mod api_killed;
mod broker_frozen;
mod broker_late;
mod chaos;
pub mod client;
mod consumers_killed;
pub mod deployment;
mod facts;
mod garbage;
pub mod load;
mod log_replaced;
mod mysql_replaced;
mod mysql_stopped;
pub mod raw_log;
pub mod shoppers;
mod signup_retried;
mod two_apis;
mod unknown_schema;

use rand::{Rng, rngs::StdRng};
use std::fmt::Debug;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);
/// How long anything may take that is not an outage itself. It tells "by itself" from "never", also where other programs
/// have the processors: waits for less failed at a load of 28.
pub const SOON: Duration = Duration::from_secs(120);

/// What was seen last, in characters: a whole `status` would hide what was waited for.
const SEEN: usize = 2_000;

/// Looks until there is something; fails the test when there is nothing in time, and says what was seen last.
pub fn wait_seeing<T>(what: &str, within: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() >= deadline => {
                let seen: String = seen.chars().take(SEEN).collect();
                panic!("waited {within:?} in vain: {what}; seen last: {seen}");
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

/// For [`wait_seeing`]: what is seen, where that is what is waited for.
pub fn once<T: Debug>(seen: T, is_it: impl FnOnce(&T) -> bool) -> Result<T, String> {
    if is_it(&seen) { Ok(seen) } else { Err(format!("{seen:?}")) }
}

/// As [`wait_seeing`], where there is nothing to tell of what is not there.
pub fn wait_for<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    wait_seeing(what, within, || look().ok_or_else(|| "nothing".to_owned()))
}

/// Lets a random time pass. Not a wait for anything: at which moment something dies, or comes back, is the fault.
pub fn at_some_moment(random: &mut StdRng, within_ms: Range<u64>) {
    std::thread::sleep(Duration::from_millis(random.random_range(within_ms)));
}

/// As [`wait_for`], for a condition.
pub fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, within, || holds().then_some(()));
}

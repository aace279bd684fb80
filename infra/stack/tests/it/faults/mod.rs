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
use std::ops::Range;
use std::time::{Duration, Instant};

/// Pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);
/// How long anything may take that is not an outage itself. It tells "by itself" from "never", also where other programs
/// have the processors: waits for less failed at a load of 28.
pub const SOON: Duration = Duration::from_secs(120);

/// Looks until there is something; fails the test when there is nothing in time.
pub fn wait_for<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Lets a random time pass. Not a wait for anything: at which moment something dies, or comes back, is the fault.
pub fn at_some_moment(random: &mut StdRng, within_ms: Range<u64>) {
    std::thread::sleep(Duration::from_millis(random.random_range(within_ms)));
}

/// As [`wait_for`], for a condition.
pub fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    wait_for(what, within, || holds().then_some(()));
}

//! The proofs of pause and resume on real processes and services, under the production scenario: what an operator is
//! told is true, whatever is killed, frozen or restarted meanwhile. `cargo stack drill NAME` runs them by hand.
//!
//! What needs no process of its own (a process that starts while paused, two holders, expiry) is proved in
//! `consumers/tests/it/pausing.rs`. The binaries must be built, as for `faults`.

mod activity;
mod all_restart;
mod cutover;
mod frozen_worker;
mod k6;
mod killed_while_paused;
mod load_gate;
mod mysql_restarted;
mod operator;
mod pause_under_load;
mod ramp;
mod read_only_expiry;
mod release;
mod scene;

use std::time::Duration;

/// Confirming a pause may take this long on a machine that does much else. Seen: 0.4 to 0.8 s; the drill prints it.
const CONFIRMED: Duration = Duration::from_secs(60);
/// As [`CONFIRMED`], where a member is gone: its session ends first, then its partitions are handed around.
const CONFIRMED_WITHOUT: Duration = Duration::from_secs(120);
/// Orders that a load pays before and after each step.
const ORDERS: u64 = 60;

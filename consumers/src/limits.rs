//! Every limit of the projections, with its unit; limits that depend on each other are compared at compile time.

use std::time::Duration;

/// Records in one transaction: four of the largest buckets of `migrations::bulk`. Against 256, measured on a quiet
/// machine in consecutive runs: 62,063 instead of 50,271 rows/s from a backlog. Small batches stay small: a
/// transaction takes what has come while the one before it was busy.
pub const MAX_BATCH_RECORDS: usize = 1_024;
/// Records of one partition that wait for its transaction; then polling rests until one is done.
pub const MAX_WAITING_RECORDS: usize = 4 * MAX_BATCH_RECORDS;
/// Records taken from the client before other inputs get their turn.
pub const MAX_DRAIN_RECORDS: usize = 256;
/// Attempts at one transaction that lost a deadlock or waited too long for a lock.
pub const MAX_TRANSACTION_ATTEMPTS: u32 = 8;
/// First pause between two attempts; it doubles.
pub const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// One load, or one transaction; longer counts as an outage.
pub const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two probes of a database that is away.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// Before a partition that could not be opened is tried again.
pub const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// A client may need this long after an assignment until it accepts a seek.
pub const SEEK_BUDGET: Duration = Duration::from_millis(250);
/// How long a running transaction may take after shutdown began.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Longest time without a poll before the group takes the partitions away.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);
/// A worker that is gone stays listed this long.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait for the brokers' word on a dead letter.
pub const DEAD_LETTER_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = {
    assert!(MAX_WAITING_RECORDS >= MAX_BATCH_RECORDS, "a full batch must fit");
    assert!(
        DATABASE_TIMEOUT.as_millis() * 2 < MAX_POLL_INTERVAL.as_millis(),
        "a transaction at its limit must not cost the membership"
    );
};

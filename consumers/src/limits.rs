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
/// That pause doubles up to here while the database refuses for a reason that may pass.
pub const MAX_REOPEN_PAUSE: Duration = Duration::from_secs(2);
/// Before a partition that stopped is tried again: what stopped it may have been mended.
pub const STOPPED_RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Changes of ownership that wait for the loop; each poll brings one at most, and the loop looks for them first.
pub const WAITING_REBALANCES: usize = 64;
/// Between two attempts at a seek that the client refuses.
pub const SEEK_PAUSE: Duration = Duration::from_millis(5);
/// Whether a database takes writes must be known within this.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest pause between two transactions of a partition that comes back slowly.
pub const MAX_RAMP_PAUSE: Duration = Duration::from_secs(10);
/// Between two looks whether MySQL still says of resting partitions what is believed.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// A client may need this long after an assignment until it accepts a seek.
pub const SEEK_BUDGET: Duration = Duration::from_millis(250);
/// How long a running transaction may take after shutdown began.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Longest time without a poll before the group takes the partitions away.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);
/// A worker that is gone stays listed this long, unless `TIDEMARK_SESSION_TIMEOUT_MS` says otherwise. A session of the
/// writer pool that says nothing for as long is ended by MySQL, and its transaction rolled back: a worker that was frozen
/// within one would keep its rows locked, and its successor waiting, for ever.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// The least of it: MySQL counts silence in whole seconds. Below 6 s the brokers must be told to allow it
/// (`group.min.session.timeout.ms`).
pub const MIN_SESSION_TIMEOUT: Duration = Duration::from_secs(1);
/// The most of it: so long nobody works on the partitions of a worker that died.
pub const MAX_SESSION_TIMEOUT: Duration = Duration::from_secs(120);
/// Heartbeats come at least so often,
pub const MAX_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// and at least so many in one session timeout: one that is lost must not cost the membership.
pub const HEARTBEATS_IN_A_SESSION: u32 = 3;
/// Wait for the brokers' word on a dead letter.
pub const DEAD_LETTER_TIMEOUT: Duration = Duration::from_secs(10);
/// Offsets of the first chunk of a search from a log's end.
pub const FIRST_CHUNK_OFFSETS: u64 = 1_024;
/// Each chunk is this many times the one before it.
pub const CHUNK_GROWTH: u64 = 8;
/// One poll while a chunk is read.
pub const CHUNK_POLL: Duration = Duration::from_millis(500);
/// Longest wait for the brokers, and for anything of a chunk.
pub const CHUNK_PATIENCE: Duration = Duration::from_secs(10);
/// Rows of the outbox in one of Kafka's transactions.
pub const RELAY_ROWS: u64 = 1_000;
/// Between two looks into an outbox that nobody has announced anything for.
pub const RELAY_POLL: Duration = Duration::from_secs(1);
/// Before the relay begins anew.
pub const RELAY_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Between two counts of an outbox that is longer than a page.
pub const RELAY_COUNT_INTERVAL: Duration = Duration::from_secs(5);
/// The relay's records are sent together: committing waits for nothing.
pub const RELAY_LINGER_MS: u32 = 5;
/// From the hand-over of a fact to the brokers' word, in ms.
pub const RELAY_DELIVERY_MS: u32 = 8_000;
/// A transaction that nobody ended is ended by the brokers after this, in ms; readers wait for it.
pub const RELAY_TRANSACTION_MS: u32 = 10_000;
/// Beginning, or ending a transaction.
pub const RELAY_CALL: Duration = Duration::from_secs(10);
/// From the hand-over of a fact about a dispatch to the brokers' word, in ms.
pub const JOURNAL_DELIVERY_MS: u32 = 8_000;
/// Wait for room in that producer's queue.
pub const JOURNAL_QUEUE_WAIT: Duration = Duration::from_secs(10);
/// Failures of the external platform in a row until nobody calls it for a while.
pub const BREAKER_FAILURES: u32 = 10;
/// How long that is.
pub const BREAKER_PAUSE: Duration = Duration::from_secs(10);
/// Calls of the external platform at once, at most.
pub const MAX_PLATFORM_CALLS: usize = 256;
/// Connections to it that are kept open.
pub const PLATFORM_IDLE_CONNECTIONS: usize = 16;
/// Of its answers not more than this is read, in bytes.
pub const PLATFORM_ANSWER_BYTES: usize = 64 * 1_024;
/// Longest call, in ms.
pub const MAX_PLATFORM_TIMEOUT_MS: u64 = 120_000;
/// A lease lasts this much longer than a call: for the record of how it ended, there and back.
pub const LEASE_MARGIN: Duration = Duration::from_secs(60);
/// Between two looks for what is due.
pub const DISPATCH_POLL: Duration = Duration::from_millis(200);
/// Between two counts of all rows.
pub const DISPATCH_COUNT_INTERVAL: Duration = Duration::from_secs(10);
/// Before an order is told once more because Kafka did not take how it ended.
pub const UNRECORDED_PAUSE: Duration = Duration::from_secs(1);
/// Connecting to a server that is looked at.
pub const CHECK_CONNECT: Duration = Duration::from_secs(5);
/// Each look at such a server.
pub const CHECK: Duration = Duration::from_secs(20);
/// Dispatches in one answer to an operator.
pub const DISPATCH_PAGE: u64 = 100;
/// Most of them.
pub const MAX_DISPATCH_PAGE: u64 = 1_000;

const _: () = {
    assert!(control::limits::MAX_BATCH_RECORDS == MAX_BATCH_RECORDS, "what operators may set");
    assert!(
        LEASE_MARGIN.as_millis() > 2 * (JOURNAL_DELIVERY_MS as u128 + 1_000 + JOURNAL_QUEUE_WAIT.as_millis()),
        "nobody may begin a call again while the record of the first is under way"
    );
    assert!(RELAY_DELIVERY_MS <= RELAY_TRANSACTION_MS, "librdkafka refuses the other way round");
    assert!(MAX_WAITING_RECORDS >= MAX_BATCH_RECORDS, "a full batch must fit");
    assert!(
        MIN_SESSION_TIMEOUT.as_millis() <= SESSION_TIMEOUT.as_millis()
            && SESSION_TIMEOUT.as_millis() <= MAX_SESSION_TIMEOUT.as_millis(),
        "the default must be allowed"
    );
    assert!(MIN_SESSION_TIMEOUT.as_secs() >= 1, "MySQL's `wait_timeout` is at least a second");
    assert!(
        MAX_SESSION_TIMEOUT.as_millis() < MAX_POLL_INTERVAL.as_millis(),
        "librdkafka refuses the other way round"
    );
    assert!(
        DATABASE_TIMEOUT.as_millis() * 2 < MAX_POLL_INTERVAL.as_millis(),
        "a transaction at its limit must not cost the membership"
    );
};

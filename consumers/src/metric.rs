//! Names of the projections' metrics, in one place. No ids as labels.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Records in one transaction, by group.
pub const BATCH: &str = "tidemark_batch_records_count";
/// One transaction, loads included, by group.
pub const BATCH_SECONDS: &str = "tidemark_batch_seconds";
/// Wait for a connection, by pool.
pub const POOL_WAIT_SECONDS: &str = "tidemark_pool_wait_seconds";
/// Transactions tried again, by group.
pub const RETRIES: &str = "tidemark_transaction_retries_total";
/// Dead letters written, by group.
pub const DEAD_LETTERS: &str = "tidemark_dead_letters_total";
/// Next offset by group, topic and partition.
pub const NEXT_OFFSET: &str = "tidemark_projection_next_offset";
/// 1 while the database is away and this instance holds itself, by group.
pub const DATABASE_HOLD: &str = "tidemark_database_hold";
/// Partitions stopped by something that must not be skipped, by group.
pub const STOPPED_PARTITIONS: &str = "tidemark_stopped_partitions";
/// Partitions that wait because MySQL refuses them for a reason that may pass, by group.
pub const HELD_PARTITIONS: &str = "tidemark_held_partitions";
/// Offsets of request logs at which nothing is delivered (markers of somebody's transactions), by group.
pub const HOLES: &str = "tidemark_log_holes_total";
/// Facts that the outbox relay has published, by topic.
pub const RELAY_PUBLISHED: &str = "tidemark_relay_published_total";
/// Rows that wait in the outbox.
pub const RELAY_WAITING: &str = "tidemark_relay_waiting_rows";
/// Times the outbox relay began anew.
pub const RELAY_ERRORS: &str = "tidemark_relay_errors_total";
/// Calls of the external platform, by outcome.
pub const DISPATCH_CALLS: &str = "tidemark_dispatch_calls_total";
/// One call.
pub const DISPATCH_CALL_SECONDS: &str = "tidemark_dispatch_call_seconds";
/// 1 while nobody, or only one, calls it because it does not answer.
pub const DISPATCH_BREAKER_OPEN: &str = "tidemark_dispatch_breaker_open";
/// Dispatches that are not over, by state.
pub const DISPATCH_ROWS: &str = "tidemark_dispatch_rows";

/// Registers descriptions with the process' recorder.
pub fn describe() {
    describe_histogram!(BATCH, "Records in one transaction");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "One transaction, loads included");
    describe_histogram!(POOL_WAIT_SECONDS, Unit::Seconds, "Wait for a connection");
    describe_counter!(RETRIES, "Transactions tried again");
    describe_counter!(DEAD_LETTERS, "Dead letters written");
    describe_gauge!(NEXT_OFFSET, "Next offset that MySQL waits for");
    describe_gauge!(DATABASE_HOLD, "1 while the database is away and this instance holds itself");
    describe_counter!(RELAY_PUBLISHED, "Facts that the outbox relay has published");
    describe_gauge!(RELAY_WAITING, "Rows that wait in the outbox");
    describe_counter!(RELAY_ERRORS, "Times the outbox relay began anew");
    describe_counter!(DISPATCH_CALLS, "Calls of the external platform");
    describe_histogram!(DISPATCH_CALL_SECONDS, Unit::Seconds, "One call of the external platform");
    describe_gauge!(
        DISPATCH_BREAKER_OPEN,
        "1 while the external platform is not called as it does not answer"
    );
    describe_gauge!(DISPATCH_ROWS, "Dispatches that are pending or given up");
    describe_gauge!(HELD_PARTITIONS, "Partitions that MySQL refuses for a reason that may pass");
    describe_counter!(HOLES, "Offsets of request logs at which nothing is delivered");
    describe_gauge!(STOPPED_PARTITIONS, "Partitions stopped by something that must not be skipped");
}

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

/// Registers descriptions with the process' recorder.
pub fn describe() {
    describe_histogram!(BATCH, "Records in one transaction");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "One transaction, loads included");
    describe_histogram!(POOL_WAIT_SECONDS, Unit::Seconds, "Wait for a connection");
    describe_counter!(RETRIES, "Transactions tried again");
    describe_counter!(DEAD_LETTERS, "Dead letters written");
    describe_gauge!(NEXT_OFFSET, "Next offset that MySQL waits for");
    describe_gauge!(DATABASE_HOLD, "1 while the database is away and this instance holds itself");
    describe_gauge!(STOPPED_PARTITIONS, "Partitions stopped by something that must not be skipped");
}

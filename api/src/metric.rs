//! Names of the ingress' metrics, in one place. No ids as labels.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Requests by route, method and status.
pub const REQUESTS: &str = "tidemark_http_requests_total";
/// Latency by route.
pub const REQUEST_SECONDS: &str = "tidemark_http_request_seconds";
/// Requests shed before they were appended.
pub const SHED: &str = "tidemark_shed_total";
/// Requests waiting for their record.
pub const IN_FLIGHT: &str = "tidemark_in_flight_requests";
/// Records that the brokers did not confirm.
pub const UNDELIVERED: &str = "tidemark_undelivered_total";
/// Read-index calls to the brokers.
pub const READ_INDEX_SECONDS: &str = "tidemark_read_index_seconds";
/// From the hand-over to the producer until the fold answered.
pub const DECIDE_SECONDS: &str = "tidemark_decide_seconds";
/// Next offset by topic and partition.
pub const NEXT_OFFSET: &str = "tidemark_fold_next_offset";
/// Partitions stopped by something that must not be skipped.
pub const STOPPED_PARTITIONS: &str = "tidemark_stopped_partitions";

/// Registers descriptions with the process' recorder.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests by route, method and status");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Latency by route");
    describe_counter!(SHED, "Requests shed before they were appended");
    describe_gauge!(IN_FLIGHT, "Requests waiting for their record");
    describe_counter!(UNDELIVERED, "Records that the brokers did not confirm");
    describe_histogram!(READ_INDEX_SECONDS, Unit::Seconds, "Read-index calls to the brokers");
    describe_histogram!(DECIDE_SECONDS, Unit::Seconds, "From the producer to the fold's answer");
    describe_gauge!(NEXT_OFFSET, "Next offset to fold");
    describe_gauge!(STOPPED_PARTITIONS, "Partitions stopped by something that must not be skipped");
}

//! Names of the ingress' metrics, in one place. No ids as labels.

use metrics::{Counter, Histogram, Unit, describe_counter, describe_gauge, describe_histogram};
use parking_lot::RwLock;
use std::{collections::HashMap, time::Duration};

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
/// Questions to Redis.
pub const REDIS_SECONDS: &str = "tidemark_redis_seconds";
/// Questions to Redis without a useful answer.
pub const REDIS_FAILURES: &str = "tidemark_redis_failures_total";
/// Older history answered from a copy in Redis.
pub const CACHE_HITS: &str = "tidemark_history_cache_hits_total";
/// Reads of older history from MySQL.
pub const HISTORY_SECONDS: &str = "tidemark_history_seconds";
/// Reads of older history that MySQL did not answer.
pub const HISTORY_FAILURES: &str = "tidemark_history_failures_total";
/// Next offset of the order projection, as MySQL says.
pub const PROJECTED_OFFSET: &str = "tidemark_projected_offset";

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
    describe_histogram!(REDIS_SECONDS, Unit::Seconds, "Questions to Redis");
    describe_counter!(REDIS_FAILURES, "Questions to Redis without a useful answer");
    describe_counter!(CACHE_HITS, "Older history answered from a copy in Redis");
    describe_histogram!(HISTORY_SECONDS, Unit::Seconds, "Reads of older history from MySQL");
    describe_counter!(HISTORY_FAILURES, "Reads of older history that MySQL did not answer");
    describe_gauge!(PROJECTED_OFFSET, "Next offset of the order projection, as MySQL says");
    describe_gauge!(STOPPED_PARTITIONS, "Partitions stopped by something that must not be skipped");
}

/// Counts requests through handles that were made once: a name with labels costs more than the rest of the edge.
#[derive(Default)]
pub struct RequestMetrics {
    handles: RwLock<HashMap<RequestKind, (Counter, Histogram)>>,
}

/// Route, method, status. Routes are templates, so there are few.
type RequestKind = (String, &'static str, u16);

impl RequestMetrics {
    /// Counts one request.
    pub fn count(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let kind = (route.to_owned(), method, status);
        let known = self.handles.read().get(&kind).cloned();
        let (counter, histogram) = known.unwrap_or_else(|| self.make(kind));
        counter.increment(1);
        histogram.record(took.as_secs_f64());
    }

    fn make(&self, kind: RequestKind) -> (Counter, Histogram) {
        let (route, method, status) = kind.clone();
        let counter = metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status.to_string());
        let histogram = metrics::histogram!(REQUEST_SECONDS, "route" => route);
        self.handles.write().entry(kind).or_insert((counter, histogram)).clone()
    }
}

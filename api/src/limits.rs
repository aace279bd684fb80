//! Every limit of the ingress, with its unit; limits that depend on each other are compared at compile time.

use std::time::Duration;

/// Most requests that may be set to wait for their record at once; more are shed with 503 `OVERLOADED`.
pub const MAX_IN_FLIGHT: usize = 20_000;
/// Records in the producer's queue; above the waiters, so that the queue is never the first to be full.
pub const PRODUCER_QUEUE_MESSAGES: u32 = 25_000;
/// Producer queue, in KiB.
pub const PRODUCER_QUEUE_KBYTES: u32 = 65_536;
/// From `send` to the brokers' verdict, in ms; librdkafka scans once a second.
pub const DELIVERY_TIMEOUT_MS: u32 = 3_000;
/// From `send` to an HTTP answer, whatever it is.
pub const ANSWER_DEADLINE: Duration = Duration::from_millis(4_500);
/// From `send` to a 202, where the brokers have the record and the own tail lags.
pub const FOLD_WAIT: Duration = Duration::from_secs(2);
/// How long a decided request waits for the brokers' word on its own record, to say whether it was a repetition.
pub const ACKNOWLEDGEMENT_GRACE: Duration = Duration::from_millis(200);
/// A read index, from the question to the folded answer; then 503.
pub const READ_INDEX: Duration = Duration::from_secs(1);
/// A local refusal needs a fold known to be at most this old.
pub const REFUSAL_FRESHNESS: Duration = Duration::from_millis(500);
/// A session is trusted by a `signup` fold known to be at most this old.
pub const SESSION_FRESHNESS: Duration = Duration::from_secs(1);
/// Life of a session.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1_024;
/// Of a larger body, read and thrown away before the 413, in bytes; beyond it the connection is closed at once.
pub const MAX_DISCARDED_BYTES: usize = 1_024 * 1_024;
/// From the end of the headers to the end of the body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// `Idempotency-Key`, in characters.
pub const MAX_KEY_CHARS: usize = 255;
/// Path and query of a request, in bytes; they stand under every derived event id.
pub const MAX_PATH_BYTES: usize = 2_048;
/// One metadata call while the producer is warmed.
pub const WARM_UP: Duration = Duration::from_secs(2);
/// What is in flight when the process ends.
pub const FLUSH: Duration = Duration::from_secs(5);
/// What a client is told to wait after a 503, in seconds.
pub const RETRY_AFTER_S: u32 = 1;

const _: () = {
    assert!(PRODUCER_QUEUE_MESSAGES as usize > MAX_IN_FLIGHT, "waiters must be the first limit");
    assert!(
        ANSWER_DEADLINE.as_millis() > DELIVERY_TIMEOUT_MS as u128 + 1_000,
        "the brokers' verdict must come before the answer's deadline"
    );
    assert!(
        SESSION_LIFE.as_millis() < domain::accounts::MAX_REVOCATION_MS as u128,
        "an ended session must be remembered until it would have ended"
    );
};

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
/// What operators may add to each wait of a request for brokers or MySQL, in ms.
pub const MAX_EXTRA_WAIT_MS: u32 = 30_000;
/// A local refusal needs a fold known to be at most this old.
pub const REFUSAL_FRESHNESS: Duration = Duration::from_millis(500);
/// A session is trusted by a `signup` fold known to be at most this old.
pub const SESSION_FRESHNESS: Duration = Duration::from_secs(1);
/// Nothing was folded for this long before a tick is appended.
pub const TICK_IDLE: Duration = Duration::from_secs(1);
/// Between two ticks of one process, at least.
pub const TICK_INTERVAL: Duration = Duration::from_secs(1);
/// Added at random to [`TICK_INTERVAL`].
pub const TICK_JITTER: Duration = Duration::from_millis(250);
/// Touches of recent orders that are held in memory, about 300 bytes each; beyond them the oldest go, and an order that
/// MySQL lacks answers 503 until MySQL has it.
pub const MAX_RECENT_TOUCHES: usize = 1_000_000;
/// Orders in one answer, newest first.
pub const MAX_ORDERS_LISTED: usize = 100;
/// Products in one page.
pub const MAX_PAGE_SIZE: usize = 100;
/// Products in one page where `size` is not given.
pub const DEFAULT_PAGE_SIZE: usize = 20;
/// Best sellers in one answer.
pub const MAX_TOP_PRODUCTS: usize = 100;
/// One question to Redis, a new connection included, unless `TIDEMARK_REDIS_TIMEOUT_MS` says otherwise.
pub const REDIS_ANSWER: Duration = Duration::from_millis(150);
/// Questions in a row without an answer, after which Redis is left alone for a while.
pub const REDIS_FAILURES: u32 = 3;
/// That while; then one request looks whether it is back.
pub const REDIS_PAUSE: Duration = Duration::from_millis(250);
/// Questions to Redis under way at once.
pub const REDIS_IN_FLIGHT: usize = 1_000;
/// Lines of a cart; an order can take them all.
pub const MAX_CART_ITEMS: usize = domain::shop::MAX_ITEMS;
/// Units in one line of a cart.
pub const MAX_CART_QUANTITY: u64 = 1_000_000;
/// Life of a cart after its last change.
pub const CART_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Life of a copy in Redis of what was read from MySQL. Nothing depends on it but memory.
pub const CACHE_LIFE: Duration = Duration::from_secs(60 * 60);
/// Newest orders of a user that are kept in Redis.
pub const ORDERS_CACHED: usize = MAX_ORDERS_LISTED;
/// Orders placed since a copy was made that are looked at, 8 bytes each, to see whether one is missing in it; beyond
/// them MySQL is asked. The fold stands still meanwhile.
pub const ORDERS_LOOKED_AT: u64 = 50_000;
/// The same where MySQL is away or far behind; beyond them the answer is 503.
pub const ORDERS_LOOKED_AT_WITHOUT_MYSQL: u64 = 1_000_000;
/// Reads from MySQL under way at once, also those that wait for a connection; more get 503 `OVERLOADED`.
pub const HISTORY_READS: usize = 64;
/// One read from MySQL, waiting for a connection included; then 503.
pub const HISTORY_READ: Duration = Duration::from_secs(1);
/// Between two questions to MySQL how far the order projection is.
pub const PROJECTED_INTERVAL: Duration = Duration::from_secs(1);
/// The same while MySQL is away.
pub const PROJECTED_RETRY: Duration = Duration::from_millis(250);
/// The same while somebody waits for the projection.
pub const PROJECTED_PAUSE: Duration = Duration::from_millis(10);
/// A server that does not answer for so long is left for another one that counts, whatever that one lacks.
pub const READER_GIVES_UP: Duration = Duration::from_secs(10);
/// How long a list of balance changes waits for the order projection.
pub const PROJECTION_WAIT: Duration = Duration::from_secs(1);
/// Last page of a list of balance changes; MySQL counts its way to a page.
pub const MAX_LOG_PAGE: usize = 10_000;
/// A webhook's time may differ from ours by so much.
pub const WEBHOOK_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// Facts that wait for the brokers at once; more get 503 `OVERLOADED`.
pub const MAX_FACTS_IN_FLIGHT: usize = 1_000;
/// A webhook's event id, in visible ASCII characters; it is a Kafka key.
pub const MAX_WEBHOOK_ID_CHARS: usize = 128;
/// A webhook's type, in characters.
pub const MAX_WEBHOOK_TYPE_CHARS: usize = 64;
/// Life of a session.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1_024;
/// Of a larger body, read and thrown away before the 413, in bytes; beyond it the connection is closed at once.
pub const MAX_DISCARDED_BYTES: usize = chassis::leftover::MAX_DISCARDED_BYTES;
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

const _: () = {
    assert!(ORDERS_CACHED >= MAX_ORDERS_LISTED, "a copy must be enough for a list");
    assert!(
        PRODUCER_QUEUE_MESSAGES as usize > MAX_IN_FLIGHT + MAX_FACTS_IN_FLIGHT,
        "waiters must be the first limit"
    );
    assert!(
        ANSWER_DEADLINE.as_millis() > DELIVERY_TIMEOUT_MS as u128 + 1_000,
        "the brokers' verdict must come before the answer's deadline"
    );
    assert!(
        SESSION_LIFE.as_millis() < domain::accounts::MAX_REVOCATION_MS as u128,
        "an ended session must be remembered until it would have ended"
    );
};

//! Every limit of the control plane, with its unit.

use std::time::Duration;

/// Longest group, topic or pool name, in bytes.
pub const MAX_NAME_BYTES: usize = 200;
/// Longest reason or actor, in characters.
pub const MAX_TEXT_CHARS: usize = 500;
/// Shortest time a hold may be given.
pub const MIN_TTL: Duration = Duration::from_secs(1);
/// Longest time a hold may be given, whatever the headroom.
pub const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Scopes in one request.
pub const MAX_SCOPES: usize = 32;
/// One call to the brokers.
pub const CALL: Duration = Duration::from_secs(5);
/// From the hand-over of a record to the brokers' word, in ms.
pub const DELIVERY_MS: u32 = 5_000;
/// A transaction that nobody ended is ended by the brokers after this, in ms; readers wait for it.
pub const TRANSACTION_MS: u32 = 6_000;
/// Reading `control` to its end at the start of a tool, or of a process that may begin paused.
pub const FIRST_READ: Duration = Duration::from_secs(10);
/// Between two looks whether it was read.
pub const FIRST_POLL: Duration = Duration::from_millis(5);
/// Before another try to read it.
pub const READ_RETRY: Duration = Duration::from_millis(500);
/// One poll of the tail.
pub const TAIL_POLL: Duration = Duration::from_millis(100);
/// Longer than this the three topics are never silent while anybody works: whoever hears nothing reads them anew.
pub const TAIL_SILENCE: Duration = Duration::from_secs(15);
/// Between two reports of an instance that has nothing new to say.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(2);
/// A report that is older than this says nothing about now.
pub const REPORT_STALE: Duration = Duration::from_secs(6);
/// Records by which a process knows the brokers' time, at most: one that came late is outweighed, and a clock that the
/// brokers set right is followed once so many came.
pub const CLOCK_RECORDS: usize = 16;
/// Records after which a process may say that its own clock is wrong.
pub const CLOCK_RECORDS_LEAST: usize = 3;
/// From here on a process says that its own clock is wrong.
pub const CLOCK_OFFSET_WARNED: Duration = Duration::from_secs(2);
/// Between two such warnings.
pub const CLOCK_WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Between two settings of the gauges.
pub const GAUGE_INTERVAL: Duration = Duration::from_secs(5);
/// Between two looks for holds whose time has passed.
pub const EXPIRY_POLL: Duration = Duration::from_millis(500);
/// From the look whether the database is healthy to the record of it: a later word is dropped.
pub const VERDICT: Duration = Duration::from_secs(5);
/// Operations that a process remembers.
pub const MAX_OPERATIONS: usize = 1_000;
/// What is in `control` is known everywhere within moments; whoever asks for an operation waits at least so long for that,
/// however short a wait was asked for.
pub const KNOWN_HERE: Duration = Duration::from_secs(5);
/// Longest wait for an operation in one request.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
/// Between two looks at an operation that is waited for.
pub const WAIT_POLL: Duration = Duration::from_millis(50);
/// Longest time for which a database that was left is kept.
pub const MAX_WAY_BACK: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Connections of a pool, at most.
pub const MAX_POOL: u64 = 500;
/// Longest wait for a connection, in ms.
pub const MAX_ACQUIRE_MS: u64 = 60_000;
/// Records in one transaction, at most: that of the consumers.
pub const MAX_BATCH_RECORDS: usize = 1_024;
/// Longest wait of a transaction for more records, in ms.
pub const MAX_BATCH_WAIT_MS: u64 = 10_000;
/// Dead letters in one answer.
pub const MAX_DEAD_LETTERS: usize = 1_000;
/// Dead letters that are looked through for one.
pub const MAX_DEAD_LETTERS_READ: usize = 1_000_000;
/// Reading them.
pub const DEAD_LETTERS_READ: Duration = Duration::from_secs(20);
/// Between two questions for how long topics keep records.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(60);
/// Shares of a partition's headroom at which a pause is warned of.
pub const HEADROOM_WARNINGS: [u64; 3] = [50, 75, 90];

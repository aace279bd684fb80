//! Every limit of the command line, with its unit.

use std::time::Duration;

/// Reaching a process.
pub(crate) const CONNECT: Duration = Duration::from_secs(1);
/// The question whether a process lives, before it is asked anything else: one that is frozen takes every request.
pub(crate) const ALIVE: Duration = Duration::from_secs(2);
/// A question, without the time that it is told to wait. A look at the consumers asks the brokers several times.
pub(crate) const ASK: Duration = Duration::from_secs(15);
/// Topics of dead letters are looked through for up to 20 s.
pub(crate) const LETTERS: Duration = Duration::from_secs(30);
/// A change: longer than the processes' own limits for it (5 s and 6 s), since they know better what became of it.
pub(crate) const CHANGE: Duration = Duration::from_secs(15);
/// A look at another MySQL: both servers are asked several times, for up to 20 s each, and tables may
/// have to be made.
pub(crate) const CHECK: Duration = Duration::from_secs(120);
/// A record whose fate nobody knew stands in `control` by then, or never will: brokers end open transactions after 6 s.
pub(crate) const SETTLED: Duration = Duration::from_secs(15);
/// Going back drains what fails: that takes so many times as long as draining what flows.
pub(crate) const GOING_BACK_TIMES: u32 = 3;
/// How long a way back may stay open: what the processes take.
pub(crate) const WAY_BACK: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A cutover's reason: what is left of 500 beside the longest address.
pub(crate) const CUTOVER_REASON_CHARS: usize = 200;
/// Partitions that a check's report shows.
pub(crate) const CHECK_PARTITIONS: usize = 40;
/// An audit reads the whole log.
pub(crate) const AUDIT: Duration = Duration::from_secs(30 * 60);
/// One question about an operation that is waited for: how often progress is shown.
pub(crate) const STEP: Duration = Duration::from_secs(1);
/// Before the same question again, where nobody knew the answer.
pub(crate) const RETRY: Duration = Duration::from_millis(200);
/// Between two pictures of `status --watch`.
pub(crate) const REFRESH: Duration = Duration::from_secs(2);
/// A report older than this says nothing about now; instances report every 2 s.
pub(crate) const SILENT: Duration = Duration::from_secs(6);
/// A clock that is off by so much is called wrong.
pub(crate) const CLOCK_OFFSET: Duration = Duration::from_secs(2);
/// An answer's body, in bytes.
pub(crate) const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;
/// Dispatches in one answer: the most that a process gives.
pub(crate) const DISPATCH_PAGE: u64 = 1_000;
/// Dead letters that `status` looks at, the newest of all topics.
pub(crate) const DEAD_LETTERS: u32 = 100;
/// Coupons that the table of an audit shows.
pub(crate) const AUDIT_COUPONS: usize = 20;

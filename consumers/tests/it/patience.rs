//! Waits for conditions, never for time.

use consumers::config::Config;
use rdkafka::admin::AdminOptions;
use std::{
    fmt::Debug,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

/// For something that happens soon unless it never does; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(25);

/// Looks again and again until what is seen is right, and says what it saw last if it never is.
pub(crate) async fn until_right<T, S: Debug>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Result<T, S>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Before the look: however long the machine stands still, one comes after it.
        let last = Instant::now() >= deadline;
        match look().await? {
            Ok(seen) => return Ok(seen),
            Err(seen) => anyhow::ensure!(!last, "not within {PATIENCE:?}: {what}; the last seen is {seen:?}"),
        }
        sleep(POLL).await;
    }
}

/// Looks again and again until there is something to see.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    until_right(what, async || Ok(look().await?.ok_or("nothing of it"))).await
}

/// As [`until`], for a condition.
pub(crate) async fn until_true(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    until(what, async || Ok(look().await?.then_some(()))).await
}

/// Counts time in which this process could work: a machine that stands still adds nothing to it.
pub(crate) struct LivedTime {
    ticks: Arc<AtomicU32>,
    counting: AbortHandle,
}

impl LivedTime {
    const TICK: Duration = Duration::from_millis(100);

    pub(crate) fn start() -> Self {
        let ticks = Arc::new(AtomicU32::new(0));
        let counted = ticks.clone();
        let counting = tokio::spawn(async move {
            loop {
                sleep(Self::TICK).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { ticks, counting: counting.abort_handle() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Self::TICK * self.ticks.load(Ordering::Relaxed)
    }
}

impl Drop for LivedTime {
    fn drop(&mut self) {
        self.counting.abort();
    }
}

/// What must end by itself.
pub(crate) async fn within_patience<T>(what: &str, ending: impl Future<Output = T>) -> anyhow::Result<T> {
    let ended = timeout(PATIENCE, ending).await;
    ended.map_err(|_| anyhow::anyhow!("not within {PATIENCE:?}: {what}"))
}

/// For administrative calls, which give up after three seconds otherwise.
pub(crate) fn asking() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE))
}

/// As [`asking`], for topics that are made or removed: the brokers wait as long for each other.
pub(crate) fn making() -> AdminOptions {
    asking().operation_timeout(Some(PATIENCE))
}

/// For tools that are asked once: MySQL may stand still for a moment.
pub(crate) fn patient(config: &Config) -> Config {
    Config { pool_acquire_timeout_ms: PATIENCE.as_millis() as u64, ..config.clone() }
}

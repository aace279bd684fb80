//! Waits for conditions, never for time.

use consumers::config::Config;
use rdkafka::admin::AdminOptions;
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// For something that happens soon unless it never does; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(25);

/// Looks again and again until there is something to see.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        anyhow::ensure!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(POLL).await;
    }
}

/// As [`until`], for a condition.
pub(crate) async fn until_true(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    until(what, async || Ok(look().await?.then_some(()))).await
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

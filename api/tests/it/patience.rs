//! Waits for conditions, never for time.

use std::{fmt::Display, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two looks.
const POLL: Duration = Duration::from_millis(10);

/// Asks until there is an answer; fails the test with the last refusal when there is none in time.
pub(crate) async fn until<T, E: Display>(within: Duration, mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(refusal) => assert!(began.elapsed() < within, "not within {within:?}: {refusal}"),
        }
        sleep(POLL).await;
    }
}

/// As [`until`], for a condition.
pub(crate) async fn until_true(what: &str, within: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    until(within, async || is_so().await.then_some(()).ok_or(what)).await;
}

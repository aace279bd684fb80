//! Waits for conditions, never for time; and what a limit of time may not be blamed for.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Between two looks.
const POLL: Duration = Duration::from_millis(10);
/// How often it is looked whether the machine stalls; a shorter stall is none.
const STEP: Duration = Duration::from_millis(5);

/// Asks until there is an answer; fails the test, saying what was waited for and what was seen last, where there was none
/// in time. What was asked within the time may be answered after it.
pub(crate) async fn until<T, E: Display>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let (began, mut looks) = (Instant::now(), 0_u32);
    loop {
        let asked = began.elapsed();
        match ask().await {
            Ok(answer) => return answer,
            Err(seen) => {
                looks += 1;
                assert!(asked < within, "not within {within:?}: {what}; seen last, of {looks} looks: {seen}");
            }
        }
        sleep(POLL).await;
    }
}

/// Counts for how long the machine gave this process no time at all: nobody's answer is the later for that. A thread of
/// its own, because a runtime that is held up by our code is no machine that stalls.
pub(crate) struct Stalls {
    counted: Arc<Counted>,
}

#[derive(Default)]
struct Counted {
    stood_us: AtomicU64,
    steps: AtomicU64,
    is_over: AtomicBool,
}

impl Stalls {
    /// From now on.
    pub(crate) fn watch() -> Self {
        let counted = Arc::new(Counted::default());
        let counting = counted.clone();
        std::thread::spawn(move || {
            while !counting.is_over.load(Ordering::Relaxed) {
                let began = std::time::Instant::now();
                std::thread::sleep(STEP);
                let late = began.elapsed().saturating_sub(STEP);
                if late >= STEP {
                    counting.stood_us.fetch_add(late.as_micros() as u64, Ordering::Relaxed);
                }
                counting.steps.fetch_add(1, Ordering::Release);
            }
        });
        Self { counted }
    }

    /// All of them until now, also one that ends at this moment.
    pub(crate) async fn so_far(&self) -> Duration {
        let steps = || self.counted.steps.load(Ordering::Acquire);
        let known = steps();
        while steps() < known + 2 {
            sleep(STEP).await;
        }
        Duration::from_micros(self.counted.stood_us.load(Ordering::Relaxed))
    }

    /// Fails the test where something took longer than that, stalls not counted.
    pub(crate) async fn assert_within(&self, took: Duration, limit: Duration) {
        let stood = self.so_far().await;
        assert!(took < limit + stood, "{took:?} of {limit:?}, and the machine stalled for {stood:?}");
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.counted.is_over.store(true, Ordering::Relaxed);
    }
}

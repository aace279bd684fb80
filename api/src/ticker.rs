//! Lets time pass on an idle shop: open orders expire by the log's clock, which only moves with records.
//!
//! Every process does this; two ticks at once are harmless, so there is no leader. The wall clock is never asked.

use crate::{http::Shared, limits};
use chassis::shutdown::CancellationToken;
use schemas::{Record, Uuid, records::Ticked};

/// Appends `Ticked` where an open order fell due and nothing was folded for a while.
pub async fn run(app: Shared, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(limits::TICK_INTERVAL + jitter()) => {}
        }
        if app.condition.ready().is_err() || !is_due(&app) {
            continue;
        }
        let record = Ticked { event_id: Uuid::new_v4(), fingerprint: None };
        // Whoever reads this far did not ask for it: a tick that failed is tried again by the next round.
        if let Err(failure) = app.ingress.submit(&app.ingress.shop, 0, &Record::from(record)).await {
            tracing::debug!(?failure, "a tick was not appended");
        }
    }
}

/// Estimated log time: the last record's, and what went by on this process' monotonic clock since it was folded.
fn is_due(app: &Shared) -> bool {
    let cell = app.ingress.shop.only();
    let idle = cell.idle_for();
    if idle < limits::TICK_IDLE || cell.stopped().is_some() {
        return false;
    }
    let (clock_ms, due) = cell.look(|fold| (fold.header().clock_ms, fold.header().earliest_due_ms));
    let now_ms = clock_ms.saturating_add(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
    due.is_some_and(|due| due <= now_ms)
}

/// So that processes which went idle together do not tick together.
fn jitter() -> std::time::Duration {
    let random = Uuid::new_v4().as_u128() as u64;
    std::time::Duration::from_millis(random % (limits::TICK_JITTER.as_millis() as u64))
}

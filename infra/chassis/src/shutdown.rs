//! Shutdown is a value: a token handed down to whoever must end.

use tokio::signal::unix::{SignalKind, signal};
pub use tokio_util::sync::{CancellationToken, DropGuard};

/// How long blocking calls that are still under way, such as one that waits for a broker, may hold the end of a process.
pub const LEFT_BEHIND: std::time::Duration = std::time::Duration::from_secs(1);

/// A token that is cancelled by SIGTERM or SIGINT.
///
/// # Errors
/// Where the process may not install signal handlers.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancelled = token.clone();
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            // The second one changes nothing: whoever sends it twice must not lose what the first one let finish.
            if cancelled.is_cancelled() {
                tracing::info!(signal, "draining already; SIGKILL ends at once");
            } else {
                tracing::info!(signal, "draining");
                cancelled.cancel();
            }
        }
    });
    Ok(token)
}

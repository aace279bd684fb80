//! Logs to stderr and metrics for Prometheus; set up once, in `main`.

use crate::log_queue::{FlushAtExit, LINES_DROPPED, LogQueue};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Histogram buckets of everything measured in seconds.
pub const SECONDS_BUCKETS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Histogram buckets of everything counted in rows or records.
pub const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1_000.0];

/// How often samples are folded into histograms; without it memory grows until somebody scrapes.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Logs: text on a terminal, JSON lines elsewhere; `TIDEMARK_LOG` filters (default `info`). What is returned writes the
/// last lines when `main` ends.
///
/// # Errors
/// The system has no thread left.
pub fn install_logs() -> io::Result<FlushAtExit> {
    let filter = EnvFilter::try_from_env("TIDEMARK_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm_migration=warn,librdkafka=error"));
    let queue = LogQueue::into_writer(io::stderr())?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(queue.clone());
    if io::stderr().is_terminal() {
        registry.with(layer).init();
    } else {
        registry.with(layer.json()).init();
    }
    Ok(FlushAtExit(queue))
}

/// Metrics: installs the process' recorder and keeps it tidy.
///
/// # Errors
/// Where a recorder is installed already.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    metrics_process::Collector::default().describe();
    metrics::describe_counter!(LINES_DROPPED, "Lines of the log that stderr did not take");
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    use metrics_exporter_prometheus::Matcher::Suffix;
    PrometheusBuilder::new()
        .set_buckets_for_metric(Suffix("_seconds".into()), SECONDS_BUCKETS)?
        .set_buckets_for_metric(Suffix("_count".into()), COUNT_BUCKETS)
}

//! The ingress process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use api::{app::App, config::Config, metric};
use chassis::{config, front::Front, serve, shutdown, telemetry};
use tokio::runtime::Runtime;

fn main() -> anyhow::Result<()> {
    let _flush = telemetry::install_logs()?;
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(run());
    runtime.shutdown_timeout(shutdown::LEFT_BEHIND);
    ended
}

async fn run() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config: Config = config::load(&Config::default())?;
    let metrics = telemetry::install_metrics()?;
    metric::describe();
    let shutdown = shutdown::on_signal()?;
    let public = config.listen_addresses()?.into_iter().map(serve::reserve).collect::<Result<_, _>>()?;
    let admin = serve::bind(config.admin_address()?)?;
    let front = Front::open(admin, config.starting(&shutdown), Some(metrics.clone()))?;
    let app = tokio::select! {
        app = App::build(config, Some(metrics), shutdown.clone()) => app?,
        () = shutdown.cancelled() => return Ok(front.close().await?),
    };
    app.run(public, front).await
}

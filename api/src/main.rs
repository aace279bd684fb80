//! The ingress process.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use api::{app::App, config::Config, metric};
use chassis::{config, serve, shutdown, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _flush = telemetry::install_logs()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config: Config = config::load(&Config::default())?;
    let metrics = telemetry::install_metrics()?;
    metric::describe();
    let shutdown = shutdown::on_signal()?;
    let mut public = Vec::new();
    for address in config.listen_addresses()? {
        public.push(serve::bind(address)?);
    }
    let admin = serve::bind(config.admin_address()?)?;
    let app = App::build(config, Some(metrics), shutdown.clone()).await?;
    app.run(public, admin).await
}

//! Apicurio Registry, spoken to by its Confluent-compatible API.
//!
//! It must never run without `WRITE_DELAY=0`: a killed registry would forget schemas it has confirmed.

use super::{Place, is_a_daemon};
use crate::daemon::{Daemon, Launch, Ready};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Which ports the registry uses.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Port of the API on 127.0.0.1.
    pub port: u16,
    /// Port of health and metrics on 127.0.0.1.
    pub management: u16,
}

/// A schema registry.
#[derive(Debug)]
pub struct Registry {
    daemon: Daemon,
    port: u16,
}
is_a_daemon!(Registry);

impl Registry {
    /// Starts it and waits until its health check is ready.
    ///
    /// # Errors
    /// It does not start; the error carries the end of its log.
    pub fn start(java: PathBuf, registry: &Path, place: &Place, options: &RegistryOptions) -> Result<Self> {
        Ok(Self { daemon: Daemon::start(launch(java, registry, place, options))?, port: options.port })
    }

    /// The base address of the Confluent-compatible API.
    pub fn url(&self) -> String {
        url(self.port)
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/apis/ccompat/v7")
}

pub(crate) fn launch(java: PathBuf, registry: &Path, place: &Place, options: &RegistryOptions) -> Launch {
    let mut launch = Launch::new("registry", java, place.data("registry"), place.log("registry"));
    let (data, port, management) = (launch.folder.display(), options.port, options.management);
    launch.args = [
        "-Xms64m",
        "-Xmx384m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        // Otherwise it leaves a cache in the machine's temporary folder at every start.
        &format!("-Djava.io.tmpdir={data}"),
        "-Dquarkus.http.host=127.0.0.1",
        &format!("-Dquarkus.http.port={port}"),
        "-Dquarkus.management.host=127.0.0.1",
        &format!("-Dquarkus.management.port={management}"),
        "-Dquarkus.http.access-log.enabled=false",
        &format!("-Dapicurio.datasource.url=jdbc:h2:file:{data}/db;WRITE_DELAY=0"),
        "-Dapicurio.rules.global.compatibility=BACKWARD_TRANSITIVE",
        // Tests make subjects of their own per run; the default limit is 1000.
        "-Dapicurio.ccompat.max-subjects=100000",
        "-jar",
        &registry.join("quarkus-run.jar").display().to_string(),
    ]
    .map(str::to_owned)
    .to_vec();
    launch.port = port;
    launch.listens = vec![port, management];
    launch.ready = Ready::Http { url: format!("http://127.0.0.1:{management}/health/ready") };
    launch.ready_deadline_s = 120;
    launch.lifetime = place.lifetime;
    launch
}

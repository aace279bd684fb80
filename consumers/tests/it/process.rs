//! The production process inside the test: on port 0, ended by the test.

use crate::{
    patience::{until_right, until_true, within_patience},
    world::World,
};
use chassis::{front::Front, serve, shutdown::CancellationToken};
use consumers::{app::App, config::Config};
use schemas::Topic;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::task::JoinHandle;

/// A process that runs; one that is dropped is told to end.
pub(crate) struct Process {
    pub(crate) url: String,
    /// One for all questions: each takes time to be made.
    pub(crate) client: reqwest::Client,
    instance: String,
    token: String,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    /// Starts a process with the world's settings.
    pub(crate) async fn start(&self) -> anyhow::Result<Process> {
        self.start_with(self.config.clone()).await
    }

    /// Starts a process with other settings.
    pub(crate) async fn start_with(&self, config: Config) -> anyhow::Result<Process> {
        let listener = serve::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let (shutdown, alive) = (self.shutdown.child_token(), self.alive.clone());
        let (instance, token) = (config.instance.clone(), config.admin_token.clone());
        let front = Front::open(listener, config.starting(&shutdown), None)?;
        let app = App::build(config, None).await?;
        let own = shutdown.clone();
        let running = tokio::spawn(async move {
            let ended = app.run(front, own).await;
            drop(alive);
            ended
        });
        let client = reqwest::Client::builder().no_proxy().build()?;
        let process = Process { url, client, instance, token, shutdown, running };
        // Until what was built answers, nothing does but health and readiness.
        let has_started = async || {
            let is_over = process.running.is_finished();
            Ok(is_over || process.get("/health", false).await?.1["starting"].is_null())
        };
        until_true("it has started", has_started).await?;
        Ok(process)
    }

    /// Starts a process and waits until it has opened every partition.
    pub(crate) async fn start_and_open(&self) -> anyhow::Result<Process> {
        let process = self.start().await?;
        process.until_it_owns(Topic::ALL.map(Topic::partitions).iter().sum()).await?;
        Ok(process)
    }
}

impl Process {
    /// Asks the admin listener.
    pub(crate) async fn get(&self, path: &str, with_token: bool) -> anyhow::Result<(u16, Value)> {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if with_token {
            request = request.bearer_auth(&self.token);
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Sends a body to the admin listener.
    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.json(body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Why `/ready` says no; nothing where it says yes.
    pub(crate) async fn not_ready(&self) -> anyhow::Result<Option<String>> {
        let (status, body) = self.get("/ready", false).await?;
        Ok((status != 200).then(|| body["reason"].as_str().unwrap_or_default().to_owned()))
    }

    /// Waits until `/ready` says no for this reason.
    pub(crate) async fn until_not_ready(&self, because: &str) -> anyhow::Result<String> {
        let what = format!("/ready says no because of {because:?}");
        let look = async || {
            let said = self.not_ready().await?;
            let right = said.as_ref().is_some_and(|reason| reason.contains(because));
            Ok(if right { Ok(said.unwrap_or_default()) } else { Err(said) })
        };
        until_right(&what, look).await
    }

    /// How many partitions it has opened, over all groups.
    pub(crate) async fn owns(&self) -> anyhow::Result<i32> {
        let (_, health) = self.get("/health", false).await?;
        let groups = health["groups"].as_object().into_iter().flatten();
        let owned = groups.filter_map(|(_, group)| group["nextOffsets"].as_object());
        Ok(owned.map(|partitions| partitions.len() as i32).sum())
    }

    pub(crate) async fn until_it_owns(&self, partitions: i32) -> anyhow::Result<()> {
        let what = format!("{partitions} partitions are open");
        let look = async || {
            let owned = self.owns().await?;
            Ok(if owned == partitions { Ok(()) } else { Err((owned, self.not_ready().await?)) })
        };
        until_right(&what, look).await
    }

    /// Waits until it has said in `control.acks` the same as before once more, as it does now and then: it goes on, and
    /// nothing has changed.
    pub(crate) async fn until_it_repeats_itself(&self) -> anyhow::Result<()> {
        let mut before = self.reported().await?;
        until_true("a report without news", async || {
            let now = self.reported().await?;
            let repeated = now.0 > before.0 && now.1 == before.1;
            before = now;
            Ok(repeated)
        })
        .await
    }

    /// When it said last in `control.acks` what it does, and what it said.
    async fn reported(&self) -> anyhow::Result<(Option<i64>, Value)> {
        let (_, mut seen) = self.get("/admin/consumers", true).await?;
        let reports = seen["instances"].as_array_mut().into_iter().flatten();
        let own = reports.map(Value::take).find(|report| report["instance"] == *self.instance);
        let mut own = own.unwrap_or_default();
        let at_ms = own.get_mut("at_ms").map(Value::take);
        // It is measured anew each time.
        own.as_object_mut().and_then(|own| own.remove("clock_offset_ms"));
        Ok((at_ms.and_then(|at_ms| at_ms.as_i64()), own))
    }

    /// Ends it in good order.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        within_patience("the process ends", &mut self.running).await??
    }

    /// Waits until it ends by itself, and returns why.
    pub(crate) async fn its_end(mut self) -> anyhow::Result<String> {
        match within_patience("the process ends by itself", &mut self.running).await?? {
            Ok(()) => anyhow::bail!("it ended without a reason"),
            Err(reason) => Ok(format!("{reason:#}")),
        }
    }
}

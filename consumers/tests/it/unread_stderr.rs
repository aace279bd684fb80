//! The real program, with a stderr that nobody reads.

use crate::{
    patience::{until, until_true},
    world::in_world_without_mysql,
};
use consumers::config::Config;
use serde_json::Value;
use stack::ports::lease;
use std::{
    io::{Write, pipe},
    process::{Child, Command, Stdio},
};

/// What a pipe holds on Linux.
const PIPE_BYTES: usize = 64 << 10;

/// A program that does not outlive its test.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The variable that says a setting.
fn variable((name, value): (&String, &Value)) -> Option<(String, String)> {
    let value = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some((format!("TIDEMARK_{}", name.to_uppercase()), value))
}

/// The first line of its log would wait for ever; there are many, as MySQL is not there.
#[tokio::test]
async fn a_stderr_that_nobody_reads_stops_neither_health_nor_the_end() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let port = lease()?;
        let admin_listen = format!("127.0.0.1:{}", port.port());
        let health = format!("http://{admin_listen}/health");
        let settings = serde_json::to_value(Config { admin_listen, ..world.config.clone() })?;
        let (_unread, mut full) = pipe()?;
        full.write_all(&[b'x'; PIPE_BYTES])?;
        drop(port);
        let mut command = Command::new(env!("CARGO_BIN_EXE_consumers"));
        command
            .arg("run")
            .envs(settings.as_object().into_iter().flatten().filter_map(variable))
            .env("TIDEMARK_LOG", "debug")
            .stderr(Stdio::from(full));
        let mut process = Started(command.spawn()?);
        let client = reqwest::Client::builder().no_proxy().build()?;
        until_true("/health answers", async || {
            anyhow::ensure!(process.0.try_wait()?.is_none(), "it ended by itself");
            Ok(client.get(&health).send().await.is_ok_and(|answer| answer.status() == 200))
        })
        .await?;
        let id = process.0.id().to_string();
        anyhow::ensure!(Command::new("kill").args(["-TERM", &id]).status()?.success());
        let ended = until("its end", async || Ok(process.0.try_wait()?)).await?;
        anyhow::ensure!(ended.success(), "{ended}");
        Ok(())
    })
    .await
}

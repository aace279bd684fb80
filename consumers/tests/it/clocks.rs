//! A process whose machine has another time than all others.

use crate::{
    operator::{pause, settles},
    patience::{until, until_true},
    process::Process,
    records::{claim, fresh, open},
    world::in_world,
};
use anyhow::{Context, ensure};
use consumers::config::Config;
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

/// How far ahead its clock is.
const AHEAD_S: i64 = 3_600;
/// Reports of it, every 2 s, after each of which it has looked several times for holds whose time has passed.
const REPORTS: usize = 3;

/// A real process; one that is dropped is killed.
struct Wrong(Child);

impl Drop for Wrong {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Wrong {
    fn start(config: &Config, shim: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consumers"));
        command.arg("run").env_clear().envs([
            ("LD_PRELOAD", shim.to_str().context("a path")?),
            ("WRONG_BY_SECONDS", &AHEAD_S.to_string()),
            ("TIDEMARK_KAFKA", &config.kafka),
            ("TIDEMARK_REGISTRY_URL", &config.registry_url),
            ("TIDEMARK_TOPIC_PREFIX", &config.topic_prefix),
            ("TIDEMARK_INSTANCE", &config.instance),
            ("TIDEMARK_ADMIN_LISTEN", "127.0.0.1:0"),
            ("TIDEMARK_ADMIN_TOKEN", &config.admin_token),
            ("TIDEMARK_DATABASE_URL", &config.database_url),
            ("TIDEMARK_EMAIL_KEY", &config.email_key),
            ("TIDEMARK_FINGERPRINT_KEY", &config.fingerprint_key),
            ("TIDEMARK_SESSION_TIMEOUT_MS", &config.session_timeout_ms.to_string()),
            ("TIDEMARK_GROUPS", &config.groups),
        ]);
        let output = std::env::var_os("TIDEMARK_LOG").map_or_else(Stdio::null, |_| Stdio::inherit());
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn()?))
    }
}

fn compile(into: &Path) -> anyhow::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/wrong_clock.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(into).arg(source).status();
    ensure!(made.context("a C compiler, cc, is needed")?.success(), "the shim was not compiled");
    Ok(())
}

/// What an instance reported last.
async fn report(process: &Process, instance: &str) -> anyhow::Result<Option<Value>> {
    let (_, seen) = process.get("/admin/consumers", true).await?;
    let found = seen["instances"].as_array().into_iter().flatten().find(|own| own["instance"] == instance);
    Ok(found.cloned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_of_45_minutes_outlives_a_process_whose_clock_is_an_hour_ahead() -> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 1_000)).collect::<Vec<_>>()).await?;
        let shim = std::env::temp_dir().join(format!("{}wrong-clock.so", world.config.topic_prefix));
        compile(&shim)?;
        let instance = format!("{}-ahead", world.config.instance);
        let wrong = Wrong::start(&Config { instance: instance.clone(), ..world.config.clone() }, &shim)?;
        let right = world.start().await?;
        let ahead = until("the wrong one works, and everybody sees that its clock is wrong", async || {
            let own = report(&right, &instance).await?;
            let works = |own: &Value| {
                own["groups"]["coupon-projection"]["partitions"]
                    .as_object()
                    .is_some_and(|all| !all.is_empty())
            };
            Ok(own.filter(works).and_then(|own| own["clock_offset_ms"].as_i64()))
        })
        .await?;
        ensure!((ahead - AHEAD_S * 1_000).abs() < 600_000, "it is {ahead} ms ahead");
        let operation = pause(&right, json!({"scope": {"all": true}, "ttl": "45m"})).await?;
        settles(&right, &operation, "PAUSED").await?;
        let before = world.applied().await?;
        world
            .append(&(0..100).map(|user| claim(fresh(), user % 8 + 1, user + 1)).collect::<Vec<_>>())
            .await?;
        for _ in 0..REPORTS {
            let last = report(&right, &instance).await?.context("a report")?["at_ms"].as_i64();
            until_true("it reports again", async || {
                Ok(report(&right, &instance).await?.context("a report")?["at_ms"].as_i64() > last)
            })
            .await?;
        }
        settles(&right, &operation, "PAUSED").await?;
        assert_eq!(world.applied().await?, before, "something was written");
        drop(wrong);
        std::fs::remove_file(&shim)?;
        right.stop().await
    })
    .await
}

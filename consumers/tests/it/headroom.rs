//! A topic that forgets: no pause may outlive what it keeps, unless somebody insists.

use crate::{
    patience::asking,
    process::Process,
    world::{World, in_world},
};
use anyhow::Context;
use rdkafka::admin::{AlterConfig, ResourceSpecifier};
use reqwest::Method;
use schemas::Topic;
use serde_json::{Value, json};

/// What somebody set by mistake: request logs are kept for ever.
const KEPT_S: f64 = 3_600.0;

async fn forget(world: &World) -> anyhow::Result<()> {
    let name = Topic::Coupon.name(&world.config.topic_prefix);
    let kept_ms = (KEPT_S * 1e3).to_string();
    // What is not named here falls back to the brokers' own.
    let altered = AlterConfig::new(ResourceSpecifier::Topic(&name))
        .set("retention.ms", &kept_ms)
        .set("message.timestamp.type", "LogAppendTime");
    let done = world.admin()?.alter_configs([&altered], &asking()).await?;
    done.into_iter().next().context("an answer")?.map_err(|(_, code)| anyhow::anyhow!("{code}"))?;
    Ok(())
}

async fn ask(process: &Process, method: Method, path: &str, body: Value) -> anyhow::Result<(u16, Value)> {
    let (status, answer) = process.send(method, path, &body).await?;
    Ok((status, answer["errorCode"].clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_beyond_what_the_topic_keeps_is_refused_unless_it_is_forced() -> anyhow::Result<()> {
    in_world(async |world| {
        forget(world).await?;
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        let pause = "/admin/consumers/pause";
        let wanted = |group: &str, ttl: &str, force: bool| {
            json!({"scope": {"groups": [group]}, "ttl": ttl, "reason": "a test", "force": force})
        };
        let beyond = (400, json!("BEYOND_HEADROOM"));
        let asked = ask(&process, Method::POST, pause, wanted("coupon-projection", "61m", false)).await?;
        assert_eq!(asked, beyond);
        // A log that is kept for ever sets no bound.
        assert_eq!(ask(&process, Method::POST, pause, wanted("signup-projection", "61m", false)).await?.0, 202);
        assert_eq!(ask(&process, Method::POST, pause, wanted("coupon-projection", "59m", false)).await?.0, 202);
        let scope = json!({"groups": ["coupon-projection"]});
        let longer = |force: bool| json!({"ttl": "61m", "scope": scope, "force": force});
        let extend = "/admin/consumers/pause/operator";
        assert_eq!(ask(&process, Method::PATCH, extend, longer(false)).await?, beyond);
        assert_eq!(ask(&process, Method::PATCH, extend, longer(true)).await?.0, 202);

        let (_, seen) = process.get("/admin/consumers", true).await?;
        let headroom = |group: &str| seen["groups"][group]["partitions"][0]["headroom_seconds"].clone();
        let left = headroom("coupon-projection").as_f64().context("a headroom")?;
        assert!(left > 0.0 && left <= KEPT_S, "{left}");
        assert_eq!(headroom("signup-projection"), Value::Null);
        process.stop().await
    })
    .await
}

//! Settings that operators change while everything runs, and dead letters that they look at.

use crate::{
    patience::{until, until_right, until_true},
    process::Process,
    records::{claim, fresh, open},
    world::{Entry, in_world, in_world_without_mysql},
};
use reqwest::Method;
use schemas::Topic;
use serde_json::{Value, json};

async fn pool(process: &Process) -> anyhow::Result<Value> {
    let (status, answer) = process.get("/admin/pools", true).await?;
    assert_eq!(status, 200, "{answer}");
    let pools = answer["pools"].as_array().cloned().unwrap_or_default();
    let found = pools.into_iter().find(|pool| pool["name"] == "writer/coupon-projection");
    Ok(found.unwrap_or_default())
}

async fn batch_records(process: &Process) -> anyhow::Result<Value> {
    let (_, seen) = process.get("/admin/consumers", true).await?;
    Ok(seen["instances"][0]["groups"]["coupon-projection"]["batch_records"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_and_batches_are_changed_while_records_flow_and_only_durable_changes_outlive_a_process()
-> anyhow::Result<()> {
    in_world(async |world| {
        world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 1_000)).collect::<Vec<_>>()).await?;
        let process = world.start_and_open().await?;
        let change =
            json!({"max": 3, "min": 1, "acquire_timeout_ms": 1500, "durable": true, "reason": "a test"});
        let (status, answer) = process.send(Method::PATCH, "/admin/pools/writer", &change).await?;
        assert_eq!(status, 202, "{answer}");
        let change = json!({"batch_records": 7, "batch_wait_ms": 50});
        let path = "/admin/consumers/tuning/coupon-projection";
        let (status, answer) = process.send(Method::PATCH, path, &change).await?;
        assert_eq!(status, 202, "{answer}");
        let claims: Vec<_> = (0..400).map(|user| claim(fresh(), user % 8 + 1, user + 1)).collect();
        world.append(&claims).await?;
        until_true("the pool is changed", async || Ok(pool(&process).await?["max"] == 3)).await?;
        // The former pool counts until whoever uses it has let go.
        let changed = until_right("no more connections than that are open", async || {
            let pool = pool(&process).await?;
            Ok(if pool["open"].as_u64().is_some_and(|open| open <= 3) { Ok(pool) } else { Err(pool) })
        })
        .await?;
        assert_eq!((&changed["min"], &changed["acquire_timeout_ms"]), (&json!(1), &json!(1500)));
        until_true("the batches are changed", async || Ok(batch_records(&process).await? == 7)).await?;
        world.clean_audit().await?;
        process.stop().await?;
        let process = world.start_and_open().await?;
        until_true("what is durable stays", async || Ok(pool(&process).await?["max"] == 3)).await?;
        until_true("what is not is gone", async || Ok(batch_records(&process).await? == 1_024)).await?;
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let process = world.start().await?;
        let cases = [
            ("/admin/pools/writer", json!({"max": 0}), 400),
            ("/admin/pools/writer", json!({"max": 501}), 400),
            ("/admin/pools/writer", json!({"max": 2, "min": 3}), 400),
            ("/admin/pools/writer", json!({"acquire_timeout_ms": 0}), 400),
            ("/admin/pools/writer", json!({"max": -1}), 400),
            ("/admin/pools/writer", json!({"size": 1}), 400),
            ("/admin/pools/other", json!({"max": 1}), 404),
            ("/admin/consumers/tuning/all", json!({"batch_records": 0}), 400),
            ("/admin/consumers/tuning/all", json!({"batch_records": 1_025}), 400),
            ("/admin/consumers/tuning/all", json!({"batch_wait_ms": 10_001}), 400),
            ("/admin/consumers/tuning/nobody", json!({"batch_records": 1}), 404),
        ];
        for (path, body, expected) in cases {
            let (status, answer) = process.send(Method::PATCH, path, &body).await?;
            assert_eq!(status, expected, "{path} {body}: {answer}");
        }
        let (_, answer) = process.get("/admin/pools", true).await?;
        assert_eq!(answer["tunings"], json!({}));
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_with_their_reasons_and_shown_byte_by_byte() -> anyhow::Result<()> {
    in_world(async |world| {
        let letters = [(1, Some(b"no record".to_vec())), (2, Some(vec![0, 1, 2])), (2, None)];
        let entry = |(partition, payload)| Entry { topic: Topic::Coupon, partition, payload };
        world.append_entries(letters.into_iter().map(entry).collect()).await?;
        world.expect_dead_letters(3);
        let process = world.start_and_open().await?;
        let listed = until("three dead letters", async || {
            let (status, answer) = process.get("/admin/dead-letters?topic=coupon", true).await?;
            assert_eq!(status, 200, "{answer}");
            let listed = answer["deadLetters"].as_array().cloned().unwrap_or_default();
            Ok((listed.len() == 3).then_some(listed))
        })
        .await?;
        let places = listed.iter().map(|letter| (letter["partition"].as_i64(), letter["offset"].as_i64()));
        let mut places: Vec<_> = places.collect();
        places.sort_unstable();
        assert_eq!(places, [(Some(1), Some(1)), (Some(2), Some(1)), (Some(2), Some(2))]);
        assert!(listed.iter().all(|letter| letter["reason"] == "not a record of its schema"), "{listed:?}");
        let (status, shown) = process.get("/admin/dead-letters/coupon/1/1", true).await?;
        assert_eq!(
            (status, &shown["payload_hex"], &shown["bytes"]),
            (200, &json!("6e6f207265636f7264"), &json!(9))
        );
        for (path, expected) in [
            ("/admin/dead-letters/coupon/1/7", 404),
            ("/admin/dead-letters?topic=payment", 404),
            ("/admin/dead-letters?limit=0", 400),
            ("/admin/dead-letters?limit=1001", 400),
        ] {
            assert_eq!(process.get(path, true).await?.0, expected, "{path}");
        }
        assert_eq!(process.get("/admin/dead-letters", false).await?.0, 401);
        process.stop().await
    })
    .await
}

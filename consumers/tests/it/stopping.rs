//! What must not be skipped: a partition stops before it, says so, and keeps everything that stood before.

use crate::{
    patience::{patient, until_true},
    process::Process,
    records::{claim, fresh, guest, guest_of, open},
    world::{Entry, World, in_world},
};
use reqwest::Method;
use schemas::{Topic, Uuid, records::RulesActivated};
use serde_json::json;

/// A coupon of partition `partition`, with two winners; then what must not be skipped; then another claim.
async fn append_around(world: &World, partition: i32, payload: Option<Vec<u8>>) -> anyhow::Result<u64> {
    let coupon = i64::from(partition) + 1;
    world.append(&[open(fresh(), coupon, 9), claim(fresh(), coupon, 1), claim(fresh(), coupon, 2)]).await?;
    let offsets = world.append_entries(vec![Entry { topic: Topic::Coupon, partition, payload }]).await?;
    world.append(&[claim(fresh(), coupon, 3)]).await?;
    Ok(offsets[0])
}

async fn stopped(process: &Process) -> anyhow::Result<serde_json::Value> {
    let (_, health) = process.get("/health", false).await?;
    Ok(health["groups"]["coupon-projection"]["stopped"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_stops_before_what_this_binary_does_not_understand() -> anyhow::Result<()> {
    in_world(async |world| {
        let newer = RulesActivated { event_id: Uuid::new_v4(), version: 2, ..world.foundation().await? };
        let newer = world.entry(&newer.into()).await?.payload;
        let foreign = world.entry(&guest(fresh())).await?.payload;
        let unknown_schema = Some([&[0][..], &999_999_i32.to_be_bytes(), b"datum"].concat());
        let cases = [
            (1, unknown_schema, "schema id 999999 is not among those that the log's rules list"),
            (2, newer, "rules version 2 is newer than this binary"),
            (3, foreign, "has no place in this topic"),
        ];
        for (partition, payload, _) in &cases {
            assert_eq!(append_around(world, *partition, payload.clone()).await?, 4);
        }
        world.append(&[guest_of(1), open(fresh(), 1, 2)]).await?;
        // Also the next process does not pass.
        for _ in 0..2 {
            let process = world.start().await?;
            until_true("three partitions have stopped", async || {
                Ok(stopped(&process).await?.as_object().is_some_and(|stopped| stopped.len() == 3))
            })
            .await?;
            let reason = process.not_ready().await?.unwrap_or_default();
            assert!(reason.contains("coupon-projection stopped partition 1: at offset 4"), "{reason}");
            let stopped = stopped(&process).await?;
            for (partition, _, expected) in &cases {
                let reason = stopped[partition.to_string()].as_str().unwrap_or_default();
                assert!(reason.contains(expected) && reason.contains("at offset 4"), "{reason}");
                assert_eq!(world.next_offset(Topic::Coupon, *partition).await?, 4);
            }
            world.until_applied(Topic::Coupon, 0, 2).await?;
            world.until_applied(Topic::Signup, 1, 2).await?;
            process.stop().await?;
        }
        assert_eq!(world.rows().await?.claims.len(), 2 * cases.len());
        // The audit does not pass it either, and says so; what is there is right.
        let report = consumers::audit::run(&patient(&world.config), std::time::Duration::ZERO).await?;
        assert_eq!(report.findings.len(), cases.len(), "{report}");
        assert!(report.findings.iter().all(|finding| finding.contains("cannot be replayed at offset 4")));
        pass_over(world, cases.len()).await
    })
    .await
}

/// An operator decides to pass over what they stopped at, and nothing else.
async fn pass_over(world: &World, partitions: usize) -> anyhow::Result<()> {
    let process = world.start().await?;
    until_true("they have stopped", async || {
        Ok(stopped(&process).await?.as_object().is_some_and(|stopped| stopped.len() == partitions))
    })
    .await?;
    let skip = |partition: i32, offset: u64| json!({"topic": "coupon", "partition": partition, "offset": offset, "reason": "a test"});
    let elsewhere = [(1, 3), (1, 5), (0, 1), (7, 4)];
    for (partition, offset) in elsewhere {
        let (status, answer) = process.send(Method::POST, "/admin/skips", &skip(partition, offset)).await?;
        assert_eq!((status, &answer["errorCode"]), (409, &json!("NOT_STOPPED_THERE")), "{answer}");
    }
    for partition in 1..=partitions as i32 {
        until_true("it can be passed over", async || {
            Ok(process.send(Method::POST, "/admin/skips", &skip(partition, 4)).await?.0 == 202)
        })
        .await?;
    }
    until_true("nothing is stopped", async || Ok(process.not_ready().await?.is_none())).await?;
    world.clean_audit().await?;
    assert_eq!(world.rows().await?.claims.len(), 3 * partitions);
    process.stop().await?;
    // Whoever fills an empty database comes to the same.
    let before = world.rows().await?;
    world.empty().await?;
    let process = world.start().await?;
    world.clean_audit().await?;
    process.stop().await?;
    assert_eq!(world.rows().await?, before);
    Ok(())
}

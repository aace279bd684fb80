//! Pausing and resuming by operators: what is confirmed is true, on every process, whatever happens meanwhile.

use crate::{
    operator::{pause, progress, resume},
    patience::{LivedTime, PATIENCE, until_right, until_true},
    process::Process,
    records::{claim, fresh, open},
    world::{SOON_MISSED_MS, World, in_world},
};
use consumers::config::Config;
use reqwest::Method;
use schemas::{Record, Topic};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than anything takes that settles.
const SETTLED: &str = "60s";

/// Claims of as many users, spread over all partitions of `coupon`.
fn claims(users: std::ops::Range<i64>) -> Vec<Record> {
    users.map(|user| claim(fresh(), user % 8 + 1, user + 1)).collect()
}

async fn open_coupons(world: &World) -> anyhow::Result<()> {
    world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 1_000_000)).collect::<Vec<_>>()).await
}

/// A second instance beside the world's own.
async fn second(world: &World) -> anyhow::Result<Process> {
    second_with(world, world.config.session_timeout_ms).await
}

/// One that is missed after so long.
async fn second_with(world: &World, session_timeout_ms: u64) -> anyhow::Result<Process> {
    let instance = format!("{}-two", world.config.instance);
    world.start_with(Config { instance, session_timeout_ms, ..world.config.clone() }).await
}

async fn state(process: &Process, operation: &str) -> anyhow::Result<Value> {
    Ok(progress(process, operation, SETTLED).await?["state"].clone())
}

/// That nothing is written, though there is something to write, while every process reports twice that nothing is new.
async fn assert_still(world: &World, processes: &[&Process]) -> anyhow::Result<()> {
    let before = world.applied().await?;
    let ends: u64 = world.ends().await?.iter().sum();
    assert!(before.unsigned_abs() < ends, "there is nothing to write");
    for process in processes.iter().cycle().take(2 * processes.len()) {
        process.until_it_repeats_itself().await?;
    }
    assert_eq!(world.applied().await?, before, "something was written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_instance_rests_once_paused_was_answered_and_goes_on_when_it_is_resumed() -> anyhow::Result<()>
{
    in_world(async |world| {
        open_coupons(world).await?;
        let (one, two) = (world.start().await?, second(world).await?);
        until_true("both own partitions", async || Ok(one.owns().await? > 0 && two.owns().await? > 0))
            .await?;
        world.append(&claims(0..3_000)).await?;
        let lived = LivedTime::start();
        let operation = pause(&one, json!({"scope": {"all": true}, "ttl": "10m"})).await?;
        let paused = progress(&two, &operation, SETTLED).await?;
        assert_eq!(paused["state"], "PAUSED", "{paused}");
        assert!(lived.elapsed() < Duration::from_secs(15), "{:?}", lived.elapsed());
        world.append(&claims(3_000..6_000)).await?;
        assert_still(world, &[&one, &two]).await?;
        let instances = paused["instances"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (paused["confirmed"].as_u64(), instances),
            (Some(6), 6),
            "two instances, three groups: {paused}"
        );
        let (_, seen) = two.get("/admin/consumers", true).await?;
        let rows = seen["groups"]["coupon-projection"]["partitions"].as_array().cloned().unwrap_or_default();
        assert_eq!(rows.len(), 8);
        for row in &rows {
            assert_eq!((&row["desired"], &row["observed"]), (&json!("PAUSED"), &json!("PAUSED")), "{row}");
            assert_eq!(row["holders"], json!(["operator"]), "{row}");
            assert!(
                row["lag_records"].as_u64() > Some(0) && row["lag_seconds"].as_f64() > Some(0.5),
                "{row}"
            );
        }
        let operation = resume(&two, json!({})).await?;
        assert_eq!(state(&one, &operation).await?, "RUNNING");
        world.clean_audit().await?;
        let (_, operations) = one.get("/admin/operations", true).await?;
        let kinds: Vec<_> =
            operations["operations"].as_array().into_iter().flatten().map(|o| o["kind"].clone()).collect();
        assert_eq!(kinds, ["resume", "pause"]);
        one.stop().await?;
        two.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_starts_while_paused_writes_nothing_and_all_may_restart() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        let one = world.start_and_open().await?;
        // The other groups flow all the while, and have nothing left to write.
        world.clean_audit().await?;
        let operation = pause(&one, json!({"scope": {"groups": ["coupon-projection"]}})).await?;
        assert_eq!(state(&one, &operation).await?, "PAUSED");
        world.append(&claims(0..500)).await?;
        // It does not come back.
        let two = second_with(world, SOON_MISSED_MS).await?;
        assert_still(world, &[&one, &two]).await?;
        one.stop().await?;
        two.stop().await?;
        let one = world.start().await?;
        assert_still(world, &[&one]).await?;
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM user_coupons").await?, 0);
        let (_, seen) = one.get("/admin/consumers", true).await?;
        assert_eq!(seen["holds"][0]["operation"], json!(operation), "{}", seen["holds"]);
        let operation =
            resume(&one, json!({"ramp": {"start_percent": 10, "step_percent": 45, "every": "1s"}})).await?;
        assert_eq!(state(&one, &operation).await?, "RUNNING");
        world.clean_audit().await?;
        one.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_holders_never_undo_each_other() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        let one = world.start_and_open().await?;
        // The other groups flow all the while, and have nothing left to write.
        world.clean_audit().await?;
        pause(&one, json!({"scope": {"topics": ["coupon"]}})).await?;
        let cutover =
            json!({"scope": {"groups": ["coupon-projection"]}, "holder": "cutover", "mode": "hold"});
        let operation = pause(&one, cutover).await?;
        assert_eq!(state(&one, &operation).await?, "PAUSED");
        world.append(&claims(0..100)).await?;
        let operation = resume(&one, json!({"holder": "operator"})).await?;
        let still = progress(&one, &operation, SETTLED).await?;
        assert_eq!((&still["state"], &still["held_by"]), (&json!("PAUSED"), &json!(["cutover"])), "{still}");
        assert_still(world, &[&one]).await?;
        let operation = resume(&one, json!({"holder": "cutover"})).await?;
        assert_eq!(state(&one, &operation).await?, "RUNNING");
        world.clean_audit().await?;
        one.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_counts_at_once_whichever_process_is_asked_next() -> anyhow::Result<()> {
    in_world(async |world| {
        let (one, two) = (world.start().await?, second(world).await?);
        for (asked, next) in [(&one, &two), (&two, &one), (&one, &one)].iter().cycle().take(12) {
            let first = pause(asked, json!({"scope": {"all": true}})).await?;
            let (status, said) = next.get(&format!("/admin/operations/{first}"), true).await?;
            assert_eq!((status, &said["operation"]["id"]), (200, &json!(first)), "{said}");
            let body = json!({"scope": {"all": true}, "reason": "once more"});
            let (_, said) = next.send(Method::POST, "/admin/consumers/pause", &body).await?;
            assert_eq!(said["replaces"], json!([first]), "{said}");
            let longer = json!({"ttl": "10m", "set_end": true});
            let (status, said) =
                asked.send(Method::PATCH, "/admin/consumers/pause/operator", &longer).await?;
            assert_eq!(status, 202, "{said}");
            resume(next, json!({})).await?;
            let (status, said) = asked.send(Method::POST, "/admin/consumers/resume", &json!({})).await?;
            assert_eq!((status, &said["errorCode"]), (409, &json!("NOT_HELD")), "{said}");
        }
        one.stop().await?;
        two.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_pool_leaves_no_session_and_comes_back() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        // So long MySQL keeps sessions that say nothing: one that was forgotten does not go away by itself.
        let session_timeout_ms = 2 * PATIENCE.as_millis() as u64;
        let one = world.start_with(Config { session_timeout_ms, ..world.config.clone() }).await?;
        one.until_it_owns(13).await?;
        let operation = pause(&one, json!({"scope": {"all": true}, "mode": "release"})).await?;
        let paused = progress(&one, &operation, SETTLED).await?;
        assert_eq!(paused["state"], "PAUSED", "{paused}");
        for instance in paused["instances"].as_array().into_iter().flatten() {
            assert_eq!(instance["database_sessions"], 0, "{instance}");
        }
        // Those that are left are this test's own. The server needs a moment to see that a client has left.
        until_right("no session of the writer is left", async || {
            let (own, left) = (world.db.get_mysql_connection_pool().size(), world.sessions().await?);
            Ok(if left <= own { Ok(()) } else { Err((own, left)) })
        })
        .await?;
        world.append(&claims(0..100)).await?;
        assert_still(world, &[&one]).await?;
        let operation = resume(&one, json!({})).await?;
        assert_eq!(state(&one, &operation).await?, "RUNNING");
        world.clean_audit().await?;
        one.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_ends_when_its_time_has_passed_or_stays_where_it_was_placed_to_stay() -> anyhow::Result<()> {
    in_world(async |world| {
        open_coupons(world).await?;
        let one = world.start_and_open().await?;
        let coupon = json!({"groups": ["coupon-projection"]});
        let operation = pause(&one, json!({"scope": coupon, "ttl": "6s", "on_expiry": "resume"})).await?;
        assert_eq!(state(&one, &operation).await?, "PAUSED");
        until_true("its time has passed", async || Ok(state(&one, &operation).await? == "EXPIRED")).await?;
        world.append(&claims(0..100)).await?;
        world.clean_audit().await?;
        let operation =
            pause(&one, json!({"scope": coupon, "ttl": "1s", "on_expiry": "stay_and_alert"})).await?;
        until_true("it is overdue", async || {
            let (_, seen) = one.get("/admin/consumers", true).await?;
            Ok(seen["holds"][0]["overdue"].is_string())
        })
        .await?;
        assert_eq!(state(&one, &operation).await?, "PAUSED");
        world.append(&claims(100..200)).await?;
        assert_still(world, &[&one]).await?;
        // An extension that comes late is one all the same.
        let (status, answer) =
            one.send(Method::PATCH, "/admin/consumers/pause/operator", &json!({"ttl": "10m"})).await?;
        assert_eq!(status, 202, "{answer}");
        until_true("it is not overdue any more", async || {
            let (_, seen) = one.get("/admin/consumers", true).await?;
            Ok(seen["holds"][0]["overdue"].is_null())
        })
        .await?;
        resume(&one, json!({})).await?;
        world.clean_audit().await?;
        one.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    in_world(async |world| {
        let one = world.start_and_open().await?;
        let all = json!({"all": true});
        let cases = [
            (json!({"scope": {"groups": ["nobody"]}, "reason": "r"}), 404, "UNKNOWN_GROUP"),
            (json!({"scope": {"topics": ["payment"]}, "reason": "r"}), 404, "UNKNOWN_TOPIC"),
            (
                json!({"scope": {"partitions": [{"topic": "coupon", "partition": 99}]}, "reason": "r"}),
                404,
                "UNKNOWN_PARTITION",
            ),
            (json!({"scope": {}, "reason": "r"}), 400, "INVALID_REQUEST"),
            (json!({"scope": all}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": " "}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": "r", "ttl": "0s"}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": "r", "ttl": "soon"}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": "r", "ttl": "31days"}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": "r", "mode": "stop"}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": "r", "holder": "me"}), 400, "INVALID_REQUEST"),
            (json!({"scope": all, "reason": "r", "tll": "1m"}), 400, "INVALID_REQUEST"),
        ];
        for (body, status, code) in cases {
            let (found, answer) = one.send(Method::POST, "/admin/consumers/pause", &body).await?;
            assert_eq!((found, &answer["errorCode"]), (status, &json!(code)), "{body}: {answer}");
        }
        let (status, answer) = one.send(Method::POST, "/admin/consumers/resume", &json!({})).await?;
        assert_eq!((status, &answer["errorCode"]), (409, &json!("NOT_HELD")));
        let path = "/admin/consumers/pause/operator";
        let (status, answer) = one.send(Method::PATCH, path, &json!({"ttl": "1m"})).await?;
        assert_eq!((status, &answer["errorCode"]), (409, &json!("NOT_HELD")));
        let unknown = "/admin/operations/6f2d1f0e-0000-4000-8000-000000000000";
        assert_eq!(one.get(unknown, true).await?.0, 404);
        for path in ["/admin/consumers", "/admin/operations"] {
            assert_eq!(one.get(path, false).await?.0, 401);
        }
        let (_, operations) = one.get("/admin/operations", true).await?;
        assert_eq!(operations["operations"], json!([]));
        world.until_applied(Topic::Coupon, 0, 1).await?;
        assert_eq!(world.next_offset(Topic::Coupon, 0).await?, 1);
        one.stop().await
    })
    .await
}

//! The audit must be able to fail: everything that can be wrong in MySQL or in a process is named.

use crate::{
    patience::patient,
    records::{campaign, claim, erase, fresh, guest_of, open, sign_up},
    world::{Entry, World, in_world},
};
use axum::{Json, Router, http::HeaderMap, routing::get};
use consumers::{audit, config::Config};
use futures_util::{StreamExt, stream};
use schemas::{Topic, Uuid};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::{net::Ipv4Addr, time::Duration};
use tokio::{net::TcpListener, task::AbortHandle};

/// A log with a little of everything, applied.
async fn applied(world: &World) -> anyhow::Result<()> {
    world.expect_dead_letters(1);
    let mut records = vec![open(fresh(), 1, 2), open(fresh(), 2, 5), campaign(fresh(), "apply", 9)];
    records.extend((1..=3).map(|user| claim(fresh(), 1, user)));
    records.extend((1..=3).map(|user| claim(fresh(), 2, user)));
    records.extend([guest_of(0), guest_of(3), sign_up(fresh(), 1), sign_up(fresh(), 2), erase(fresh(), 3)]);
    world.append(&records).await?;
    let payload = Some(b"no record".to_vec());
    world.append_entries(vec![Entry { topic: Topic::Coupon, partition: 4, payload }]).await?;
    let process = world.start().await?;
    world.clean_audit().await?;
    process.stop().await
}

/// An audit mostly waits.
const AUDITS_AT_ONCE: usize = 5;

async fn findings(config: &Config) -> anyhow::Result<audit::Report> {
    audit::run(&patient(config), Duration::ZERO).await
}

/// What is done to MySQL, and what the audit must say.
const CORRUPTIONS: [(&str, &str); 15] = [
    ("DELETE FROM user_coupons WHERE coupon_id = 2 AND number = 2", "MySQL lacks"),
    ("DELETE FROM users WHERE id = 4", "users 4: MySQL lacks"),
    ("UPDATE users SET created_at_ms = created_at_ms + 1 WHERE id = 2", "users 2: the log says"),
    ("UPDATE users SET erased_at_ms = NULL WHERE id = 3", "users 3: the log says"),
    ("UPDATE user_coupons SET user_id = 99 WHERE coupon_id = 2 AND number = 3", "the log says"),
    ("INSERT INTO users VALUES (400, NULL, NULL, 1, NULL)", "users 400: the log knows nothing of"),
    ("INSERT INTO coupons VALUES (77, 'x', 1, 0, 0, 0, 0, NULL)", "coupons 77: the log knows nothing of"),
    ("INSERT INTO user_coupons VALUES ((1 << 32) + 3, 1, 3, 3, 1)", "coupon 1 is oversold: 2 pieces"),
    ("UPDATE coupons SET issued = issued - 1 WHERE id = 2", "coupons 2: the log says"),
    ("UPDATE campaigns SET coupon_id = 17", "campaigns \"apply\": the log says"),
    ("DELETE FROM campaigns", "campaigns \"apply\": MySQL lacks"),
    (
        "UPDATE projection_offset SET digest = X'0123456789abcdef' WHERE topic LIKE '%signup' AND partition_id = 1",
        "signup-1: MySQL's digest at offset",
    ),
    (
        "UPDATE projection_offset SET dead_lettered = 0 WHERE topic LIKE '%coupon' AND partition_id = 4",
        "coupon-4: 1 records are malformed, 0 became dead letters",
    ),
    (
        "UPDATE projection_offset SET next_offset = 1000 WHERE topic LIKE '%coupon' AND partition_id = 7",
        "coupon-7: MySQL waits for offset 1000, the log ends at 1",
    ),
    (
        "DELETE FROM projection_offset WHERE topic LIKE '%signup' AND partition_id = 0",
        "users 1: the log knows nothing of",
    ),
];

/// What the audit says of a copy of the database with one thing wrong.
pub(crate) async fn audit_of_a_corrupted_copy(
    world: &World,
    corruption: &str,
) -> anyhow::Result<audit::Report> {
    let (host, _) = world.config.database_url.rsplit_once('/').unwrap_or_default();
    let schema = format!("tidemark_test_{}", Uuid::new_v4().simple());
    world.sql(&format!("CREATE DATABASE {schema}")).await?;
    let config = Config { database_url: format!("{host}/{schema}"), ..world.config.clone() };
    let copied = async {
        for table in world.tables().await? {
            world.sql(&format!("CREATE TABLE {schema}.{table} SELECT * FROM {table}")).await?;
        }
        let db = config.writer_pool().await?;
        let touched = db.execute_unprepared(corruption).await?.rows_affected();
        db.close().await?;
        anyhow::ensure!(touched > 0, "{corruption} touched no row");
        findings(&config).await
    };
    let report = copied.await;
    world.sql(&format!("DROP DATABASE {schema}")).await?;
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_in_mysql_is_found() -> anyhow::Result<()> {
    in_world(async |world| {
        applied(world).await?;
        let audits = stream::iter(CORRUPTIONS).map(async |(corruption, expected)| {
            let report = audit_of_a_corrupted_copy(world, corruption).await?;
            let named = report.findings.iter().any(|finding| finding.contains(expected));
            anyhow::ensure!(named && !report.clean, "{corruption}: {expected:?} is not said: {report}");
            Ok(())
        });
        let audits: Vec<anyhow::Result<()>> = audits.buffer_unordered(AUDITS_AT_ONCE).collect().await;
        audits.into_iter().collect::<anyhow::Result<()>>()?;
        world.clean_audit().await?;
        Ok(())
    })
    .await
}

/// A process that says of itself what it is told to.
async fn process_that_says(token: &str, positions: Value) -> anyhow::Result<(String, AbortHandle)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let expected = format!("Bearer {token}");
    let answer = move |headers: HeaderMap| async move {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        if given == Some(expected.as_str()) {
            Ok(Json(positions))
        } else {
            Err(axum::http::StatusCode::UNAUTHORIZED)
        }
    };
    let router = Router::new().route("/admin/positions", get(answer));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, serving.abort_handle()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_another_digest_is_found() -> anyhow::Result<()> {
    in_world(async |world| {
        applied(world).await?;
        let place = world.place(Topic::Coupon, 0).await?.ok_or_else(|| anyhow::anyhow!("no place"))?;
        let digest = format!("{:?}", place.digest);
        let position = |next_offset: u64, digest: &str| {
            json!({"positions": [{
                "topic": place.topic, "partition": 0, "nextOffset": next_offset, "digest": digest,
            }]})
        };
        let token = &world.config.admin_token;
        let at = place.next_offset;
        let closed = "http://127.0.0.1:9";
        let wrong = "0123456789abcdef";
        let (honest, _a) = process_that_says(token, position(at, &digest)).await?;
        let (liar, _b) = process_that_says(token, position(at, wrong)).await?;
        let (ahead, _c) = process_that_says(token, position(at + 9, &digest)).await?;
        let (stranger, _d) = process_that_says("another token", position(at, &digest)).await?;
        let with = |urls: &[&str]| Config { api_admin_urls: urls.join(","), ..world.config.clone() };

        let report = findings(&with(&[&honest])).await?;
        assert!(report.clean && report.digests_agree == 1, "{report}");
        let report = findings(&with(&[&honest, &liar, &ahead, &stranger, closed])).await?;
        let expected = [
            format!("{stranger} did not say where it stands"),
            format!("{closed} did not say where it stands"),
            format!("{liar} at {}-0 offset {at} holds digest {wrong}, the replay {digest}", place.topic),
            format!("{ahead} stands at {}-0 offset {}, which the log does not have", place.topic, at + 9),
        ];
        assert_eq!((report.findings.len(), report.digests_agree, report.clean), (4, 1, false), "{report}");
        for (finding, expected) in report.findings.iter().zip(&expected) {
            assert!(finding.starts_with(expected.as_str()), "{finding} is not {expected}");
        }
        Ok(())
    })
    .await
}

//! Moving to another MySQL: what is checked of a target, and that everybody uses the server that counts and no other.

use crate::{
    operator::{pause, resume, settles},
    patience::until_true,
    process::Process,
    records::{claim, fresh, open},
    statements::applied,
    world::{World, in_world},
};
use consumers::config::Config;
use reqwest::Method;
use schemas::{Record, Topic};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};
use stack::{private::Private, services::MySql};

/// Another server with a schema for this test, and our way into it.
struct Target {
    mysql: Private<MySql>,
    url: String,
    address: String,
}

const SCHEMA: &str = "tidemark_target";

impl Target {
    async fn start() -> anyhow::Result<Self> {
        let mysql = tokio::task::spawn_blocking(stack::private::mysql).await??;
        let (port, host) = (mysql.port(), mysql.url().rsplit_once('/').map(|(host, _)| host.to_owned()));
        let target = Self {
            url: format!("{}/{SCHEMA}", host.unwrap_or_default()),
            address: format!("mysql://127.0.0.1:{port}/{SCHEMA}"),
            mysql,
        };
        target.root(&format!("CREATE DATABASE {SCHEMA}"))?;
        Ok(target)
    }

    fn root(&self, sql: &str) -> anyhow::Result<String> {
        Ok(self.mysql.sql(sql)?)
    }

    async fn connect(&self) -> anyhow::Result<DatabaseConnection> {
        let mut options = ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        Ok(Database::connect(options).await?)
    }

    /// Offsets that it has passed.
    async fn applied(&self) -> anyhow::Result<i64> {
        applied(&self.connect().await?).await
    }
}

/// Where this world's database is.
fn own_address(world: &World) -> String {
    control::Address::of_setting(&world.config.database_url).expect("an address").to_string()
}

fn claims(users: std::ops::Range<i64>) -> Vec<Record> {
    users.map(|user| claim(fresh(), user % 8 + 1, user + 1)).collect()
}

async fn check(process: &Process, to: &str, prepare: bool) -> anyhow::Result<Value> {
    let body = json!({"to": to, "prepare": prepare});
    let (status, answer) = process.send(Method::POST, "/admin/database/check", &body).await?;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["ok"] == true, answer["findings"] == json!([]), "{answer}");
    Ok(answer)
}

fn assert_found(answer: &Value, what: &str) {
    let findings = answer["findings"].to_string();
    assert!(findings.contains(what), "{what:?} is not among {findings}");
}

async fn switch(process: &Process, to: &str) -> anyhow::Result<(u16, Value)> {
    process.send(Method::POST, "/admin/database", &json!({"to": to, "reason": "a test"})).await
}

/// Has everything rest, for a holder and in a mode.
async fn rest(process: &Process, holder: &str, mode: &str) -> anyhow::Result<()> {
    let wanted = json!({"scope": {"all": true}, "holder": holder, "mode": mode});
    settles(process, &pause(process, wanted).await?, "PAUSED").await
}

async fn flow(process: &Process, holder: &str) -> anyhow::Result<()> {
    settles(process, &resume(process, json!({"holder": holder})).await?, "RUNNING").await
}

/// Switches, and waits until somebody says that all use it.
async fn moves(process: &Process, to: &str, told_by: &Process) -> anyhow::Result<()> {
    let (status, switched) = switch(process, to).await?;
    assert_eq!(status, 202, "{switched}");
    settles(told_by, switched["operation"].as_str().unwrap_or_default(), "DONE").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_stop_the_projections_is_found_before_anything_is_drained() -> anyhow::Result<()> {
    in_world(async |world| {
        let target = Target::start().await?;
        world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 1_000)).collect::<Vec<_>>()).await?;
        let process = world.start_and_open().await?;
        world.clean_audit().await?;
        for to in ["nonsense", "mysql://me:secret@127.0.0.1/t", "mysql://127.0.0.1"] {
            let (status, answer) =
                process.send(Method::POST, "/admin/database/check", &json!({"to": to})).await?;
            assert_eq!((status, answer.to_string().contains("secret")), (400, false), "{to}: {answer}");
        }
        assert_found(&check(&process, &own_address(world), true).await?, "same server");
        let elsewhere = own_address(world).replace(SCHEMA, "x").replace("tidemark_test_", "tidemark_testx_");
        assert_found(&check(&process, &elsewhere, true).await?, "does not let us in");
        assert_found(&check(&process, "mysql://127.0.0.1:1/t", true).await?, "does not let us in");

        let empty = check(&process, &target.address, false).await?;
        assert_eq!((&empty["schema"], &empty["ok"]), (&json!("empty"), &json!(true)), "{empty}");
        let made = check(&process, &target.address, true).await?;
        assert_eq!((&made["schema"], &made["ok"]), (&json!("made"), &json!(true)), "{made}");
        let known = world.applied().await?;
        let again = check(&process, &target.address, true).await?;
        assert_eq!((&again["schema"], again["behind_records"].as_i64()), (&json!("current"), Some(known)));

        the_targets_rows(world, &target, &process).await?;
        target.root("REVOKE ALL ON `tidemark%`.* FROM tidemark; GRANT SELECT, INSERT, UPDATE ON `tidemark%`.* TO tidemark")?;
        assert_found(&check(&process, &target.address, false).await?, "DELETE command denied");
        target.root("GRANT ALL ON `tidemark%`.* TO tidemark; SET GLOBAL read_only = ON")?;
        let locked = check(&process, &target.address, true).await?;
        assert_eq!((&locked["ok"], &locked["read_only"]), (&json!(true), &json!(true)), "{locked}");
        assert!(locked["warnings"].to_string().contains("read-only"), "{locked}");
        let (status, refused) = switch(&process, &target.address).await?;
        assert_eq!((status, &refused["errorCode"]), (409, &json!("TARGET_UNFIT")), "{refused}");
        process.stop().await
    })
    .await
}

/// Rows that are not those of an older state of this log.
async fn the_targets_rows(world: &World, target: &Target, process: &Process) -> anyhow::Result<()> {
    let db = target.connect().await?;
    let topic = Topic::Coupon.name(&world.config.topic_prefix);
    let row = |next: i64| {
        format!(
            "REPLACE INTO projection_offset (group_name, topic, partition_id, epoch, next_offset, digest, \
             last_record_hash, clock_ms, rules, active_rules, next_seq, dead_lettered) VALUES \
             ('coupon-projection', '{topic}', 0, 1, {next}, 'aaaaaaaa', 'bbbbbbbb', 0, 1, '', 0, 0)"
        )
    };
    let next = i64::try_from(world.next_offset(Topic::Coupon, 0).await?)?;
    db.execute_unprepared(&row(next + 1)).await?;
    assert_found(&check(process, &target.address, false).await?, "this log ends at");
    db.execute_unprepared(&row(next)).await?;
    assert_found(&check(process, &target.address, false).await?, "another result");
    db.execute_unprepared(&row(1)).await?;
    assert_found(&check(process, &target.address, false).await?, "not the one of this log");
    db.execute_unprepared("DELETE FROM projection_offset").await?;
    db.execute_unprepared("INSERT INTO users (id, created_at_ms) VALUES (1, 0)").await?;
    assert_found(&check(process, &target.address, false).await?, "nothing says from which log");
    db.execute_unprepared("DELETE FROM users").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_use_the_server_that_counts_and_the_way_back_is_the_same_way() -> anyhow::Result<()> {
    in_world(async |world| {
        let target = Target::start().await?;
        world.append(&(1..=8).map(|coupon| open(fresh(), coupon, 1_000_000)).collect::<Vec<_>>()).await?;
        let one = world.start_and_open().await?;
        let instance = format!("{}-two", world.config.instance);
        // It leaves in the end, and is missed as in production.
        let session_timeout_ms = consumers::limits::SESSION_TIMEOUT.as_millis() as u64;
        let two = world.start_with(Config { instance, session_timeout_ms, ..world.config.clone() }).await?;
        world.append(&claims(0..200)).await?;
        world.clean_audit().await?;
        until_true("both have partitions", async || Ok(one.owns().await? > 0 && two.owns().await? > 0))
            .await?;
        assert_eq!(check(&one, &target.address, true).await?["ok"], true);

        assert_not_released(&one, &target.address).await?;
        rest(&one, "operator", "release").await?;
        assert_not_released(&one, &target.address).await?;
        flow(&one, "operator").await?;
        rest(&one, "cutover", "drain").await?;
        assert_not_released(&one, &target.address).await?;
        rest(&one, "cutover", "release").await?;
        let old = world.applied().await?;
        moves(&two, &target.address, &one).await?;
        let (status, again) = switch(&one, &target.address).await?;
        assert_eq!((status, &again["errorCode"]), (409, &json!("SAME_DATABASE")), "{again}");
        let (_, told) = one.get("/admin/database", true).await?;
        assert_eq!(
            (&told["address"], &told["previous"]),
            (&json!(target.address), &json!(own_address(world)))
        );
        assert!(told["way_back_until_ms"].is_number() && told["configured"] == false, "{told}");

        // Whoever starts now is configured with the old one, and does not use it.
        world.append(&claims(200..300)).await?;
        two.stop().await?;
        flow(&one, "cutover").await?;
        let third = Config { instance: format!("{}-three", world.config.instance), ..world.config.clone() };
        let third = world.start_with(third).await?;
        until_true("it has partitions", async || Ok(third.owns().await? > 0)).await?;
        world.append(&claims(300..400)).await?;
        world.clean_audit().await?;
        assert!(target.applied().await? >= old + 200, "the target was not filled");
        assert_eq!(world.applied().await?, old, "somebody writes to the old server");

        rest(&one, "cutover", "release").await?;
        moves(&one, &own_address(world), &third).await?;
        let there = target.applied().await?;
        flow(&one, "cutover").await?;
        world.append(&claims(400..500)).await?;
        world.clean_audit().await?;
        assert!(world.applied().await? >= old + 300, "the old server was not filled");
        assert_eq!(target.applied().await?, there, "somebody writes to the server that was left");

        // A cutover that is taken back before anything was filled: the old one is ahead of the one that counts.
        rest(&one, "cutover", "release").await?;
        for (to, ahead) in [(target.address.clone(), false), (own_address(world), true)] {
            assert_eq!(check(&one, &to, true).await?["behind_records"] == 0, ahead, "{to}");
            moves(&one, &to, &one).await?;
        }
        flow(&one, "cutover").await?;
        world.append(&claims(500..600)).await?;
        world.clean_audit().await?;
        third.stop().await?;
        one.stop().await
    })
    .await
}

async fn assert_not_released(process: &Process, to: &str) -> anyhow::Result<()> {
    let (status, answer) = switch(process, to).await?;
    assert_eq!((status, &answer["errorCode"]), (409, &json!("NOT_RELEASED")), "{answer}");
    Ok(())
}

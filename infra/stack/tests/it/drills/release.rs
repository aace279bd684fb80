//! Proof 8: a released MySQL has no session of any consumers process, may be stopped, and stays alone until somebody
//! resumes.

use super::activity::sessions_of;
use super::operator::assert_confirmed;
use super::scene::Scene;
use super::{CONFIRMED, ORDERS};
use crate::faults::deployment::Deployment;
use mysql_session::Session;
use serde_json::json;
use stack::{Endpoints, private, testing};
use std::time::{Duration, Instant};

/// For how long nobody may come back.
const ALONE: Duration = Duration::from_secs(3);
/// The consumers' own user: the API reads under another name.
const WRITER: &str = "tidemark_writer";

#[test]
fn a_released_server_has_no_session_of_the_processes_and_they_wait_to_be_resumed() {
    let mut mysql = private::mysql().unwrap();
    let root = Session::at(mysql.port());
    root.rows(&format!(
        "CREATE USER '{WRITER}'@'%' IDENTIFIED BY 'writer'; GRANT ALL ON `tidemark%`.* TO '{WRITER}'@'%'"
    ))
    .unwrap();
    let endpoints = Endpoints { mysql: mysql.url(), ..testing::endpoints().clone() };
    let deployment = Deployment::on("release", &endpoints);
    let url = deployment.setting("DATABASE_URL").replace("tidemark:tidemark@", &format!("{WRITER}:writer@"));
    let scene = Scene::with(deployment, 2, &[("DATABASE_URL", &url)]);
    let shoppers = scene.shoppers(1);
    shoppers.advance(ORDERS);
    assert!(sessions_of(&root, WRITER) > 0, "another user than the writer's is looked for");
    let operator = scene.operator();
    let operation = operator.pause(json!({"mode": "release", "ttl": "30m"}));
    let said = operator.until(&operation, "PAUSED", CONFIRMED);
    assert_eq!(sessions_of(&root, WRITER), 0, "a session is left");
    assert_confirmed(&said, 2);
    for instance in said["instances"].as_array().unwrap() {
        assert_eq!(instance["database_sessions"], 0, "{instance}");
    }

    let before = scene.written();
    mysql.stop().unwrap();
    shoppers.advance(ORDERS);
    assert_eq!(operator.progress(&operation, "0s")["state"], "PAUSED");
    mysql.restart().unwrap();
    let until = Instant::now() + ALONE;
    while Instant::now() < until {
        assert_eq!(sessions_of(&root, WRITER), 0, "somebody came back unasked");
    }
    assert_eq!(scene.written(), before, "something was written");
    scene.resume();
    assert!(sessions_of(&root, WRITER) > 0);
    shoppers.advance(ORDERS);
    scene.judge_undisturbed(&shoppers.end());
}

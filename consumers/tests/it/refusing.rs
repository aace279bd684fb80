//! Whatever the admin listener says no to, it says so in the one form of all errors.

use crate::{process::Process, world::in_world_without_mysql};
use consumers::config::Config;
use reqwest::{Method, header};
use serde_json::Value;

/// Who asks.
const TOKEN: bool = true;
const NOBODY: bool = false;

/// Method and path, whether the token comes along, and the refusal.
type Case = (Method, &'static str, bool, u16, &'static str);

fn cases() -> [Case; 11] {
    [
        (Method::GET, "/api/audit/conservation", NOBODY, 401, "UNAUTHENTICATED"),
        (Method::GET, "/admin/consumers", NOBODY, 401, "UNAUTHENTICATED"),
        (Method::DELETE, "/admin/consumers", NOBODY, 401, "UNAUTHENTICATED"),
        (Method::GET, "/nothing", NOBODY, 401, "UNAUTHENTICATED"),
        (Method::GET, "/nothing", TOKEN, 404, "NO_SUCH_PATH"),
        (Method::POST, "/admin/consumers/nothing", TOKEN, 404, "NO_SUCH_PATH"),
        (Method::POST, "/health", NOBODY, 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "/metrics", NOBODY, 405, "METHOD_NOT_ALLOWED"),
        (Method::POST, "/api/audit/conservation", TOKEN, 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "/admin/consumers", TOKEN, 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "/admin/database", TOKEN, 405, "METHOD_NOT_ALLOWED"),
    ]
}

/// Asks, and checks all that an error of ours must be.
async fn refused(process: &Process, config: &Config, case: Case) -> anyhow::Result<()> {
    let (method, path, with_token, status, code) = case;
    let mut request = process.client.request(method.clone(), format!("{}{path}", process.url));
    if with_token {
        request = request.bearer_auth(&config.admin_token);
    }
    let answer = request.send().await?;
    let what = format!("{method} {path}: {answer:?}");
    assert_eq!(answer.status().as_u16(), status, "{what}");
    let headers = answer.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{what}");
    assert_eq!(headers.contains_key(header::RETRY_AFTER), status == 503, "{what}");
    assert!(status != 405 || headers.contains_key(header::ALLOW), "{what}");
    let body: Value = answer.json().await?;
    let fields: Vec<_> = body.as_object().into_iter().flat_map(|body| body.keys()).collect();
    assert_eq!(fields, ["errorCode", "message", "timestamp"], "{what}");
    assert_eq!(body["errorCode"], code, "{what}");
    assert!(!body["message"].as_str().unwrap_or_default().is_empty(), "{what}");
    let time = body["timestamp"].as_str().unwrap_or_default();
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{what}: {time:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_of_the_admin_listener_is_json_in_one_form() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        let process = world.start().await?;
        for case in cases() {
            refused(&process, &world.config, case).await?;
        }
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_that_cannot_be_made_says_when_to_ask_again() -> anyhow::Result<()> {
    in_world_without_mysql(async |world| {
        // Nobody listens there.
        let config = Config { database_url: "mysql://u:p@127.0.0.1:1/none".into(), ..world.config.clone() };
        let process = world.start_with(config).await?;
        let case = (Method::GET, "/api/audit/conservation", TOKEN, 503, "AUDIT_UNAVAILABLE");
        refused(&process, &world.config, case).await?;
        process.stop().await
    })
    .await
}

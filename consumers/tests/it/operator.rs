//! What an operator asks of a process, and what is said of it.

use crate::process::Process;
use reqwest::Method;
use serde_json::{Value, json};

async fn ask(process: &Process, path: &str, body: &Value) -> anyhow::Result<String> {
    let (status, answer) = process.send(Method::POST, path, body).await?;
    assert_eq!(status, 202, "{answer}");
    Ok(answer["operation"].as_str().unwrap_or_default().to_owned())
}

/// Pauses; returns the operation.
pub(crate) async fn pause(process: &Process, mut body: Value) -> anyhow::Result<String> {
    body["reason"] = json!("a test");
    ask(process, "/admin/consumers/pause", &body).await
}

/// Resumes; returns the operation.
pub(crate) async fn resume(process: &Process, body: Value) -> anyhow::Result<String> {
    ask(process, "/admin/consumers/resume", &body).await
}

/// What is said of an operation, once it is settled or the time is over.
pub(crate) async fn progress(process: &Process, operation: &str, wait: &str) -> anyhow::Result<Value> {
    let (status, answer) = process.get(&format!("/admin/operations/{operation}?wait={wait}"), true).await?;
    assert_eq!(status, 200, "{answer}");
    Ok(answer)
}

/// That an operation comes to this.
pub(crate) async fn settles(process: &Process, operation: &str, state: &str) -> anyhow::Result<()> {
    let said = progress(process, operation, "60s").await?;
    assert_eq!(said["state"], state, "{said:#}");
    Ok(())
}

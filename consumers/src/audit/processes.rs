//! Where the running processes stand, asked over their admin listeners.

use super::{expected::Replay, report::Report};
use crate::config::Config;
use serde::Deserialize;
use std::time::Duration;

/// One call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A process at a partition.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    #[serde(default)]
    pub process: String,
    pub topic: String,
    pub partition: i32,
    pub next_offset: u64,
    pub digest: String,
}

#[derive(Deserialize)]
struct Positions {
    positions: Vec<Position>,
}

/// Asks every process that the configuration names; one that does not answer is a finding.
pub async fn ask(config: &Config, report: &mut Report) -> Vec<Position> {
    let mut all = Vec::new();
    for url in Config::list(&config.api_admin_urls) {
        match positions(&url, &config.admin_token).await {
            Ok(positions) => {
                report.process(&url);
                all.extend(
                    positions.into_iter().map(|position| Position { process: url.clone(), ..position }),
                );
            }
            Err(error) => report.finding(format!("{url} did not say where it stands: {error}")),
        }
    }
    all
}

async fn positions(url: &str, token: &str) -> reqwest::Result<Vec<Position>> {
    let client = reqwest::Client::builder().no_proxy().timeout(CALL_TIMEOUT).build()?;
    let address = format!("{}/admin/positions", url.trim_end_matches('/'));
    let answer = client.get(address).bearer_auth(token).send().await?.error_for_status()?;
    Ok(answer.json::<Positions>().await?.positions)
}

/// Every process must hold the replay's digest at its own offset.
pub fn compare(positions: &[Position], replays: &[Replay], report: &mut Report) {
    for position in positions {
        let Position { process, topic, partition, next_offset, digest } = position;
        let replay = replays.iter().find(|replay| replay.topic == *topic && replay.partition == *partition);
        match replay.and_then(|replay| replay.digests.get(next_offset)) {
            Some(expected) if format!("{expected:016x}") == *digest => report.digest_agrees(),
            Some(expected) => report.finding(format!(
                "{process} at {topic}-{partition} offset {next_offset} holds digest {digest}, the replay {expected:016x}"
            )),
            None => report.finding(format!("{process} stands at {topic}-{partition} offset {next_offset}, which the log does not have")),
        }
    }
}

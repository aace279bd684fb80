//! The audit: replays the log into a fresh state and compares it with MySQL row by row, and with the digest of every
//! process at its own offset. It reads and never mends.

mod database;
mod expected;
mod processes;
mod report;

pub use report::{PartitionReport, Report};

use crate::{config::Config, log, projection::Projection};
use anyhow::Context;
use database::Snapshot;
use domain::{accounts::Accounts, coupons::Coupons};
use expected::{Expected, Replay};
use schemas::Topic;
use std::time::{Duration, Instant};

/// Between two looks at how far MySQL is.
const SETTLE_POLL: Duration = Duration::from_millis(200);

/// Waits up to `settle` until MySQL has caught up, then audits.
///
/// # Errors
/// A service that does not answer; a finding is no error.
pub async fn run(config: &Config, settle: Duration) -> anyhow::Result<Report> {
    let mut one = config.clone();
    one.pool_min = 0;
    let db = one.writer_pool().await.context("TIDEMARK_DATABASE_URL")?;
    let began = Instant::now();
    let mut caught_up = settled(config, &db).await?;
    while !caught_up && began.elapsed() < settle {
        tokio::time::sleep(SETTLE_POLL).await;
        caught_up = settled(config, &db).await?;
    }
    let waited = began.elapsed();
    // First the processes, then the database, then the log's ends: each can only be behind the one after it.
    let mut report = Report::new(caught_up.then_some(waited));
    let processes = processes::ask(config, &mut report).await;
    let snapshot = Snapshot::take(&db).await.context("reading MySQL")?;
    db.close().await.ok();
    let config = config.clone();
    let audited = move || compare(&config, &snapshot, &processes, report);
    tokio::task::spawn_blocking(audited).await?
}

fn compare(
    config: &Config,
    snapshot: &Snapshot,
    processes: &[processes::Position],
    mut report: Report,
) -> anyhow::Result<Report> {
    let reader = log::reader(config)?;
    let mut expected = Expected::default();
    let mut replays = Vec::new();
    replays.extend(replay::<Accounts>(config, &reader, snapshot, processes, &mut expected)?);
    replays.extend(replay::<Coupons>(config, &reader, snapshot, processes, &mut expected)?);
    for replay in &replays {
        report.partition(replay, snapshot.place(replay.group, &replay.topic, replay.partition));
    }
    processes::compare(processes, &replays, &mut report);
    snapshot.compare(&expected, &mut report);
    report.finish();
    Ok(report)
}

fn replay<S: Projection>(
    config: &Config,
    reader: &chassis::log_reader::LogReader,
    snapshot: &Snapshot,
    processes: &[processes::Position],
    expected: &mut Expected,
) -> anyhow::Result<Vec<Replay>>
where
    Expected: expected::Take<S::Change>,
{
    let topic = S::TOPIC.name(&config.topic_prefix);
    (0..S::TOPIC.partitions())
        .map(|partition| {
            let place = snapshot.place(S::GROUP, &topic, partition);
            let applied = place.map_or(0, |place| place.next_offset);
            let wanted = processes.iter().filter(|p| p.topic == topic && p.partition == partition);
            let wanted = wanted.map(|position| position.next_offset).collect();
            expected.replay::<S>(reader, (&topic, partition), applied, wanted)
        })
        .collect()
}

async fn settled(config: &Config, db: &sea_orm::DatabaseConnection) -> anyhow::Result<bool> {
    let look = config.clone();
    let ends = tokio::task::spawn_blocking(move || {
        let wanted: Vec<(String, i32)> = [Topic::Signup, Topic::Coupon]
            .into_iter()
            .flat_map(|topic| (0..topic.partitions()).map(move |p| (topic, p)))
            .map(|(topic, p)| (topic.name(&look.topic_prefix), p))
            .collect();
        let ends = log::reader(&look)?.end_offsets(&wanted, Duration::from_secs(5));
        anyhow::Ok(wanted.into_iter().zip(ends.context("asking where the log ends")?).collect::<Vec<_>>())
    })
    .await??;
    let places = database::places(db).await.context("reading MySQL")?;
    Ok(ends.iter().all(|((topic, partition), end)| {
        *end == 0
            || places.iter().any(|place| {
                place.topic == *topic && place.partition_id == *partition && place.next_offset >= *end
            })
    }))
}

//! The audit: replays the log into a fresh state and compares it with MySQL row by row, with the digest of every process
//! at its own offset, and with what other systems were told. It reads and never mends.

mod database;
mod dispatches;
mod expected;
mod facts;
mod processes;
mod report;
mod sections;
mod settling;
mod shop;
mod told;

pub use report::{PartitionReport, Report};
pub use sections::{Facts, Money, Orders, Stock};

use crate::{config::Config, cutover, log, projection::Projection, replay::Source};
use anyhow::Context;
use database::Snapshot;
use domain::{accounts::Accounts, coupons::Coupons, fold::State, shop::Shop};
use expected::{Expected, Replay};
use std::time::{Duration, Instant};
use told::Told;

/// Between two looks at how far MySQL is.
const SETTLE_POLL: Duration = Duration::from_millis(200);

/// Waits up to `settle` until MySQL has caught up and others have been told, then audits. Who was to wait and waited in
/// vain has found something.
///
/// # Errors
/// A service that does not answer; a finding is no error.
pub async fn run(config: &Config, settle: Duration) -> anyhow::Result<Report> {
    let config = &cutover::current(config).await?;
    let mut one = config.clone();
    one.pool_min = 0;
    let db = one.writer_pool().await.context("TIDEMARK_DATABASE_URL")?;
    let began = Instant::now();
    let mut behind = settling::behind(config, &db).await?;
    while behind.is_some() && began.elapsed() < settle {
        tokio::time::sleep(SETTLE_POLL).await;
        behind = settling::behind(config, &db).await?;
    }
    let waited = began.elapsed();
    // First the processes, then the database, then what was told, then the log's ends: each can only be behind the one
    // after it, so that the audit is right also while people shop.
    let mut report = Report::new(behind.is_none().then_some(waited));
    if let Some(behind) = behind.filter(|_| !settle.is_zero()) {
        report.finding(format!("not caught up within {} s: {behind}", settle.as_secs()));
    }
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
    let source = Source::open(config)?;
    // After the database, which told it, and before the log's ends, for it tells of nothing else.
    let told = Told::read(config, &source.reader, &log::foundation(config, &source.reader)?.schemas)?;
    let mut expected = Expected::default();
    let mut replays = Vec::new();
    replays.extend(replay::<Accounts>(config, &source, snapshot, processes, &mut expected)?);
    replays.extend(replay::<Coupons>(config, &source, snapshot, processes, &mut expected)?);
    replays.extend(replay::<Shop>(config, &source, snapshot, processes, &mut expected)?);
    for replay in &replays {
        report.partition(replay, snapshot.place(replay.group, &replay.topic, replay.partition));
    }
    processes::compare(processes, &replays, &mut report);
    snapshot.compare(&expected, &mut report);
    shop::compare(snapshot, &expected, &mut report);
    let topic = Shop::TOPIC.name(&config.topic_prefix);
    let applied = snapshot.place(Shop::GROUP, &topic, 0).map_or(0, |place| place.next_offset);
    facts::compare(&told, snapshot, &expected, applied, &mut report);
    dispatches::compare(&told, snapshot, &config.topic_prefix, &mut report);
    report.finish();
    Ok(report)
}

fn replay<S: Projection>(
    config: &Config,
    source: &Source,
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
            expected.replay::<S>(source, (&topic, partition), applied, wanted)
        })
        .collect()
}

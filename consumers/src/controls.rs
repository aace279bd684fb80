//! This process' part in what operators ask for: it reads `control`, says what it does, sees time pass, and answers.

use crate::{
    config::Config,
    cutover::{self, Cutover},
    group::{Activity, Controls, GroupStatus},
    limits,
    pool::{self, WriterPool},
};
use anyhow::Context;
use axum::Router;
use chassis::{kafka, shutdown::CancellationToken};
use control::{
    Address,
    acks::{GroupReport, Report},
    expiry::{Expiry, Healthy},
    journal::Journal,
    office::Office,
    reporter::Reporter,
    tail::{Tail, View},
};
use parking_lot::Mutex;
use schemas::groups;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::Notify, task::JoinSet};

/// One group of this process, and what belongs to it.
#[derive(Clone)]
pub struct Unit {
    /// What the group says of itself.
    pub status: Arc<Mutex<GroupStatus>>,
    /// Its way to MySQL.
    pub pool: WriterPool,
    /// What works beside its partitions.
    pub activity: Activity,
}

/// All groups of this process.
pub type Units = BTreeMap<&'static str, Unit>;

/// See the module.
pub struct Plane {
    config: Config,
    tail: Tail,
    journal: Journal,
    changed: Arc<Notify>,
    units: Units,
}

impl Plane {
    /// Reads `control` to its end, so that nobody begins what is paused. Where it cannot be read within
    /// `control::limits::FIRST_READ`, everything begins paused, and says so.
    ///
    /// # Errors
    /// A setting that makes no sense.
    pub async fn open(config: &Config, groups: &[&'static str]) -> anyhow::Result<Self> {
        let tail = Tail::start(&kafka::reader(&config.kafka, &config.instance), &config.topic_prefix)
            .context("reading control")?;
        let changed = Arc::new(Notify::new());
        let mut units = Units::new();
        for group in groups {
            let pool = WriterPool::open(config).await.context("TIDEMARK_DATABASE_URL")?;
            let activity = Activity::new(changed.clone());
            units.insert(group, Unit { status: Arc::default(), pool, activity });
        }
        if tail.view().first(control::limits::FIRST_READ).await.is_none() {
            let trouble = tail.view().trouble().unwrap_or_default();
            tracing::error!(trouble, "control was not read; every group begins paused");
        }
        let journal = Journal::new(&config.kafka, &config.topic_prefix, &config.instance);
        Ok(Self { config: config.clone(), tail, journal, changed, units })
    }

    /// The groups.
    #[must_use]
    pub const fn units(&self) -> &Units {
        &self.units
    }

    /// What a group needs of it.
    #[must_use]
    pub fn controls(&self, unit: &Unit) -> Controls {
        Controls { view: self.tail.view(), changed: self.changed.clone(), activity: unit.activity.clone() }
    }

    /// What is known.
    #[must_use]
    pub fn view(&self) -> View {
        self.tail.view()
    }

    /// The operators' routes; for behind the bearer token.
    pub fn routes(&self) -> Router {
        let (config, office, view) = (self.config.clone(), self.office(), self.tail.view());
        cutover::routes(Cutover { config, office: office.clone(), view }).merge(office.routes())
    }

    fn office(&self) -> Office {
        let settings = kafka::reader(&self.config.kafka, &self.config.instance);
        let units = self.units.clone();
        let pools = Arc::new(move || units.iter().map(|(group, unit)| unit.pool.report(group)).collect());
        let prefix = &self.config.topic_prefix;
        let office = Office::new(self.tail.view(), self.journal.clone(), settings, prefix, &groups::ALL);
        office.with_pools(pools).with_database(Address::of_setting(&self.config.database_url).ok())
    }

    /// Begins to report and to see time pass.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn start(&self, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let (config, units, view) = (&self.config, self.units.clone(), self.tail.view());
        let instance = config.instance.clone();
        let compose = Arc::new(move || report(&instance, &units, &view));
        let (brokers, prefix) = (&config.kafka, &config.topic_prefix);
        let reporter = Reporter::new(brokers, prefix, &config.instance, compose, self.changed.clone())?;
        tasks.spawn(reporter.run(shutdown.clone()));
        let journal = self.journal.clone();
        tasks.spawn(async move { journal.warm().await });
        tasks.spawn(self.office().watch(config.instance.clone(), shutdown.clone()));
        let healthy = healthy(self.units.values().next().map(|unit| unit.pool.clone()));
        let expiry = Expiry::new(self.tail.view(), self.journal.clone(), &config.instance, healthy);
        tasks.spawn(expiry.run(shutdown.clone()));
        Ok(())
    }

    /// Once nothing is under way any more.
    pub async fn close(self) {
        for unit in self.units.values() {
            unit.pool.release().await;
        }
        let Config { kafka, topic_prefix, instance, .. } = &self.config;
        Reporter::farewell(kafka, topic_prefix, instance).await;
        // It joins a thread.
        let tail = self.tail;
        let _ = tokio::task::spawn_blocking(move || drop(tail)).await;
    }
}

fn report(instance: &str, units: &Units, view: &View) -> Report {
    let groups: BTreeMap<String, GroupReport> = units
        .iter()
        .map(|(group, unit)| {
            let mut report = unit.status.lock().report.clone();
            if report.is_pausing() {
                // After the partitions: whoever entered before they were closed is counted.
                report.in_flight = unit.activity.under_way();
            }
            report.database_sessions = unit.pool.sessions().0;
            ((*group).to_owned(), report)
        })
        .collect();
    let addresses: Vec<_> = units.values().map(|unit| unit.pool.address().ok()).collect();
    let (first, all) =
        (addresses.first().cloned().flatten(), addresses.windows(2).all(|two| two[0] == two[1]));
    let unreadable = view.state().map(|state| state.unreadable().keys().cloned().collect());
    Report {
        instance: instance.to_owned(),
        applied: Some(groups.values().map(|group| group.applied).min().unwrap_or(0)),
        database: first.filter(|_| all),
        groups,
        unreadable: unreadable.unwrap_or_default(),
        ..Report::default()
    }
}

/// Asks by a connection of its own: the pool may have been let go of.
fn healthy(pool: Option<WriterPool>) -> Healthy {
    Box::new(move || {
        let url = pool.as_ref().and_then(|pool| pool.url().ok());
        Box::pin(async move {
            let Some(url) = url else { return false };
            let asked = tokio::time::timeout(limits::HEALTH_TIMEOUT, pool::takes_writes(&url)).await;
            matches!(asked, Ok(Ok(true)))
        })
    })
}

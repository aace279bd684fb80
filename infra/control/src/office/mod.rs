//! The operators' routes, the same at every process: what is asked for goes into `control`, what is answered comes from
//! there, from the instances' reports and from the group coordinator. This process' own groups count no more than others.

mod changing;
mod database;
mod dead_letters;
mod gauges;
mod looking;
mod refusal;
mod requests;
mod settings;

pub use changing::Accepted;
pub use database::{Switch, address};
pub use refusal::{Refusal, bad};
pub use settings::PoolReport;

use crate::{
    Address, State as Wanted,
    audit::Operation,
    journal::Journal,
    lag::Ends,
    limits,
    members::{Coordinator, Members},
    progress::{Evidence, Progress},
    tail::View,
    topics,
};
use axum::{
    Router,
    http::HeaderValue,
    middleware::map_response,
    response::Response,
    routing::{get, patch, post},
};
use parking_lot::Mutex;
use rdkafka::ClientConfig;
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// Header of every answer: the brokers' time, in ms since the epoch. Whatever is told of times is meant by it.
pub const BROKERS_TIME: &str = "x-brokers-time-ms";

/// What the routes need.
#[derive(Clone)]
pub struct Office {
    view: View,
    journal: Journal,
    /// For questions to the brokers.
    settings: ClientConfig,
    prefix: String,
    /// Topic of each group, and the topic's partitions.
    groups: Arc<BTreeMap<String, (String, i32)>>,
    topics: Arc<BTreeMap<String, String>>,
    coordinator: Arc<Mutex<Option<Coordinator>>>,
    /// Asked where the operators' topics end.
    ends: Arc<Mutex<Option<Ends>>>,
    /// Where partitions stood when somebody last looked: for the drain's pace.
    seen: Arc<Mutex<looking::Seen>>,
    /// For how long topics keep records, in ms, as the brokers said a moment ago.
    kept: Arc<Mutex<Option<Kept>>>,
    /// The server that this process is configured with.
    configured: Option<Address>,
    /// The pools of this process.
    pools: Arc<dyn Fn() -> Vec<PoolReport> + Send + Sync>,
}

impl Office {
    /// For these groups: name, topic without prefix, partitions.
    #[must_use]
    pub fn new(
        view: View,
        journal: Journal,
        settings: ClientConfig,
        prefix: &str,
        groups: &[(&str, &str, i32)],
    ) -> Self {
        let named = |(group, topic, n): &(&str, &str, i32)| ((*group).to_owned(), ((*topic).to_owned(), *n));
        let groups: BTreeMap<_, _> = groups.iter().map(named).collect();
        let topics = groups.iter().map(|(group, (topic, _))| (group.clone(), topic.clone())).collect();
        Self {
            view,
            journal,
            settings,
            prefix: prefix.to_owned(),
            groups: Arc::new(groups),
            topics: Arc::new(topics),
            coordinator: Arc::default(),
            ends: Arc::default(),
            seen: Arc::default(),
            kept: Arc::default(),
            configured: None,
            pools: Arc::new(Vec::new),
        }
    }

    /// Knows the server that this process is configured with; `None` where the setting is no address.
    #[must_use]
    pub fn with_database(self, configured: Option<Address>) -> Self {
        Self { configured, ..self }
    }

    /// Tells of this process' pools too.
    #[must_use]
    pub fn with_pools(self, pools: Arc<dyn Fn() -> Vec<PoolReport> + Send + Sync>) -> Self {
        Self { pools, ..self }
    }

    /// Gets ready for the first change, which would take longer otherwise.
    pub async fn warm(&self) {
        self.journal.warm().await;
    }

    /// The routes; for behind the bearer token.
    pub fn routes(self) -> Router {
        let view = self.view.clone();
        let stamp = move |mut response: Response| {
            response.headers_mut().insert(BROKERS_TIME, HeaderValue::from(view.now_ms()));
            std::future::ready(response)
        };
        Router::new()
            .route("/admin/consumers", get(looking::consumers))
            .route("/admin/consumers/pause", post(changing::pause))
            .route("/admin/consumers/pause/{holder}", patch(changing::extend))
            .route("/admin/consumers/resume", post(changing::resume))
            .route("/admin/consumers/tuning/{target}", patch(settings::tune_group))
            .route("/admin/pools", get(settings::pools))
            .route("/admin/pools/{name}", patch(settings::tune_pool))
            .route("/admin/database", get(database::database))
            .route("/admin/skips", get(settings::skips).post(settings::skip))
            .route("/admin/dead-letters", get(dead_letters::list))
            .route("/admin/dead-letters/{topic}/{partition}/{offset}", get(dead_letters::show))
            .route("/admin/operations", get(looking::operations))
            .route("/admin/operations/{id}", get(looking::operation))
            .layer(map_response(stamp))
            .with_state(self)
    }

    /// See [`View::now_ms`].
    fn now_ms(&self) -> i64 {
        self.view.now_ms()
    }

    /// The brokers' time, for what is to end by it. It is known once a report was heard as it came, and this process sends
    /// one every few seconds.
    async fn known_now_ms(&self) -> Result<i64, Refusal> {
        let mut changes = self.view.changes();
        let known_by = Instant::now() + limits::KNOWN_HERE;
        loop {
            if let Some(now_ms) = self.view.known_now_ms() {
                return Ok(now_ms);
            }
            if Instant::now() >= known_by {
                let message = "the brokers' time is not known here: no report of any process came. Look whether control.acks takes records, and ask again";
                return Err(Refusal::unavailable("CONTROL_UNAVAILABLE", message.to_owned()));
            }
            let _ = tokio::time::timeout(limits::WAIT_POLL, changes.changed()).await;
        }
    }

    /// What is wanted, as far as it is known here.
    fn wanted(&self) -> Result<Arc<Wanted>, Refusal> {
        self.view.state().ok_or_else(|| {
            let trouble = self.view.trouble().unwrap_or_else(|| "it is still being read".to_owned());
            Refusal::unavailable("CONTROL_UNAVAILABLE", format!("control is not known here: {trouble}"))
        })
    }

    /// What is wanted, with every change that was confirmed before this was asked, by whichever process: whoever changes
    /// or refuses something must not do it by an older state.
    async fn newest(&self) -> Result<Arc<Wanted>, Refusal> {
        let end = self.end_of(topics::CONTROL).await?;
        let mut states = self.view.states();
        let known = states.wait_for(|state| state.as_ref().is_some_and(|state| state.next() >= end));
        let known = tokio::time::timeout(limits::KNOWN_HERE, known).await;
        // Cloned at once: it is lent under a lock, and whoever takes the same lock again meanwhile waits for ever behind a
        // writer that waits too.
        let known = known.ok().and_then(Result::ok).and_then(|state| state.clone());
        known.ok_or_else(Refusal::behind)
    }

    /// Behind everything in one of the operators' topics that was confirmed before this was asked.
    async fn end_of(&self, topic: &'static str) -> Result<u64, Refusal> {
        let place = self.ends.clone();
        let (settings, prefix) = (self.settings.clone(), self.prefix.clone());
        let ask = tokio::task::spawn_blocking(move || {
            let mut place = place.lock();
            let ends = match place.take() {
                Some(ends) => ends,
                None => Ends::new(&settings, &prefix)?,
            };
            place.insert(ends).of(topic)
        });
        let asked = ask.await.map_err(|error| error.to_string());
        asked.and_then(|end| end.map_err(|error| error.to_string())).map_err(|error| {
            let message = format!("where {topic} ends is not known: {error}");
            Refusal::unavailable("CONTROL_UNAVAILABLE", message)
        })
    }

    /// Who is listed in these groups; what does not answer is left out.
    async fn members(&self, groups: Vec<String>) -> BTreeMap<String, Members> {
        let office = self.clone();
        let ask = move || {
            let mut place = office.coordinator.lock();
            if place.is_none() {
                *place = Coordinator::new(&office.settings, &office.prefix).ok();
            }
            let Some(coordinator) = place.as_ref() else { return BTreeMap::new() };
            let mut found = BTreeMap::new();
            for group in groups {
                match coordinator.members(&group) {
                    Ok(members) => drop(found.insert(group, members)),
                    Err(error) => tracing::debug!(%error, group, "a coordinator does not answer"),
                }
            }
            found
        };
        tokio::task::spawn_blocking(ask).await.unwrap_or_default()
    }

    async fn progress(&self, operation: &Operation) -> Result<Progress, Refusal> {
        let concerned = |group: &String, topic: &String| {
            operation.scopes.iter().any(|scope| scope.concerns(group, topic))
        };
        let groups = self.topics.iter().filter(|(group, topic)| concerned(group, topic));
        let members = self.members(groups.map(|(group, _)| group.clone()).collect()).await;
        let (state, reports) = (self.wanted()?, self.view.reports());
        let evidence = Evidence {
            state: &state,
            reports: &reports,
            members: &members,
            topics: &self.topics,
            now_ms: self.now_ms(),
        };
        Ok(evidence.progress(operation))
    }
}

/// When it was asked, and how long topics keep records, in ms.
type Kept = (Instant, BTreeMap<String, i64>);

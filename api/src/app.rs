//! Wires the ingress together; `run` gets its sockets from the caller, so tests own them.

use crate::{
    condition::Ingoing,
    config::{BadSetting, Config, ModeSetting, Secrets},
    controls,
    history::{self, History},
    http,
    ingress::{self, Ingress},
    limits,
    log::{
        facts::FactLog,
        foundation::{self, Foundation},
        producer::Appender,
        read_index::ReadIndex,
        tail::{Fatal, Tail},
        topic_log::TopicLog,
    },
    metric,
    recent_orders::RecentOrders,
    request::Identity,
    session::Sessions,
    store::Store,
    ticker,
    waits::Waits,
};
use anyhow::Context;
use arc_swap::ArcSwap;
use axum::Router;
use chassis::{
    admin::{self, Condition},
    front::Front,
    kafka::{self, ProducerLimits},
    log_reader::LogReader,
    serve::{self, Limits, Reserved},
    shutdown::{CancellationToken, DropGuard},
};
use control::{reporter::Reporter, skips::Skips, tail::View};
use domain::fold::State;
use metrics_exporter_prometheus::PrometheusHandle;
use schemas::{Topic, codec::Codec};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};

/// How often gauges are set and the producer is asked whether it still works.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How often a starting process looks whether its folds are ready.
const READY_INTERVAL: Duration = Duration::from_millis(20);

/// A built ingress that serves nobody yet.
pub struct App {
    config: Config,
    secrets: Secrets,
    shared: http::Shared,
    metrics: Option<PrometheusHandle>,
    shutdown: CancellationToken,
    is_open: Arc<AtomicBool>,
    /// Ends tails and whatever else answers need, once the last request is answered.
    work: CancellationToken,
    /// Also where the process ends before it has begun.
    _work: DropGuard,
    fatal: mpsc::Receiver<String>,
    threads: Vec<JoinHandle<()>>,
    control: control::tail::Tail,
}

impl App {
    /// Reads the log's foundation, starts the tails. Cancelling `shutdown` ends everything.
    ///
    /// # Errors
    /// A setting, a service or a log that does not fit.
    pub async fn build(
        config: Config,
        metrics: Option<PrometheusHandle>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let (secrets, max_in_flight, waits) = (config.secrets()?, config.in_flight()?, config.waits()?);
        config.trusted_proxies()?;
        let partitions = ingress::partitions(&config.topic_prefix);
        let (foundation, start) = {
            let (config, secrets, partitions) = (config.clone(), secrets.clone(), partitions.clone());
            tokio::task::spawn_blocking(move || look_at_log(&config, &secrets, &partitions)).await??
        };
        foundation::compare_registry(&config.registry_url, &foundation.schemas).await?;
        if config.mode == ModeSetting::Stage {
            tracing::warn!("stage mode: anybody may act for anybody. Never for real users");
        }
        let work = CancellationToken::new();
        let guard = work.clone().drop_guard();
        let (tell, fatal) = mpsc::channel(8);
        let mut started = Started { threads: Vec::new(), tell, shutdown: work.clone() };
        let accounts = TopicLog::accounts(&config.topic_prefix);
        let coupons = TopicLog::coupons(&config.topic_prefix);
        let recent = Arc::new(RecentOrders::default());
        let shop = TopicLog::shop(&config.topic_prefix, recent.watch());
        let codec = Arc::new(ArcSwap::from_pointee(Codec::new(&foundation.schemas)?));
        let reader = kafka::log_reader(&config.kafka, &config.instance);
        let control = controls::open(&config).await?;
        let skips = || Skips::of(&control.view());
        started.tail(Tail::new(accounts.clone(), &reader, codec.clone(), skips())?)?;
        started.tail(Tail::new(coupons.clone(), &reader, codec.clone(), skips())?)?;
        started.tail(Tail::new(shop.clone(), &reader, codec.clone(), skips())?)?;
        let reader = LogReader::new(reader)?;
        let (read_index, thread) = ReadIndex::start(reader, partitions, waits.read_index(), work.clone())?;
        started.threads.push(thread);
        let ingress = Ingress {
            accounts,
            coupons,
            shop,
            codec,
            appender: Arc::new(appender(&config, waits).await?),
            read_index,
            in_flight: Arc::new(AtomicUsize::new(0)),
            max_in_flight,
            waits,
            decide_seconds: metrics::histogram!(metric::DECIDE_SECONDS),
            truncated: started.teller(),
        };
        let is_open = Arc::new(AtomicBool::new(false));
        let condition = Arc::new(Ingoing::new(&config, &ingress, start, &is_open, &shutdown));
        let wanted = control.view().state().unwrap_or_default();
        let memory = Memory::new(&config, &foundation, &ingress, (recent, &wanted)).await?;
        let said = Said { control: control.view(), condition };
        let shared = shared(&config, &secrets, &foundation, (ingress, memory), said)?;
        let threads = started.threads;
        Ok(Self {
            config,
            secrets,
            shared,
            metrics,
            shutdown,
            is_open,
            work,
            _work: guard,
            fatal,
            threads,
            control,
        })
    }

    /// Opens the public listeners when the folds are ready, and serves until shutdown or until the log turns out not to be
    /// the one that was folded. What answers need ends after the last answer, and the admin listener last of all.
    ///
    /// # Errors
    /// Why the process must end.
    pub async fn run(mut self, public: Vec<Reserved>, front: Front) -> anyhow::Result<()> {
        let office = controls::office(&self.config, self.control.view(), self.shared.history.clone());
        front.serve(self.admin_router(office.clone().routes()));
        let warming = tokio::spawn(async move { office.warm().await });
        let work = self.work.clone();
        let watcher = tokio::spawn(watch(self.shared.clone(), work.clone(), self.shutdown.clone()));
        let ticker = tokio::spawn(ticker::run(self.shared.clone(), work.clone()));
        let history = tokio::spawn(history::watch(self.shared.history.clone(), work.clone()));
        let changed = Arc::new(Notify::new());
        let reports = controls::report(&self.config, self.shared.history.clone(), changed.clone(), &work)?;
        let view = self.control.view();
        let following = tokio::spawn(history::follow(self.shared.history.clone(), view, changed, work));
        let (shared, doors, limits) = (self.shared.clone(), CancellationToken::new(), self.limits());
        let (mut servers, is_open) = (JoinSet::new(), self.is_open.clone());
        let ended = tokio::select! {
            reason = self.fatal.recv() => reason.map_or(Ok(()), |reason| Err(anyhow::anyhow!(reason))),
            () = self.shutdown.cancelled() => Ok(()),
            opened = open(Doors { public, shared, limits, is_open, close: doors.clone() }, &mut servers) => opened,
        };
        if let Err(error) = &ended {
            tracing::error!(%error, "the process ends");
        }
        // From here on `/ready` says no; whoever goes by it gets the time to hear it.
        self.shutdown.cancel();
        if ended.is_ok() && !servers.is_empty() {
            tokio::time::sleep(Duration::from_millis(self.config.drain_delay_ms)).await;
        }
        doors.cancel();
        while servers.join_next().await.is_some() {}
        self.work.cancel();
        let watched = watcher.await.context("the watcher")?;
        ticker.await.context("the ticker")?;
        history.await.context("the watcher of MySQL")?;
        following.await.context("following control")?;
        reports.await.context("the reports")?;
        Reporter::farewell(&self.config.kafka, &self.config.topic_prefix, &self.config.instance).await;
        warming.await.context("getting ready for changes of control")?;
        self.shared.history.close().await;
        let appender = self.shared.ingress.appender.clone();
        tokio::task::spawn_blocking(move || appender.flush(limits::FLUSH)).await?;
        for thread in self.threads {
            if !thread.is_finished() && thread.thread().name() == Some("read-index") {
                continue; // Waits for the last asker, which is this process itself.
            }
            tokio::task::spawn_blocking(move || thread.join()).await?.ok();
        }
        front.close().await.context("the admin listener")?;
        ended.and(watched)
    }

    fn limits(&self) -> Limits {
        Limits {
            max_connections: self.config.max_connections,
            header_timeout: Duration::from_millis(self.config.header_timeout_ms),
            idle_timeout: Duration::from_millis(self.config.idle_timeout_ms),
            write_timeout: Duration::from_millis(self.config.write_timeout_ms),
            ..Limits::default()
        }
    }

    fn admin_router(&self, office: Router) -> Router {
        let guarded = http::admin_routes(self.shared.clone()).merge(office);
        let guarded = admin::guarded(guarded, &self.secrets.admin_token);
        admin::open_routes(self.shared.condition.clone(), self.metrics.clone()).merge(guarded)
    }
}

/// The public listeners, still closed.
struct Doors {
    public: Vec<Reserved>,
    shared: http::Shared,
    limits: Limits,
    is_open: Arc<AtomicBool>,
    close: CancellationToken,
}

/// Opens them when the folds are ready; until then connections are refused. Ends only with an error.
async fn open(doors: Doors, servers: &mut JoinSet<bool>) -> anyhow::Result<()> {
    let Doors { public, shared, limits, is_open, close } = doors;
    while shared.condition.serves().is_err() {
        tokio::time::sleep(READY_INTERVAL).await;
    }
    let router = http::routes(shared);
    for reserved in public {
        let listener = reserved.listen().context("TIDEMARK_LISTEN")?;
        servers.spawn(serve::run(listener, router.clone(), limits, close.clone()));
    }
    is_open.store(true, Ordering::Release);
    std::future::pending().await
}

/// Threads of the process and the way in which they say that it must end.
struct Started {
    threads: Vec<JoinHandle<()>>,
    tell: mpsc::Sender<String>,
    shutdown: CancellationToken,
}

impl Started {
    fn tail<S>(&mut self, tail: Tail<S>) -> std::io::Result<()>
    where
        S: State + Send + 'static,
        S::Outcome: Send,
        S::Key: Send,
    {
        let (tell, shutdown) = (self.tell.clone(), self.shutdown.clone());
        let name = format!("tail-{}", S::TOPIC.base_name());
        let run = move || {
            if let Err(fatal) = tail.run(&shutdown) {
                let fatal: Fatal = fatal;
                let _ = tell.blocking_send(fatal.to_string());
            }
        };
        self.threads.push(std::thread::Builder::new().name(name).spawn(run)?);
        Ok(())
    }

    fn teller(&self) -> Arc<dyn Fn(String) + Send + Sync> {
        let tell = self.tell.clone();
        Arc::new(move |reason| {
            let _ = tell.try_send(format!("the log lost records that this process has folded: {reason}"));
        })
    }
}

fn look_at_log(
    config: &Config,
    secrets: &Secrets,
    partitions: &[(String, i32)],
) -> anyhow::Result<(Foundation, Vec<u64>)> {
    let patience = Duration::from_millis(config.kafka_wait_ms);
    let reader = LogReader::new(kafka::log_reader(&config.kafka, &config.instance))?.patient(patience);
    let foundation = foundation::read(config, secrets, &reader)?;
    let ends = reader.end_offsets(partitions, patience).context("asking where the log ends")?;
    Ok((foundation, ends))
}

async fn appender(config: &Config, waits: Waits) -> anyhow::Result<Appender> {
    let limits = ProducerLimits {
        delivery_timeout_ms: waits.delivery_timeout_ms(),
        queue_messages: limits::PRODUCER_QUEUE_MESSAGES,
        queue_kbytes: limits::PRODUCER_QUEUE_KBYTES,
    };
    let settings = kafka::producer(&config.kafka, &config.instance, config.linger_ms, limits);
    let topics = Topic::ALL.map(|topic| topic.name(&config.topic_prefix));
    let made = tokio::task::spawn_blocking(move || Appender::new(&settings, &topics));
    Ok(made.await??)
}

/// What is beside the folds: none of it is needed for a start.
struct Memory {
    recent: Arc<RecentOrders>,
    store: Store,
    history: Arc<History>,
    facts: FactLog,
}

impl Memory {
    async fn new(
        config: &Config,
        foundation: &Foundation,
        ingress: &Ingress,
        (recent, wanted): (Arc<RecentOrders>, &control::State),
    ) -> anyhow::Result<Self> {
        let store = Store::new(config, foundation.log_id).context("TIDEMARK_REDIS_URL")?;
        let history = History::new(config, wanted, store.clone(), ingress.shop.clone(), recent.clone()).await;
        let history = Arc::new(history.context("TIDEMARK_DATABASE_URL")?);
        let (appender, deadline) = (ingress.appender.clone(), ingress.waits.answer());
        let facts = FactLog::new(appender, &foundation.schemas, &config.topic_prefix, deadline)?;
        Ok(Self { recent, store, history, facts })
    }
}

/// What is known of the whole deployment, and what this process says of itself.
struct Said {
    control: View,
    condition: Arc<dyn Condition>,
}

fn shared(
    config: &Config,
    secrets: &Secrets,
    foundation: &Foundation,
    (ingress, memory): (Ingress, Memory),
    said: Said,
) -> Result<http::Shared, BadSetting> {
    let Foundation { log_id, mode, opening_balance, .. } = *foundation;
    let fingerprint_key = secrets.fingerprint_key.clone();
    Ok(Arc::new(http::App {
        ingress,
        recent: memory.recent,
        history: memory.history,
        store: memory.store,
        facts: memory.facts,
        platform_keys: secrets.platform_keys.clone(),
        admin_token: secrets.admin_token.clone(),
        identity: Identity { log_id, mode, fingerprint_key },
        sessions: Sessions::new(&secrets.session_key, log_id, mode, config.secure_cookies),
        mode,
        opening_balance,
        control: said.control,
        condition: said.condition,
        requests: metric::RequestMetrics::default(),
        bench_noop: config.bench_noop,
        trusted_proxies: config.trusted_proxies()?,
    }))
}

/// Sets gauges; ends the process where the producer says that it will never send again.
async fn watch(
    shared: http::Shared,
    work: CancellationToken,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let ingress = &shared.ingress;
    loop {
        tokio::select! {
            () = work.cancelled() => return Ok(()),
            () = tokio::time::sleep(WATCH_INTERVAL) => {}
        }
        metrics::gauge!(metric::IN_FLIGHT).set(ingress.in_flight.load(Ordering::Relaxed) as f64);
        gauge(&ingress.accounts);
        gauge(&ingress.coupons);
        gauge(&ingress.shop);
        if let Some(projected) = shared.history.projected_offset() {
            shared.recent.let_go(projected);
        }
        if let Some(fatal) = ingress.appender.fatal_error() {
            shutdown.cancel();
            anyhow::bail!("the producer failed for good: {fatal}");
        }
    }
}

fn gauge<S: State>(log: &TopicLog<S>) {
    for cell in log.cells() {
        let partition = cell.partition().to_string();
        metrics::gauge!(metric::NEXT_OFFSET, "topic" => log.name().to_string(), "partition" => partition)
            .set(cell.next_offset() as f64);
    }
}

//! Which services a stack has, and how each is started there.

use super::UpOptions;
use crate::daemon::Launch;
use crate::error::Result;
use crate::install::Programs;
use crate::ports::{Lease, Plan};
use crate::services::kafka::{KafkaOptions, KafkaPrograms};
use crate::services::mysql::MySqlOptions;
use crate::services::redis::RedisOptions;
use crate::services::registry::RegistryOptions;
use crate::services::{Place, kafka, mysql, platform, redis, registry};
use crate::state::{Endpoints, Entry, Settings, State};

/// One service and how its programs are started.
pub(super) struct Service<'a> {
    pub(super) name: &'static str,
    pub(super) launches: Box<dyn FnOnce() -> Result<Vec<Launch>> + Send + 'a>,
}

/// The ports of a new stack, or those of the one that still runs.
pub(super) fn ports(options: &UpOptions, old: Option<&State>) -> Result<(Plan, Vec<Lease>)> {
    match old.filter(|old| old.any_alive()) {
        // Whatever the environment says today.
        Some(old) => Ok((old.ports.clone(), Vec::new())),
        None if options.leased_ports => Plan::leased(options.settings.brokers),
        None => Ok((Plan::fixed(options.settings.brokers)?, Vec::new())),
    }
}

/// A stack with those settings; of an old one only what still runs is kept.
pub(super) fn empty_state(name: &str, settings: &Settings, ports: Plan, old: Option<State>) -> State {
    let alive = |state: State| state.services.into_iter().filter(Entry::is_alive).collect();
    State {
        name: name.to_owned(),
        settings: settings.clone(),
        endpoints: endpoints(&ports),
        ports,
        services: old.map(alive).unwrap_or_default(),
    }
}

fn endpoints(ports: &Plan) -> Endpoints {
    Endpoints {
        kafka: kafka::bootstrap(&ports.brokers),
        mysql: mysql::url(ports.mysql),
        redis: format!("redis://127.0.0.1:{}", ports.redis),
        registry: registry::url(ports.registry),
        platform: platform::url(ports.platform),
    }
}

/// The services of a stack, the slowest first.
pub(super) fn services<'a>(programs: &'a Programs, place: &'a Place, state: &State) -> Vec<Service<'a>> {
    let (settings, ports) = (state.settings.clone(), state.ports.clone());
    let kafka_options = KafkaOptions {
        brokers: ports.brokers,
        throughput: settings.throughput,
        proxied: Vec::new(),
        extra: Vec::new(),
    };
    let registry_options = RegistryOptions { port: ports.registry, management: ports.registry_management };
    let mysql_options = MySqlOptions {
        durable: settings.durable,
        buffer_pool_mb: settings.buffer_pool_mb,
        ..MySqlOptions::on(ports.mysql)
    };
    let redis_options = RedisOptions { port: ports.redis, append_only: true, extra: Vec::new() };
    let kafka_programs = KafkaPrograms { java: programs.java.clone(), kafka: programs.kafka.clone() };
    let (partner, control) = (ports.platform, ports.platform_control);
    let service = |name, launches| Service { name, launches };
    vec![
        service("kafka", Box::new(move || kafka::launches(&kafka_programs, place, &kafka_options))),
        service(
            "registry",
            Box::new(move || {
                let java = programs.java.clone();
                Ok(vec![registry::launch(java, &programs.registry, place, &registry_options)])
            }),
        ),
        service("mysql", Box::new(move || Ok(vec![mysql::launch(&programs.mysql, place, &mysql_options)?]))),
        service(
            "redis",
            Box::new(move || Ok(vec![redis::launch(programs.redis.clone(), place, &redis_options)])),
        ),
        service("platform", Box::new(move || Ok(vec![platform::launch(place, partner, control)?]))),
    ]
}

/// Whether a program of that name belongs to every stack, rather than being added later.
pub(super) fn is_service(name: &str) -> bool {
    name.starts_with("kafka") || matches!(name, "mysql" | "redis" | "registry" | "platform")
}

/// Whether all that a stack has today runs: an older one may lack something.
pub(super) fn is_whole(state: &State) -> bool {
    let has = |name: &str| state.services.iter().any(|entry| entry.launch.name == name);
    has("platform") && state.services.iter().all(Entry::is_alive)
}

/// The settings in words.
pub(super) fn describe(settings: &Settings) -> String {
    format!(
        "{} broker(s), durable={}, throughput={}, a buffer pool of {} MB",
        settings.brokers, settings.durable, settings.throughput, settings.buffer_pool_mb
    )
}

//! A service of one's own for a fault test: on leased ports, in a temporary folder, gone when dropped.
//!
//! It must never be shared between test processes, and never outlive the one that started it.

use crate::cache::{Cache, remove};
use crate::daemon::Lifetime;
use crate::error::{Doing, Result, tail};
use crate::install::{self, Tool};
use crate::ports::{Broker, Lease, lease};
use crate::process::{Process, ProcessOptions};
use crate::progress::note;
use crate::proxy::Proxy;
use crate::services::kafka::{KafkaPrograms, local};
use crate::services::{
    Kafka, KafkaOptions, MySql, MySqlOptions, Nginx, NginxOptions, Place, Proxied, Redis, RedisOptions,
    Registry, RegistryOptions,
};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Lines that are shown of each log of a failed test.
const SHOWN_LINES: usize = 15;
/// Characters that are shown of such a line.
const SHOWN_CHARS: usize = 300;

/// A service with its ports and its folder. Use it as the service it holds.
#[derive(Debug)]
pub struct Private<S> {
    // Dropped in this order: the process first, then its files, then its ports.
    service: S,
    folder: Folder,
    _leases: Vec<Lease>,
}

impl<S> Private<S> {
    /// The folder with `data` and `logs`.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }
}

impl<S> Deref for Private<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.service
    }
}

impl<S> DerefMut for Private<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.service
    }
}

/// A folder that goes when dropped. Of a failed test the logs stay; with `$TIDEMARK_KEEP` everything does.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var_os("TIDEMARK_KEEP").is_some() {
            return;
        }
        // A leftover in the temporary folder is not worth a second panic.
        if std::thread::panicking() {
            let _ = remove(&self.0.join("data"));
            let logs = self.0.join("logs");
            note(&format!("logs of the failed test are in {}", logs.display()));
            for log in std::fs::read_dir(&logs).into_iter().flatten().flatten() {
                note(&end_of(&log.path()));
            }
        } else {
            let _ = remove(&self.0);
        }
    }
}

/// The last lines of a log under its name, for the output of a failed test.
fn end_of(log: &Path) -> String {
    let tail = tail(log);
    let lines: Vec<&str> = tail.lines().collect();
    let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].iter();
    let short = last.map(|line| format!("\n    {}", line.chars().take(SHOWN_CHARS).collect::<String>()));
    format!("  the end of {}:{}", log.display(), short.collect::<String>())
}

fn place(name: &str) -> Result<(Folder, Place)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tidemark-{name}-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    remove(&folder)?;
    std::fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    let place = Place { folder: folder.clone(), lifetime: Lifetime::WithUs };
    Ok((Folder(folder), place))
}

fn leases(count: usize) -> Result<(Vec<Lease>, Vec<u16>)> {
    let leases: Vec<Lease> = (0..count).map(|_| lease()).collect::<Result<_>>()?;
    let ports = leases.iter().map(Lease::port).collect();
    Ok((leases, ports))
}

/// One Kafka broker.
///
/// # Errors
/// It cannot be installed or started.
pub fn kafka() -> Result<Private<Kafka>> {
    kafka_with(1, |_| ())
}

/// A cluster of one or three brokers; `change` may alter its options.
///
/// # Errors
/// It cannot be installed or started.
pub fn kafka_with(brokers: usize, change: impl FnOnce(&mut KafkaOptions)) -> Result<Private<Kafka>> {
    let cache = Cache::open()?;
    let programs = KafkaPrograms { java: install::java(&cache)?, kafka: install::kafka(&cache)? };
    let (folder, place) = place("kafka")?;
    let (leases, ports) = leases(2 * brokers)?;
    let pair = |pair: &[u16]| Broker { client: pair[0], controller: pair[1] };
    let mut options = KafkaOptions {
        brokers: ports.chunks_exact(2).map(pair).collect(),
        throughput: false,
        proxied: Vec::new(),
        extra: Vec::new(),
    };
    change(&mut options);
    Ok(Private { service: Kafka::start(&programs, &place, &options)?, folder, _leases: leases })
}

/// One Kafka broker that tells clients of the proxy to come back through the proxy. Give clients the
/// proxy's address as their bootstrap server.
///
/// # Errors
/// It cannot be installed or started.
pub fn kafka_behind_proxy() -> Result<(Private<Kafka>, Proxy)> {
    let behind = lease()?;
    let proxy = Proxy::start(local(behind.port()))?;
    let proxied = Proxied { listen: behind.port(), advertised: proxy.addr() };
    let mut kafka = kafka_with(1, |options| options.proxied = vec![proxied])?;
    kafka._leases.push(behind);
    Ok((kafka, proxy))
}

/// A MySQL with the fast options, 64 MB for pages.
///
/// # Errors
/// It cannot be installed or started.
pub fn mysql() -> Result<Private<MySql>> {
    mysql_with(|_| ())
}

/// A MySQL; `change` may alter its options.
///
/// # Errors
/// It cannot be installed or started.
pub fn mysql_with(change: impl FnOnce(&mut MySqlOptions)) -> Result<Private<MySql>> {
    let programs = install::mysql(&Cache::open()?)?;
    let (folder, place) = place("mysql")?;
    let leased = lease()?;
    let mut options = MySqlOptions { buffer_pool_mb: 64, ..MySqlOptions::on(leased.port()) };
    change(&mut options);
    Ok(Private { service: MySql::start(&programs, &place, &options)?, folder, _leases: vec![leased] })
}

/// A Redis with an append-only file.
///
/// # Errors
/// It cannot be installed or started.
pub fn redis() -> Result<Private<Redis>> {
    redis_with(|_| ())
}

/// A Redis; `change` may alter its options.
///
/// # Errors
/// It cannot be installed or started.
pub fn redis_with(change: impl FnOnce(&mut RedisOptions)) -> Result<Private<Redis>> {
    let program = install::tool(Tool::Redis)?;
    let (folder, place) = place("redis")?;
    let leased = lease()?;
    let mut options = RedisOptions { port: leased.port(), append_only: true, extra: Vec::new() };
    change(&mut options);
    Ok(Private { service: Redis::start(program, &place, &options)?, folder, _leases: vec![leased] })
}

/// An nginx in front of those ports of 127.0.0.1.
///
/// # Errors
/// It cannot be installed or started.
pub fn nginx(upstream: Vec<u16>) -> Result<Private<Nginx>> {
    nginx_behind(upstream, Vec::new())
}

/// The same behind other proxies, at these addresses.
///
/// # Errors
/// It cannot be installed or started.
pub fn nginx_behind(upstream: Vec<u16>, trusted_proxies: Vec<String>) -> Result<Private<Nginx>> {
    let program = install::tool(Tool::Nginx)?;
    let (folder, place) = place("nginx")?;
    let leased = lease()?;
    let options = NginxOptions { listen: vec![leased.port()], upstream, trusted_proxies };
    Ok(Private { service: Nginx::start(program, &place, options)?, folder, _leases: vec![leased] })
}

/// A schema registry with a file of its own.
///
/// # Errors
/// It cannot be installed or started.
pub fn registry() -> Result<Private<Registry>> {
    let cache = Cache::open()?;
    let (java, home) = (install::java(&cache)?, install::registry(&cache)?);
    let (folder, place) = place("registry")?;
    let (leases, ports) = leases(2)?;
    let options = RegistryOptions { port: ports[0], management: ports[1] };
    Ok(Private { service: Registry::start(java, &home, &place, &options)?, folder, _leases: leases })
}

/// One of our own programs, found by [`crate::process::binary`], on leased ports: an admin listener and
/// `listens` others. Returned when its `/ready` answers 200.
///
/// # Errors
/// It is not built or does not start; the error carries the end of its log.
pub fn process(
    program: &str,
    args: &[&str],
    env: BTreeMap<String, String>,
    listens: usize,
) -> Result<Private<Process>> {
    let (folder, place) = place(program)?;
    let (leases, ports) = leases(1 + listens)?;
    let options = ProcessOptions {
        program: crate::process::binary(program)?,
        instance: format!("{program}-{}", ports[0]),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env,
        admin: ports[0],
        listen: ports[1..].to_vec(),
    };
    Ok(Private { service: Process::start(&place, &options)?, folder, _leases: leases })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_last_lines_are_shown_and_long_ones_are_cut() {
        let log = std::env::temp_dir().join(format!("stack-end-{}.log", std::process::id()));
        let lines: Vec<String> = (0..100).map(|n| format!("{n} {}", "\u{e9}".repeat(40))).collect();
        std::fs::write(&log, format!("{}\nlast {}", lines.join("\n"), "x".repeat(2 * SHOWN_CHARS))).unwrap();
        let shown = end_of(&log);
        std::fs::remove_file(&log).unwrap();
        assert_eq!(shown.lines().count(), 1 + SHOWN_LINES);
        let last = shown.lines().last().unwrap();
        assert!(last.starts_with("    last x") && last.trim_start().len() == SHOWN_CHARS, "{last}");
    }
}

//! What a result was measured on: the machine and the versions of everything.
//!
//! It must never fail a measurement: what cannot be found out is `unknown`.

use serde_json::{Value, json};
use stack::cache::Cache;
use stack::install::{self, Tool};
use stack::workspace;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long one look at the processors takes.
const LOOK: Duration = Duration::from_secs(1);

/// Cores, memory and the processor's name.
pub(in crate::commands) fn machine() -> Value {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned)?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kilobytes| kilobytes / 1024);
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_mb": memory,
        "cpu": field("/proc/cpuinfo", "model name"),
    })
}

/// The share of the processors that somebody uses now, from 0 to 1, over a second.
pub(in crate::commands) fn busy() -> Option<f64> {
    let before = Ticks::now()?;
    std::thread::sleep(LOOK);
    Some(1.0 - before.shares_since()?.idle)
}

/// Ticks of all processors since the machine began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

/// Shares of the processors' time, from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Shares {
    /// Nobody wanted it.
    pub(in crate::commands) idle: f64,
    /// Somebody here wanted it, and another machine on the same hardware got it.
    pub(in crate::commands) stolen: f64,
}

impl Ticks {
    /// Until now; `None` where the system does not tell.
    pub(in crate::commands) fn now() -> Option<Self> {
        Self::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// Shares of the time that has passed since then.
    pub(in crate::commands) fn shares_since(self) -> Option<Shares> {
        let now = Self::now()?;
        let all = now.all.checked_sub(self.all).filter(|all| *all > 0)?;
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / all as f64;
        Some(Shares { idle: share(now.idle, self.idle), stolen: share(now.stolen, self.stolen) })
    }

    /// Out of the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal ...
    fn of(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> = fields.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let idle = fields.get(3)? + fields.get(4)?;
        Some(Self { all: fields.iter().take(8).sum(), idle, stolen: *fields.get(7)? })
    }
}

/// Versions by the keys of the reports.
pub(in crate::commands) fn versions() -> BTreeMap<&'static str, String> {
    let cache = Cache::open().ok();
    let k6 = cache.as_ref().and_then(|cache| install::k6(cache).ok());
    let mysql = cache.as_ref().and_then(|cache| install::mysql(cache).ok());
    let redis = install::tool(Tool::Redis).ok();
    let found = [
        ("kafka", Some(install::KAFKA_VERSION.to_owned())),
        ("registry", Some(install::REGISTRY_VERSION.to_owned())),
        ("mysql", mysql.map(|mysql| mysql.version)),
        ("redis", redis.and_then(|path| said(&path, &["--version"])).and_then(|text| word(&text, "v="))),
        ("k6", k6.and_then(|path| said(&path, &["version"])).and_then(|text| word(&text, "v"))),
        ("rustc", said(Path::new("rustc"), &["--version"])),
        ("tidemark", Some(tidemark())),
    ];
    found.map(|(name, version)| (name, version.unwrap_or_else(|| "unknown".to_owned()))).into()
}

/// The version of the manifest, and the commit where git tells.
fn tidemark() -> String {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    match said(Path::new("git"), &["describe", "--always", "--dirty"]) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    }
}

/// What a program prints, without the line's end.
fn said(program: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(workspace::root().ok()?).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The rest of the first word that begins so and goes on with a digit.
fn word(text: &str, start: &str) -> Option<String> {
    let mut words = text.split_whitespace().filter_map(|word| word.strip_prefix(start));
    words.find(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_disk_is_idleness() {
        let stat = "cpu  10 0 20 60 5 0 3 2 0 0\ncpu0 1 2 3\n";
        assert_eq!(Ticks::of(stat), Some(Ticks { all: 100, idle: 65, stolen: 2 }));
        assert_eq!(Ticks::of("intr 1"), None);
    }

    #[test]
    fn versions_are_found_among_other_words() {
        assert_eq!(word("k6 v1.1.0 (commit/0e3fb953be, go1.24.4)", "v").as_deref(), Some("1.1.0"));
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0";
        assert_eq!(word(redis, "v=").as_deref(), Some("7.0.15"));
        assert_eq!(word("nothing here", "v"), None);
    }
}

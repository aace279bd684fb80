//! `cargo stack status`: what runs, since when, and how much memory it holds.

use serde_json::json;
use stack::daemon::Daemon;
use stack::{Result, Stack, progress};
use std::process::ExitCode;
use std::time::Duration;

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON, with the endpoints.
    #[arg(long)]
    json: bool,
}

/// Exit code 0 when everything runs, 1 otherwise.
pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    let mut stack = Stack::attach(name)?;
    if args.json {
        let services: Vec<_> = stack.daemons().iter_mut().map(as_json).collect();
        let all = json!({
            "name": name,
            "folder": stack.folder(),
            "settings": stack.state().settings,
            "endpoints": stack.endpoints(),
            "services": services,
        });
        progress::answer(&format!("{all:#}"));
    } else {
        table(&mut stack);
    }
    match stack.is_alive() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// Prints one line per program, and the endpoints.
pub(super) fn table(stack: &mut Stack) {
    progress::answer("service          pid    port   up since  memory");
    for daemon in stack.daemons() {
        let row = match (daemon.pid(), daemon.identity()) {
            (Some(pid), Some(identity)) => format!(
                "{:<13} {pid:>6}   {:>5} {:>10} {:>4} MB",
                daemon.name(),
                daemon.launch().port,
                identity.age().map(readable).unwrap_or_default(),
                identity.resident_mb().unwrap_or_default(),
            ),
            _ => format!("{:<13}      -   {:>5}    stopped", daemon.name(), daemon.launch().port),
        };
        progress::answer(&row);
    }
    let endpoints = stack.endpoints();
    for (name, address) in [
        ("kafka", &endpoints.kafka),
        ("mysql", &endpoints.mysql),
        ("redis", &endpoints.redis),
        ("registry", &endpoints.registry),
        ("platform", &endpoints.platform),
    ] {
        progress::answer(&format!("{name:<9} {address}"));
    }
}

fn as_json(daemon: &mut Daemon) -> serde_json::Value {
    let pid = daemon.pid();
    let identity = daemon.identity().filter(|_| pid.is_some());
    json!({
        "service": daemon.name(),
        "pid": pid,
        "port": daemon.launch().port,
        "up_s": identity.and_then(|identity| identity.age()).map(|age| age.as_secs()),
        "resident_mb": identity.and_then(|identity| identity.resident_mb()),
        "log": daemon.log(),
    })
}

fn readable(age: Duration) -> String {
    match age.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3600 => format!("{} m {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_two_largest_units() {
        let told = |seconds| readable(Duration::from_secs(seconds));
        assert_eq!(told(59), "59 s");
        assert_eq!(told(61), "1 m 1 s");
        assert_eq!(told(7_260), "2 h 1 m");
    }
}

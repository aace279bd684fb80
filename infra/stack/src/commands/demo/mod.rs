//! `cargo stack demo`: the whole system at work, for a person to watch, on a stack of its own.
//!
//! Optimised programs, real services, the production scenario and a sell-out at once; then everything is compared.

mod report;
mod table;

use super::cargo::Profile;
use super::system::{System, k6::Script, release, shop};
use report::{Findings, Report, Shop};
use stack::error::Doing;
use stack::progress::{Step, answer, note};
use stack::{Error, Result, ports, workspace};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Pieces of the coupon that is sold out.
const SMALL_PIECES: u64 = 1_000;
/// The coupon of the sample data that nobody sells out.
const LARGE_COUPON: u64 = 1;
/// What people expect the API on; taken when both are free.
const PUBLIC: [u16; 2] = [3000, 8080];
/// Iterations a second while Kafka's code is compiled, and for how long.
const WARM_UP_RATE: u64 = 50;
const WARM_UP: &str = "6s";
/// Iterations of the scenario of which one orders.
const ORDER_EVERY: u64 = 20;
/// MySQL's memory for pages, in megabytes.
const BUFFER_POOL_MB: u32 = 128;

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave everything running afterwards.
    #[arg(long)]
    keep: bool,
    /// Iterations of the production scenario a second; each asks four times, one in twenty orders and pays besides. Two
    /// cores with everything on them are full at 200 to 330.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// How long, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Leave ports 3000 and 8080 alone, also when they are free.
    #[arg(long)]
    leased_ports: bool,
}

pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    require_orders(args)?;
    let path = workspace::root()?.join("target/stack/report.json");
    // Whoever reads it must never take a former run's for this one's.
    let _ = std::fs::remove_file(&path);
    let _lock = release::lock(name)?;
    let kept = release::runs(name);
    if kept {
        note(&format!("  the stack '{name}' still runs: it is used as it is, and stays; nothing is wiped"));
    } else {
        release::wipe(name)?;
    }
    let keep = args.keep || kept;
    let wanted = release::Wanted { name, keep, profile: Profile::Demo, buffer_pool_mb: BUFFER_POOL_MB };
    let mut system = release::bring_up(&wanted)?;
    start(&mut system, args.leased_ports)?;
    let report = measure(&mut system, args)?;
    answer(&report.to_string());
    let text = report.json().to_string();
    std::fs::write(&path, text + "\n").doing(|| format!("write {}", path.display()))?;
    answer(&format!("written to {}", path.display()));
    finish(system, name, keep)?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A demonstration without an order would show nothing of the shop.
fn require_orders(args: &Args) -> Result<()> {
    if args.rate.saturating_mul(args.seconds) >= ORDER_EVERY {
        return Ok(());
    }
    Err(Error::prepare(format!(
        "raise --rate or --seconds: one iteration in {ORDER_EVERY} orders, and these are {}",
        args.rate.saturating_mul(args.seconds)
    )))
}

fn start(system: &mut System, leased: bool) -> Result<()> {
    for former in ["nginx", "api-1", "consumers-1"] {
        if let Ok(daemon) = system.stack().service(former) {
            daemon.stop()?;
        }
    }
    let log = system.log("tools");
    for (tool, how) in [("init", "founded"), ("seed", "filled")] {
        let step = Step::start(format!("consumers {tool}"));
        system.tool(&[tool], &log)?;
        step.done(how);
    }
    let step = Step::start("api and consumers");
    let public = public_ports(system, leased);
    system.start_consumers()?;
    system.start_api(public)?;
    step.done("ready");
    Ok(())
}

/// Those that people expect, or leased ones.
fn public_ports(system: &mut System, leased: bool) -> Vec<u16> {
    let other = system.stack().state().ports.public;
    if leased {
        return other.to_vec();
    }
    let Some(busy) = PUBLIC.into_iter().find(|port| !ports::is_free(*port)) else {
        return PUBLIC.to_vec();
    };
    let who =
        ports::holder(busy).map_or_else(String::new, |h| format!(" (by process {}, {})", h.pid, h.command));
    note(&format!("  port {busy} is taken{who}: the API listens on {} and {}", other[0], other[1]));
    other.to_vec()
}

/// Kafka is Java: in its first seconds it answers many times slower than later, which says nothing of the system.
fn warm_up(system: &mut System) -> Result<()> {
    let step = Step::start("warm-up, not counted");
    let rate = WARM_UP_RATE.to_string();
    let all = [("SCENARIO", "load"), ("RATE", &rate), ("DURATION", WARM_UP)];
    let variables = all.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let script = Script { file: "production-operation.scenario.script.js", variables };
    let summary = system.k6(&script, &system.log("k6-warm-up"), |_| ())?;
    step.done(&format!("{} requests", summary.requests));
    Ok(())
}

fn measure(system: &mut System, args: &Args) -> Result<Report> {
    warm_up(system)?;
    let small = system.open_coupon(SMALL_PIECES)?;
    let before = system.served()?.requests();
    note(&format!(
        "  k6: {} people a second for {} s sign up, win a coupon, look around, and one in {ORDER_EVERY} orders and pays;",
        args.rate, args.seconds
    ));
    note(&format!("      beside them {SMALL_PIECES} pieces of a small coupon are sold out"));
    let script = Script { file: "demo.script.js", variables: variables(args, small) };
    let log = system.log("k6-demo");
    let step = Step::start("load");
    let began_ms = shop::now_ms();
    let summary = system.k6(&script, &log, |since| tell(system, before, since))?;
    let ended = Instant::now();
    step.done("ended");
    system.require_alive()?;
    let server_requests = system.served()?.requests() - before;
    let step = Step::start("partner");
    let heard = system.heard()?;
    step.done(&format!("heard of {} orders", heard.partner.orders));
    let step = Step::start("audit");
    let log = system.log("audit");
    let began = ended.elapsed();
    let audit = system.audit(&log)?;
    step.done("done");
    let caught_up = audit.caught_up_seconds.map(|waited| began.as_secs_f64() + waited);
    let stored = system.orders_since(began_ms)?;
    let paid_in_mysql = system.paid_in_mysql(began_ms)?;
    let shop = Shop { stored, paid_in_mysql, heard };
    let findings = Findings { summary, audit, shop, server_requests, caught_up, small, log: k6_log(system) };
    Ok(Report::new(findings, SMALL_PIECES))
}

fn k6_log(system: &System) -> PathBuf {
    system.log("k6-demo")
}

fn variables(args: &Args, small: u64) -> BTreeMap<String, String> {
    let all = [
        ("SCENARIO", "load".to_owned()),
        ("RATE", args.rate.to_string()),
        ("DURATION", format!("{}s", args.seconds)),
        ("COUPON_ID", LARGE_COUPON.to_string()),
        ("SMALL_COUPON_ID", small.to_string()),
        ("SMALL_PIECES", SMALL_PIECES.to_string()),
        ("ORDER_EVERY", ORDER_EVERY.to_string()),
    ];
    all.map(|(name, value)| (name.to_owned(), value)).into()
}

fn tell(system: &System, before: u64, since: Duration) {
    // A missed look is no reason to end the load.
    if let Ok(served) = system.served() {
        let answered = served.requests() - before;
        note(&format!("    {:>3} s {answered:>9} requests answered", since.as_secs()));
    }
}

fn finish(system: System, name: &str, keep: bool) -> Result<()> {
    if !keep {
        return system.down();
    }
    let urls = system.public().iter().map(|port| format!("http://127.0.0.1:{port}"));
    answer(&format!("the API answers on {}", urls.collect::<Vec<_>>().join(" and ")));
    answer(&format!("its admin listener, metrics and health: {}", system.api_admins().join(" ")));
    answer(&format!("look: cargo stack status --name {name}"));
    answer(&format!("stop: cargo stack down --name {name}"));
    Ok(())
}

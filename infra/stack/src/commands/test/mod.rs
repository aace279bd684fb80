//! `cargo stack test`: everything that must hold before a change goes in, in one command; and `cargo stack verify`, what
//! needs minutes of its own, for whoever resolves an issue.
//!
//! Both work on a stack of their own (`target/stack/test`, other ports, fresh data), so they disturb no stack
//! that runs, and they leave nothing running. Their very last line is `N passed, M failed`.

mod loads;
mod outcome;
mod reports;
mod runner;
mod stalls;
mod steps;
mod table;

use super::system::{System, release};
use loads::Loads;
use outcome::{Found, Outcome};
use runner::Runner;
use stack::daemon::Lifetime;
use stack::error::Doing;
use stack::install::{self, Tool};
use stack::{Error, Result, Stack, UpOptions, progress};
use stalls::Watch;
use std::process::ExitCode;
use steps::{FAST, LANES, LOADS, Step, VERIFY, WHILE_STARTING};
use table::Table;

/// The stack that this command makes and removes.
const NAME: &str = "test";
/// The name of all steps that need no service.
const ONLY_FAST: &str = "fast";

/// What to leave out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the steps with these names, as in `format,lints,tests`; all when left out. `fast` stands for format, lints and
    /// the tests that need no service.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// API processes behind nginx in the load steps.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=32))]
    api_processes: u16,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    require_names(&args.only)?;
    alone(|runner, table| match args.only == [ONLY_FAST] {
        true => FAST.iter().for_each(|step| table.add(runner.run(step))),
        false => whole(args, runner, table),
    })
}

/// `cargo stack verify`.
pub(super) fn verify() -> Result<ExitCode> {
    alone(|mut runner, table| {
        let system = start(&mut runner, &|_| true, table);
        VERIFY.iter().for_each(|step| table.add(runner.run(step)));
        if let Some(Err(error)) = system.map(System::down) {
            table.add(not_stopped(&error));
        }
    })
}

/// On a stack that nobody else uses; prints the table.
fn alone(work: impl FnOnce(Runner, &mut Table)) -> Result<ExitCode> {
    let clock = progress::Step::start("all");
    let folder = Stack::folder_of(NAME)?;
    let _lock = release::lock(NAME)?;
    release::wipe(NAME)?;
    std::fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    // librdkafka's build needs a compiler, which may be installed only now.
    install::tool(Tool::Compiler)?;
    install::tool(Tool::Make)?;
    let watch = Watch::begin(folder.join("disk"));
    let mut table = Table::default();
    work(Runner::new(folder), &mut table);
    progress::note("");
    progress::note(&format!("{table}{} in {:.0} s", watch.end(), clock.seconds()));
    progress::answer(&table.tally().to_string());
    Ok(table.tally().exit_code())
}

fn whole(args: &Args, mut runner: Runner, table: &mut Table) {
    let wanted = |step: &&'static Step| args.only.is_empty() || args.only.iter().any(|o| o == step.name);
    let system = start(&mut runner, &wanted, table);
    let lanes = LANES.iter().map(|lane| lane.iter().filter(wanted).collect());
    side_by_side(&runner, lanes.collect()).into_iter().for_each(|outcome| table.add(outcome));
    let Some(system) = system else {
        return;
    };
    let mut loads = Loads::on(system, args.api_processes);
    for step in LOADS.iter().filter(wanted) {
        table.add(loads.run(&runner, step));
    }
    if let Err(error) = loads.stop() {
        table.add(not_stopped(&error));
    }
}

/// The services start while the compiler works: neither waits for the other.
fn start(runner: &mut Runner, wanted: &dyn Fn(&&'static Step) -> bool, table: &mut Table) -> Option<System> {
    let system = std::thread::scope(|scope| {
        let services = scope.spawn(start_services);
        for step in WHILE_STARTING.iter().filter(|step| wanted(step)) {
            table.add(runner.run(step));
        }
        let panicked = || Err(Error::prepare("report this: the starting thread panicked"));
        services.join().unwrap_or_else(|_| panicked())
    });
    let (system, outcome) = taken(system);
    table.add(outcome);
    runner.mysql_as_root = system.as_ref().map(System::mysql_as_root);
    system
}

fn not_stopped(error: &Error) -> Outcome {
    let found = Found::judged(Some(error.to_string()));
    Outcome { name: "stop", found, seconds: 0.0, idle: None }
}

fn side_by_side(runner: &Runner, lanes: Vec<Vec<&'static Step>>) -> Vec<Outcome> {
    let run = |lane: Vec<&'static Step>| lane.into_iter().map(|step| runner.run(step)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || run(lane))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap_or_else(|_| vec![panicked()])).collect()
    })
}

fn panicked() -> Outcome {
    let found = Found::judged(Some("report this: a lane panicked".to_owned()));
    Outcome { name: "lane", found, seconds: 0.0, idle: None }
}

fn start_services() -> Result<(Stack, f64)> {
    let clock = progress::Step::start("services");
    let options = UpOptions { lifetime: Lifetime::WithUs, leased_ports: true, ..UpOptions::default() };
    let stack = Stack::up(NAME, &options)?;
    Ok((stack, clock.seconds()))
}

/// The services, or why there are none.
fn taken(up: Result<(Stack, f64)>) -> (Option<System>, Outcome) {
    let system = up.and_then(|(stack, seconds)| Ok((System::on(stack, None, Lifetime::WithUs)?, seconds)));
    let (system, found, seconds) = match system {
        Ok((system, seconds)) => (Some(system), Found::plain(true), seconds),
        Err(error) => (None, Found::judged(Some(error.to_string())), 0.0),
    };
    (system, Outcome { name: "services", found, seconds, idle: None })
}

/// A step's name that is none would pass by running nothing.
fn require_names(only: &[String]) -> Result<()> {
    if only == [ONLY_FAST] {
        return Ok(());
    }
    let lanes = LANES.iter().copied().flatten();
    let all: Vec<&str> = WHILE_STARTING.iter().chain(lanes).chain(LOADS).map(|step| step.name).collect();
    match only.iter().find(|name| !all.contains(&name.as_str())) {
        None => Ok(()),
        Some(wrong) => {
            Err(Error::prepare(format!("name `fast`, or some of {}, not {wrong}", all.join(", "))))
        }
    }
}

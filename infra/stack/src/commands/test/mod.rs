//! `cargo stack test`: everything that must hold before a change goes in, in one command.
//!
//! It works on a stack of its own (`target/stack/test`, other ports, fresh data), so it disturbs no stack
//! that runs, and it leaves nothing running. Its very last line is `N passed, M failed`.

mod session;
mod standstills;
mod steps;
mod tally;

use super::system::release;
use session::Session;
use stack::daemon::Lifetime;
use stack::error::Doing;
use stack::install::{self, Tool};
use stack::{Error, Result, Stack, UpOptions, progress};
use std::process::ExitCode;
use steps::{STEPS, Step, WHILE_STARTING};
use tally::Tally;

/// The stack that this command makes and removes.
const NAME: &str = "test";

/// What to leave out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the steps with these names, as in `format,lints,tests`; all when left out.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// API processes behind nginx in the load steps.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=32))]
    api_processes: u16,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let wanted = |step: &&Step| args.only.is_empty() || args.only.iter().any(|o| o == step.name);
    require_names(&args.only)?;
    let folder = Stack::folder_of(NAME)?;
    let _lock = release::lock(NAME)?;
    release::wipe(NAME)?;
    std::fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    // librdkafka's build needs a compiler, which may be installed only now.
    install::tool(Tool::Compiler)?;
    install::tool(Tool::Make)?;
    let mut session = Session::new(folder, args.api_processes);
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        // The services start while the compiler works: neither waits for the other.
        let services = scope.spawn(start_services);
        for step in WHILE_STARTING.iter().filter(wanted) {
            tally.add(session.run(step));
        }
        let up = services
            .join()
            .unwrap_or_else(|_| Err(stack::Error::prepare("report this: the starting thread panicked")));
        tally.add(session.take_services(up));
    });
    for step in STEPS.iter().filter(wanted) {
        tally.add(session.run(step));
    }
    tally.add(session.stop());
    progress::answer(&tally.to_string());
    Ok(tally.exit_code())
}

fn start_services() -> Result<(Stack, f64)> {
    let clock = progress::Step::start("services");
    let options = UpOptions { lifetime: Lifetime::WithUs, leased_ports: true, ..UpOptions::default() };
    let stack = Stack::up(NAME, &options)?;
    Ok((stack, clock.seconds()))
}

/// A step's name that is none would pass by running nothing.
fn require_names(only: &[String]) -> Result<()> {
    let all = || WHILE_STARTING.iter().chain(STEPS).map(|step| step.name);
    match only.iter().find(|name| !all().any(|known| known == name.as_str())) {
        None => Ok(()),
        Some(wrong) => {
            let known: Vec<&str> = all().collect();
            Err(Error::prepare(format!("name some of {}, not {wrong}", known.join(", "))))
        }
    }
}

//! `cargo stack test`: everything that must hold before a change goes in, in one command.
//!
//! It works on a stack of its own (`target/stack/test`, other ports, fresh data), so it disturbs no stack
//! that runs, and it leaves nothing running. Its very last line is `N passed, M failed`.

mod programs;
mod step;
mod tally;

use stack::cache::{Cache, remove};
use stack::daemon::Lifetime;
use stack::error::Doing;
use stack::{Result, Stack, UpOptions, progress};
use std::path::Path;
use std::process::ExitCode;
use step::{STEPS, Session, Step, WHILE_STARTING};
use tally::Tally;

/// The stack that this command makes and removes.
const NAME: &str = "test";

/// What to leave out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only the steps with these names, as in `format,lints,tests`; all when left out.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let folder = Stack::folder_of(NAME)?;
    let _lock = folder.parent().map(|stacks| Cache::at(stacks.to_owned())?.lock(NAME)).transpose()?;
    end_former_run(&folder)?;
    std::fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    let mut session = Session::new(folder);
    let mut tally = Tally::default();
    let wanted = |step: &&Step| args.only.is_empty() || args.only.iter().any(|o| o == step.name);
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

/// A run that was killed took its services along; its files go too.
fn end_former_run(folder: &Path) -> Result<()> {
    if let Ok(mut stack) = Stack::attach_at(folder) {
        stack.down()?;
    }
    remove(folder)
}

//! `cargo stack bench`: measurements of optimised programs, each against a yardstick of the same run.
//!
//! A figure without its yardstick says more about the machine than about the program.

mod drain;
mod ingress;
mod order_projection;
mod orders;
mod pause;
mod production;
mod projection;
mod replay;
mod wrk;

use super::cargo::Profile;
use super::system::{System, machine, release};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::{Value, json};
use stack::error::Doing;
use stack::progress::{Step, answer, note};
use stack::{Error, Result, workspace};
use std::process::ExitCode;

/// MySQL's memory for pages, in megabytes: enough for both tables of a million rows.
const BUFFER_POOL_MB: u32 = 512;
/// Claims of the backlog that the projection and the replay work through.
const BACKLOG: u64 = 1_000_000;

/// Share of the processors that idle services use at most.
const QUIET: f64 = 0.2;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    measurement: Measurement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// Claims a second over HTTP, against requests that do nothing.
    Ingress,
    /// Records a second into MySQL, against plain inserts.
    Projection,
    /// Records a second through the fold.
    Replay,
    /// The production scenario at 1,000 iterations a second, and how soon MySQL has what is paid.
    Production,
    /// Orders placed and paid a second over HTTP, against requests that do nothing.
    Orders,
    /// Rows of paid orders a second into MySQL, against plain inserts.
    OrderProjection,
    /// How soon four processes confirm a pause, and rows come again after it.
    Pause,
    /// A paused backlog after its resume, against one that was never paused, and what people who claim notice of it.
    Drain,
}

/// What was measured and how good it must be.
#[derive(Debug)]
struct Measured {
    /// The figure, in `unit`.
    value: f64,
    unit: &'static str,
    /// What the figure must reach, in `unit`.
    limit: f64,
    /// The figure in proportion to its yardstick.
    ratio: f64,
    /// Latency, where there is one, in ms.
    p99_ms: Option<f64>,
    rows: Vec<Row>,
    /// Everything else, for programs.
    details: Value,
}

/// One line of the table; nothing is demanded where there is no verdict.
#[derive(Debug)]
struct Row {
    name: &'static str,
    said: String,
    holds: Option<bool>,
}

impl Row {
    fn shown(name: &'static str, said: String) -> Self {
        Self { name, said, holds: None }
    }

    fn judged(name: &'static str, said: String, holds: bool) -> Self {
        Self { name, said, holds: Some(holds) }
    }
}

/// Printed by the tools that a measurement needs.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Took {
    count: u64,
    seconds: f64,
}

impl Took {
    fn per_second(self) -> f64 {
        self.count as f64 / self.seconds
    }
}

pub(super) fn run(name: &str, args: &Args) -> Result<ExitCode> {
    let _lock = release::lock(name)?;
    release::wipe(name)?;
    let wanted =
        release::Wanted { name, keep: false, profile: Profile::Release, buffer_pool_mb: BUFFER_POOL_MB };
    let mut system = release::bring_up(&wanted)?;
    let busy = machine::busy();
    if let Some(share) = busy.filter(|share| *share > QUIET) {
        note(&format!("  others use {:.0} % of this machine now: expect worse figures", 100.0 * share));
    }
    let (file, measured) = match args.measurement {
        Measurement::Ingress => ("bench-ingress.json", ingress::measure(&mut system)?),
        Measurement::Projection => ("bench-projection.json", projection::measure(&mut system)?),
        Measurement::Replay => ("bench-replay.json", replay::measure(&mut system)?),
        Measurement::Production => ("bench-production.json", production::measure(&mut system)?),
        Measurement::Orders => ("bench-orders.json", orders::measure(&mut system)?),
        Measurement::Pause => ("bench-pause.json", pause::measure(&mut system)?),
        Measurement::Drain => ("bench-drain.json", drain::measure(&mut system)?),
        Measurement::OrderProjection => {
            ("bench-order-projection.json", order_projection::measure(&mut system)?)
        }
    };
    let holds = measured.rows.iter().all(|row| row.holds != Some(false));
    print(&measured);
    let path = workspace::root()?.join("target/stack").join(file);
    let text = as_json(&measured, holds, busy).to_string();
    std::fs::write(&path, text + "\n").doing(|| format!("write {}", path.display()))?;
    answer(&format!("written to {}", path.display()));
    system.down()?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(measured: &Measured) {
    answer("");
    for Row { name, said, holds } in &measured.rows {
        let mark = match holds {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "",
        };
        answer(format!("  {name:<28} {mark:<7} {said}").trim_end());
    }
    answer("");
}

fn as_json(measured: &Measured, holds: bool, busy: Option<f64>) -> Value {
    json!({
        "value": measured.value,
        "unit": measured.unit,
        "limit": measured.limit,
        "ratio": measured.ratio,
        "p99_ms": measured.p99_ms,
        "passed": holds,
        "details": measured.details,
        "machine": machine::machine(),
        "busy_before": busy,
        "versions": machine::versions(),
    })
}

impl System {
    /// Founds a log and writes a backlog with a tool.
    fn backlog(&mut self, what: &str, tool: &[&str]) -> Result<()> {
        let log = self.log("tools");
        self.tool(&["init"], &log)?;
        let step = Step::start(format!("backlog of {what}"));
        let took = self.timed(tool)?;
        step.done(&format!("{:.0}/s", took.per_second()));
        Ok(())
    }

    /// Runs one of the measuring tools of `consumers`.
    fn timed(&mut self, args: &[&str]) -> Result<Took> {
        let log = self.log("tools");
        let printed = self.tool(args, &log)?;
        parsed(&printed, args[0])
    }
}

fn parsed<T: serde::de::DeserializeOwned>(printed: &str, tool: &str) -> Result<T> {
    serde_json::from_str(printed).map_err(|error| {
        Error::prepare(format!("repair `consumers {tool}`: it prints {printed:?} ({error})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_keys_that_programs_look_for() {
        let rows = vec![Row::shown("a", String::new()), Row::judged("b", String::new(), true)];
        let (value, limit, ratio) = (2.0, 1.0, 0.5);
        let measured =
            Measured { value, unit: "claims/s", limit, ratio, p99_ms: None, rows, details: json!({}) };
        let written = as_json(&measured, true, None);
        for key in ["value", "limit", "ratio", "p99_ms", "machine", "versions"] {
            assert!(written.get(key).is_some(), "{key}");
        }
    }
}

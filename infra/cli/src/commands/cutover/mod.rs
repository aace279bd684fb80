//! `tidemark cutover`: has everything run on another MySQL, step by step. All that it does stands in `control`: dying, it
//! leaves a hold that ends by itself, and run again it goes on where it was. It must never leave everything held without
//! saying so, nor switch while somebody may still write to the server that is left.

mod address;
mod back;
mod decide;
#[cfg(test)]
mod decided;
mod finish;
mod journey;
mod record;
mod report;
mod steps;

pub(super) use report::way_back;

use super::{
    resume::{Ramp, ramp},
    scope::{duration, written},
};
use crate::{
    answers::{Check, Consumers, Database, Progress},
    failure::Failure,
    limits, moment, screen,
    settings::Desk,
};
use decide::{Goal, Seen, Stage, Terms};
use journey::{Held, Journey};
use record::{Ended, Outcome, Record, Step};
use serde_json::json;
use std::time::Duration;

/// See the module.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["to", "back"])))]
#[command(
    after_help = "If this command dies or is stopped (Ctrl-C), nothing is undone: while everything rests, the hold of \
    `cutover` ends by itself after --ttl, and the system runs on wherever `control` points, if that MySQL takes writes. \
    Run the same command again: it goes on where it was."
)]
pub(crate) struct Args {
    /// The other server: no user and no password, every process keeps its own.
    #[arg(long, value_name = "mysql://HOST:PORT/SCHEMA")]
    to: Option<String>,
    /// Back to the server before, while the way back is open.
    #[arg(long)]
    back: bool,
    /// Why: whoever looks at 3 a.m. reads this.
    #[arg(long, required_unless_present = "check")]
    reason: Option<String>,
    /// Only look at the target; change nothing, also there.
    #[arg(long)]
    check: bool,
    /// How long to wait, with everything at rest, until the target has what the old server has and takes writes. What it
    /// lacks then is filled from the log.
    #[arg(long, default_value = "0s", value_parser = duration)]
    wait: Duration,
    /// When the hold ends by itself.
    #[arg(long, default_value = "15m", value_parser = written)]
    ttl: String,
    /// How fast it comes back: first share in percent, more with every step in percent, time of a step.
    #[arg(long, value_name = "10,30,2s", default_value = "10,30,2s", value_parser = ramp)]
    ramp: Ramp,
    /// How long the way back stays open.
    #[arg(long, default_value = "24h", value_parser = written)]
    keep: String,
    /// How long to wait for the processes, at each step that does.
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// How long to wait until every process reads from the target too.
    #[arg(long, default_value = "30m", value_parser = duration)]
    fill_timeout: Duration,
    /// The old server does not answer and never will: go on without its word.
    #[arg(long)]
    old_is_gone: bool,
    /// Leave the audit out.
    #[arg(long)]
    no_audit: bool,
}

/// Does it.
///
/// # Errors
/// It runs on the old server, or on the new one and something is left to do; the failure says which.
pub(crate) fn run(desk: &Desk, args: &Args) -> Result<(), Failure> {
    let goal = args.goal()?;
    if args.check
        && let Goal::To(to) = &goal
    {
        return check_only(desk, args, to);
    }
    let seen = look(desk)?;
    let start = decide::start(&goal, &seen)?;
    if args.check {
        return check_only(desk, args, &start.to);
    }
    // One that no cutover placed was refused.
    let held = if seen.hold.is_some() { Held::Ours } else { Held::No };
    let mut journey = Journey { desk, args, start, record: Record::new(desk.json), held };
    let came_to = journey.travel(seen.database.operation);
    journey.conclude(came_to)
}

fn look(desk: &Desk) -> Result<Seen, Failure> {
    let answer = desk.admin.get("/admin/database", limits::ASK)?;
    let database: Database = answer.read()?;
    let consumers: Consumers = desk.admin.get("/admin/consumers", limits::ASK)?.read()?;
    // Forgotten after many others: then it is long ago.
    let switched_for = database.operation.as_ref().and_then(|id| {
        let asked = desk.admin.get(&format!("/admin/operations/{id}"), limits::ASK);
        asked.and_then(|answer| answer.read::<Progress>()).ok()?.operation.map(|operation| operation.reason)
    });
    Ok(Seen { database, switched_for, hold: consumers.cutover(), now_ms: answer.now_ms })
}

fn check_only(desk: &Desk, args: &Args, to: &str) -> Result<(), Failure> {
    let answer = journey::look_at(desk, to, false)?;
    let check: Check = answer.read()?;
    let consumers: Consumers = desk.admin.get("/admin/consumers", limits::ASK)?.read()?;
    let verdict = decide::fit(&check, args.terms(false)).and_then(|()| decide::nothing_stopped(&consumers));
    if desk.json {
        let outcome = if verdict.is_ok() { Outcome::Checked } else { Outcome::Refused };
        let mut record = Record::new(true);
        record.done(Step::Check, &report::check(&check));
        let mut said = record.to_json(outcome, verdict.as_ref().err());
        if let Some(said) = said.as_object_mut() {
            said.insert("check".into(), answer.body);
        }
        screen::print_json(&said)?;
    } else {
        screen::print(&report::check_in_full(&check))?;
        if verdict.is_ok() {
            screen::print("fit; nothing was changed")?;
        }
    }
    verdict
}

/// Of a failure that came before anything was touched.
fn unchanged(failure: Failure) -> Failure {
    match failure {
        Failure::Failed { message, next } => Failure::failed(format!("{message}\nnothing was changed"), next),
        // What a process said is left as it said it.
        other => other,
    }
}

impl Args {
    fn goal(&self) -> Result<Goal, Failure> {
        let goal = match &self.to {
            Some(to) => Goal::To(address::read(to).map_err(Failure::Usage)?),
            None => Goal::Back,
        };
        let reason = self.reason.as_deref().unwrap_or_default();
        if !self.check && reason.trim().is_empty() {
            return Err(Failure::Usage(
                "--reason must say something: somebody will read it at 3 a.m.".into(),
            ));
        }
        if reason.chars().count() > limits::CUTOVER_REASON_CHARS {
            let most = limits::CUTOVER_REASON_CHARS;
            return Err(Failure::Usage(format!("--reason has more than {most} characters")));
        }
        if duration(&self.keep).map_err(Failure::Usage)? > limits::WAY_BACK {
            let most = moment::span(limits::WAY_BACK);
            return Err(Failure::Usage(format!("--keep is at most {most}, not {}", self.keep)));
        }
        let ttl = duration(&self.ttl).map_err(Failure::Usage)?;
        // Else the hold would end amid the steps that need it: two that wait for processes, and the one for the target.
        let needed = self.timeout.saturating_mul(2).saturating_add(self.wait);
        if !self.check && ttl <= needed {
            return Err(Failure::Usage(format!(
                "--ttl {} may end before the switch: it must be longer than --wait and twice --timeout",
                self.ttl
            )));
        }
        Ok(goal)
    }

    const fn terms(&self, prepared: bool) -> Terms {
        Terms { wait: self.wait, old_is_gone: self.old_is_gone, prepared }
    }
}

impl Journey<'_> {
    /// From wherever it was to its end.
    fn travel(&mut self, switched_by: Option<String>) -> Result<Outcome, Ended> {
        let mut switch = switched_by;
        if self.start.at == Stage::Check {
            if let Err(failure) = self.check() {
                return Err(match self.held {
                    // Of a run before this one.
                    Held::Ours => self.take_back(&failure),
                    _ => Ended::new(Outcome::Refused, unchanged(failure)),
                });
            }
            switch = Some(self.switch_over().map_err(|failure| self.take_back(&failure))?);
        } else {
            self.record.print(&format!("it runs on {} already; what is left follows", self.to()));
        }
        if self.start.at != Stage::Readers {
            self.resume().map_err(|trouble| self.retreat(&trouble))?;
        }
        self.finish(switch.as_deref())
    }

    fn conclude(&self, came_to: Result<Outcome, Ended>) -> Result<(), Failure> {
        let (outcome, failure) = match came_to {
            Ok(outcome) => (outcome, None),
            Err(Ended { outcome, failure }) => (outcome, Some(failure)),
        };
        if self.desk.json {
            let mut said = self.record.to_json(outcome, failure.as_ref());
            let database = self.desk.admin.get("/admin/database", limits::ASK).ok().map(|answer| answer.body);
            if let Some(said) = said.as_object_mut() {
                said.insert("from".into(), json!(self.start.from));
                said.insert("to".into(), json!(self.to()));
                said.insert("database".into(), json!(database));
            }
            // What went wrong is worth more than that nobody reads it.
            screen::print_json(&said).or_else(|unread| failure.as_ref().map_or(Err(unread), |_| Ok(())))?;
        } else if failure.is_none() {
            self.record.print(&format!("DONE: it runs on {}; {}", self.to(), self.way_back()));
        }
        failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{commands::Command, settings::Cli};
    use clap::{CommandFactory, Parser};

    fn args(line: &str) -> Args {
        let words = format!("tidemark cutover {line}");
        match Cli::try_parse_from(words.split(' ')).unwrap().command {
            Command::Cutover(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_target_is_another_server_or_the_one_before() {
        let to = Goal::To("mysql://db:3306/t".into());
        assert_eq!(args("--to mysql://DB/t --reason r").goal(), Ok(to));
        assert_eq!(args("--back --reason r").goal(), Ok(Goal::Back));
        assert_eq!(args("--back --check").goal(), Ok(Goal::Back));
        let parses = |line: &str| Cli::try_parse_from(format!("tidemark cutover {line}").split(' ')).is_ok();
        for line in ["--reason r", "--to mysql://a/t", "--back", "--to mysql://a/t --back --reason r"] {
            assert!(!parses(line), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        let refusal = |line: &str| args(line).goal().unwrap_err();
        for line in [
            "--to mysql://me:secret@db/t --reason r",
            "--to db:3306 --reason r",
            "--to mysql://db/t --reason r --ttl 2m",
            "--to mysql://db/t --reason r --wait 20m",
            "--to mysql://db/t --reason r --keep 40days",
        ] {
            let refused = refusal(line);
            assert_eq!(refused.exit(), 2, "{line}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
        let mut blank = args("--back --reason r");
        blank.reason = Some(" ".into());
        assert_eq!(blank.goal().unwrap_err().exit(), 2);
        blank.reason = Some("x".repeat(limits::CUTOVER_REASON_CHARS + 1));
        assert_eq!(blank.goal().unwrap_err().exit(), 2);
    }

    #[test]
    fn the_help_says_what_becomes_of_it_when_it_dies() {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("cutover").unwrap().render_long_help().to_string();
        assert!(help.contains("Ctrl-C") && help.contains("ends by itself after --ttl"), "{help}");
    }
}

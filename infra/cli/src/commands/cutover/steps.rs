//! The steps until the target counts. Before the second one nothing has changed; while the others run everything rests, and
//! whichever fails, the hold is taken back.

use super::{
    address::same,
    decide::{self, Turn},
    journey::{Held, Journey, operation},
    record::Step,
    report,
};
use crate::{
    answers::{Consumers, Standing},
    commands::waiting::{self, Wanted},
    failure::Failure,
    limits, moment, screen,
};
use serde_json::json;
use std::{
    thread,
    time::{Duration, Instant},
};

impl Journey<'_> {
    /// Whether the target will do, with its tables made where it has none.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        let consumers: Consumers = self.desk.admin.get("/admin/consumers", limits::ASK)?.read()?;
        decide::nothing_stopped(&consumers)?;
        let check = self.look_at_target(true)?;
        decide::fit(&check, self.args.terms(true))?;
        self.record.done(Step::Check, &report::check(&check));
        Ok(())
    }

    /// Everything comes to rest, and the target counts from then on; the operation that says so.
    pub(super) fn switch_over(&mut self) -> Result<String, Failure> {
        let began = Instant::now();
        let hold = self.hold(&self.purpose())?;
        let confirmed = self.rest(&hold, self.args.timeout)?;
        let took = moment::span(began.elapsed());
        let who = match confirmed {
            0 => "no member is listed, so nobody had to confirm".to_owned(),
            _ => format!("all {confirmed} confirmed after {took}"),
        };
        let says = format!("{who}; held for {} at most", self.args.ttl);
        self.record.done(Step::Drain, &says);
        let says = self.await_turn(self.args.timeout, limits::RETRY, |journey, _| {
            let asked = journey.desk.admin.get("/admin/database/sessions", limits::ASK);
            decide::released(asked.and_then(|answer| answer.read()), journey.args.old_is_gone)
        })?;
        self.record.done(Step::Sessions, &says);
        let says = self.await_turn(self.args.wait, limits::STEP, |journey, is_last_look| {
            decide::ready(journey.look_at_target(false), is_last_look, journey.args.old_is_gone)
        })?;
        self.record.done(Step::Target, &says);
        let id = self.switch(&hold, self.to(), &self.purpose())?;
        self.record.done(Step::Switch, &format!("{} counts from now on (operation {id})", self.to()));
        Ok(id)
    }

    /// Waits until a hold is confirmed; by how many.
    pub(super) fn rest(&mut self, hold: &str, timeout: Duration) -> Result<usize, Failure> {
        let progress = waiting::follow(self.desk, hold, timeout)?.read::<crate::answers::Progress>()?;
        if progress.state == Standing::Replaced {
            self.held = Held::Theirs;
        }
        waiting::verdict(&progress, hold, timeout, Wanted::Rest)?;
        Ok(progress.confirmed)
    }

    fn await_turn(
        &self,
        within: Duration,
        pause: Duration,
        look: impl Fn(&Self, bool) -> Turn,
    ) -> Result<String, Failure> {
        let deadline = Instant::now() + within;
        let mut line = screen::Progress::default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match look(self, left.is_zero()) {
                Turn::Go(says) => return Ok(says),
                Turn::Stop(failure) => return Err(failure),
                Turn::Wait(why) if left.is_zero() => {
                    let message = format!("not within {}: {why}", moment::span(within));
                    return Err(Failure::failed(message, "look at what is named above"));
                }
                Turn::Wait(why) => {
                    if !self.desk.json {
                        line.show(&format!("waiting: {why}"));
                    }
                    thread::sleep(pause.min(left));
                }
            }
        }
    }

    /// Has another server count, while everything rests under that hold; the operation that says so.
    pub(super) fn switch(&self, hold: &str, to: &str, purpose: &str) -> Result<String, Failure> {
        let body = json!({"to": to, "reason": purpose, "actor": self.desk.actor, "keep": self.args.keep});
        let deadline = Instant::now() + self.args.timeout;
        loop {
            let sent = self.desk.admin.change_within("POST", "/admin/database", &body, limits::CHECK);
            let failure = match sent {
                Ok(accepted) => return operation(&accepted),
                Err(failure) => failure,
            };
            if failure.is_unknown() || failure.is("SAME_DATABASE") {
                return self.find_switch(to, failure);
            }
            // Partitions may be handed around just now, which is over in a moment; unless the hold has ended.
            let is_restless = failure.is("NOT_RELEASED") && self.still_holds(hold);
            if !(is_restless || failure.is_passing()) || Instant::now() >= deadline {
                return Err(failure);
            }
            thread::sleep(limits::RETRY);
        }
    }

    fn still_holds(&self, hold: &str) -> bool {
        let pausing = [Standing::Paused, Standing::Pausing, Standing::Partial];
        self.progress(hold, limits::STEP).is_ok_and(|progress| pausing.contains(&progress.state))
    }

    /// Where nobody knows whether a switch was recorded: `control` says it, at once or never.
    fn find_switch(&self, to: &str, failure: Failure) -> Result<String, Failure> {
        let deadline = Instant::now() + limits::SETTLED;
        loop {
            let seen = self.database();
            if let Ok(database) = &seen
                && same(&database.address, to)
                && let Some(id) = &database.operation
            {
                return Ok(id.clone());
            }
            if Instant::now() >= deadline {
                return Err(match seen {
                    Ok(database) => Failure::failed(
                        format!(
                            "{failure}; after {} it still says {}",
                            moment::span(limits::SETTLED),
                            database.address
                        ),
                        "`tidemark operations` shows what was recorded",
                    ),
                    Err(_) => failure,
                });
            }
            thread::sleep(limits::RETRY);
        }
    }
}

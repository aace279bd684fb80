//! The steps after the target counts: it flows, readers follow, everything adds up. What fails from the second of them on
//! leaves a system that runs on the target.

use super::{
    address::same,
    decide::{self, Trouble},
    journey::{Held, Journey},
    record::{Ended, Outcome, Step},
};
use crate::{
    answers::{Progress, Standing},
    commands::{
        audit,
        waiting::{self, Wanted},
    },
    failure::Failure,
    limits, moment, screen,
};
use std::{
    thread,
    time::{Duration, Instant},
};

impl Journey<'_> {
    /// Lets everything flow on the target.
    pub(super) fn resume(&mut self) -> Result<(), Trouble> {
        let says = self.flow(&self.purpose(), self.args.timeout)?;
        self.record.done(Step::Resume, &says);
        Ok(())
    }

    /// Takes the hold back and waits until everything flows; what was seen.
    pub(super) fn flow(&mut self, purpose: &str, timeout: Duration) -> Result<String, Trouble> {
        let began = Instant::now();
        let id = self.let_go(purpose).map_err(Trouble::Silent)?;
        let followed = waiting::follow(self.desk, &id, timeout).and_then(|answer| answer.read::<Progress>());
        let progress = followed.map_err(Trouble::Silent)?;
        waiting::verdict(&progress, &id, timeout, Wanted::Flow).map_err(Trouble::Still)?;
        let held_by = progress.held_by.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let took = moment::span(began.elapsed());
        Ok(match held_by.is_empty() {
            true => format!("all {} flow after {took}", progress.confirmed),
            false => format!("taken back after {took}; what {held_by} holds rests until that is resumed"),
        })
    }

    /// Readers follow, and everything adds up.
    pub(super) fn finish(&mut self, switch: Option<&str>) -> Result<Outcome, Ended> {
        let says = match switch {
            Some(id) => self.readers(id).map_err(|failure| Ended::new(Outcome::Filling, failure))?,
            None => "`control` names no switch: every process uses what it is configured with".into(),
        };
        self.record.done(Step::Readers, &says);
        if self.args.no_audit {
            self.record.done(Step::Audit, "not made (--no-audit)");
            return Ok(Outcome::Moved);
        }
        let not_clean = |failure| Ended::new(Outcome::NotClean, failure);
        let (found, says) = audit::look(self.desk).map_err(|failure| not_clean(self.unaudited(&failure)))?;
        if !found.is_empty() {
            return Err(not_clean(Failure::failed(
                format!(
                    "it runs on {}, and the audit found differences\n  {}",
                    self.to(),
                    found.join("\n  ")
                ),
                format!("docs/operations.md, \"Reading an audit\"; {}", self.way_back()),
            )));
        }
        self.record.done(Step::Audit, &format!("clean: {says}"));
        Ok(Outcome::Moved)
    }

    fn unaudited(&self, failure: &Failure) -> Failure {
        Failure::Unconfirmed {
            message: format!("it runs on {}, and the audit could not be made: {failure}", self.to()),
            next: format!("`tidemark audit`; {}", self.way_back()),
        }
    }

    /// Waits until every process uses the target; what was seen.
    fn readers(&self, switch: &str) -> Result<String, Failure> {
        let (began, mut line) = (Instant::now(), screen::Progress::default());
        let deadline = began + self.args.fill_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let waits_for = match self.progress(switch, left.min(limits::STEP)) {
                Ok(progress) if progress.state == Standing::Done => {
                    let took = moment::span(began.elapsed());
                    return Ok(format!("all {} processes use it after {took}", progress.confirmed));
                }
                Ok(progress) if progress.state == Standing::Replaced => return Err(self.moved_on()),
                Ok(progress) => waiting::stage(&progress),
                Err(failure) if failure.is("UNKNOWN_OPERATION") => match self.by_their_word()? {
                    others if others.is_empty() => return Ok("every process says that it uses it".into()),
                    others => others.join("; "),
                },
                Err(failure) if failure.is_passing() => failure.in_a_line(),
                Err(failure) => return Err(failure),
            };
            if left.is_zero() {
                return Err(self.still_filling(&waits_for));
            }
            if !self.desk.json {
                line.show(&waits_for);
            }
            // An answer that could wait has waited.
            thread::sleep(limits::RETRY.min(left));
        }
    }

    /// Of a switch so long ago that nobody remembers the operation.
    fn by_their_word(&self) -> Result<Vec<String>, Failure> {
        let database = self.database()?;
        if !same(&database.address, self.to()) {
            return Err(self.moved_on());
        }
        Ok(decide::elsewhere(&database, self.to()))
    }

    fn moved_on(&self) -> Failure {
        Failure::failed(
            format!("somebody moved it away from {} meanwhile", self.to()),
            "`tidemark operations` lists who did what; `tidemark status` shows which MySQL counts",
        )
    }

    fn still_filling(&self, waits_for: &str) -> Failure {
        let within = moment::span(self.args.fill_timeout);
        Failure::Unconfirmed {
            message: format!(
                "it runs on {}, and not everybody uses it within {within}\n  {waits_for}",
                self.to()
            ),
            next: format!(
                "the system runs on: who reads older history asks the server before until the target has caught up, so \
                 leave that one running. `tidemark status` shows the lag; the same command again waits on; {}",
                self.way_back()
            ),
        }
    }

    /// Until when it is open, and how.
    pub(super) fn way_back(&self) -> String {
        if self.args.old_is_gone {
            return "the server before is taken for gone, so keep this one".into();
        }
        match self.database_now() {
            Ok((database, now_ms)) => super::report::way_back(&database, self.start.is_back, now_ms),
            Err(_) => "`tidemark status` shows whether the way back is open".into(),
        }
    }

    /// Who holds it, and what ends that.
    pub(super) fn what_is_held(&self) -> String {
        match self.held {
            Held::No => "nothing is held by this cutover".into(),
            Held::Theirs => "somebody else placed the hold of cutover anew; it is theirs".into(),
            Held::Ours => format!(
                "as far as is known cutover holds everything, for {} at most; then it ends by itself, if the MySQL that \
                 `control` names takes writes. The API goes on meanwhile",
                self.args.ttl
            ),
        }
    }
}

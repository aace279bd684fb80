//! What becomes of a cutover that fails: before the switch the hold is taken back, after it the way back is gone. It must
//! never say that something flows, or where, unless the processes said so.

use super::{
    address::same,
    decide::{self, LET_GO, Trouble},
    journey::{Held, Journey},
    record::{Ended, Outcome},
};
use crate::{failure::Failure, limits};
use std::fmt::Write;

impl Journey<'_> {
    /// Of a failure before the target counted.
    pub(super) fn take_back(&mut self, failure: &Failure) -> Ended {
        if self.held != Held::Ours {
            if let Failure::Nobody(_) = failure {
                return Ended::new(Outcome::Stayed, failure.clone());
            }
            let outcome = if self.held == Held::Theirs { Outcome::Held } else { Outcome::Stayed };
            let next = match self.held {
                Held::Theirs => {
                    "`tidemark status` shows who holds; leave it to them, or run this again afterwards"
                }
                _ => failure.next(),
            };
            let message = format!("{failure}\nnothing was switched; {}", self.what_is_held());
            return Ended::new(outcome, Failure::failed(message, next));
        }
        let freed = self.flow(&format!("given up: {}", self.purpose()), self.args.timeout);
        let runs_on = self.runs_on();
        match freed {
            Ok(says) => {
                self.record.undone("resume", &says);
                let message = format!("{failure}\nthe hold was taken back: {runs_on}");
                // What it says of the hold that was not confirmed is not so any more.
                let first = if failure.is_unknown() { "look at what is named above" } else { failure.next() };
                let next = format!("{first}; then the same command again");
                Ended::new(Outcome::Stayed, Failure::failed(message, next))
            }
            Err(Trouble::Still(why)) => Ended::new(
                Outcome::Held,
                Failure::Unconfirmed {
                    message: format!(
                        "{failure}\nthe hold was taken back, and not everything flows: {why}\n{runs_on}"
                    ),
                    next: "`tidemark status` shows what does not flow, and why".into(),
                },
            ),
            Err(Trouble::Silent(why)) if self.held == Held::No => Ended::new(
                Outcome::Held,
                Failure::Unconfirmed {
                    message: format!(
                        "{failure}\nthe hold was taken back, and nobody says whether everything flows: {why}\n{runs_on}"
                    ),
                    next: "`tidemark status`, as soon as a process answers".into(),
                },
            ),
            Err(Trouble::Silent(why)) => Ended::new(
                Outcome::Held,
                Failure::Unconfirmed {
                    message: format!(
                        "{failure}\nthe hold could not be taken back either: {why}\n{}\n{runs_on}",
                        self.what_is_held()
                    ),
                    next: format!(
                        "{LET_GO} as soon as a process answers; `tidemark status` shows what is held"
                    ),
                },
            ),
        }
    }

    /// Of a target that counts, and on which not everything flows.
    pub(super) fn retreat(&mut self, trouble: &Trouble) -> Ended {
        let (Trouble::Still(failure) | Trouble::Silent(failure)) = trouble;
        let from = self.start.from.clone();
        let Some(from) = decide::retreat(trouble, from.as_deref(), self.args.old_is_gone) else {
            let why = match trouble {
                Trouble::Silent(_) => "nobody says whether it flows, so it was not sent back",
                Trouble::Still(_) => "there is no server to send it back to",
            };
            return self.stuck(failure, why, false);
        };
        self.record.print(&format!("it does not flow on {}; going back to {from}", self.to()));
        match self.go_back(from) {
            Ok(()) => {
                let message = format!("{failure}\nit went back by itself: {}", self.runs_on());
                let next = format!(
                    "find out why it did not flow on {}: the processes' logs say it; then the same command again",
                    self.to()
                );
                Ended::new(Outcome::WentBack, Failure::failed(message, next))
            }
            Err(why) => self.stuck(failure, &format!("going back did not come to its end: {why}"), true),
        }
    }

    fn go_back(&mut self, from: &str) -> Result<(), Failure> {
        let purpose = self.retreat_purpose(from);
        // Whatever fails there is given up first, which takes its time.
        let patience = self.args.timeout.saturating_mul(limits::GOING_BACK_TIMES);
        let hold = self.hold(&purpose)?;
        let confirmed = self.rest(&hold, patience)?;
        self.record.undone("drain", &format!("all {confirmed} confirmed"));
        let id = self.switch(&hold, from, &purpose)?;
        self.record.undone("switch", &format!("{from} counts again (operation {id})"));
        let flows = self.flow(&purpose, patience);
        let says = flows.map_err(|(Trouble::Still(failure) | Trouble::Silent(failure))| failure)?;
        self.record.undone("resume", &says);
        Ok(())
    }

    fn stuck(&self, failure: &Failure, why: &str, is_going_back: bool) -> Ended {
        let message = format!("{failure}\n{why}\n{}; {}", self.runs_on(), self.what_is_held());
        let next = self.after_stuck(is_going_back);
        let is_known = !failure.is_unknown() && !failure.is_passing();
        let failure =
            if is_known { Failure::failed(message, next) } else { Failure::Unconfirmed { message, next } };
        Ended::new(Outcome::Stuck, failure)
    }

    fn after_stuck(&self, is_going_back: bool) -> String {
        let mut next = "`tidemark status` shows what does not flow, and why".to_owned();
        let seen = self.database_now().ok().filter(|(database, _)| same(&database.address, self.to()));
        let from = self.start.from.as_ref().filter(|_| !self.args.old_is_gone);
        // After its time nobody is sent back without naming where.
        let back = seen.as_ref().zip(from).map(|((database, now_ms), from)| {
            let which =
                if decide::is_over(database, *now_ms) { format!("--to {from}") } else { "--back".to_owned() };
            format!("`tidemark cutover {which} --reason ...`")
        });
        // The hold names the way back, so that it is gone on with, whoever runs it.
        let is_on_its_way = is_going_back && self.held == Held::Ours;
        let _ = match (seen.is_some(), back) {
            (_, Some(back)) if is_on_its_way => write!(next, "; {back} goes on with going back"),
            (_, Some(back)) => write!(next, "; the same command again goes on from there, {back} goes back"),
            (true, None) => write!(next, "; the same command again goes on from there"),
            (false, None) => Ok(()),
        };
        if self.held == Held::Ours {
            let _ = write!(next, "; {LET_GO} only takes the hold back");
        }
        next
    }

    /// By the processes' own word.
    fn runs_on(&self) -> String {
        match self.database() {
            Ok(database) => format!("it runs on {}", database.address),
            Err(_) => "nobody says which MySQL counts now; `control` does, and everybody obeys it".into(),
        }
    }
}

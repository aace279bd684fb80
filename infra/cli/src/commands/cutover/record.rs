//! What a cutover says on its way, and what it came to. Nothing here may stop it: a terminal that is gone is no reason to
//! leave everything held.

use crate::{failure::Failure, screen};
use serde_json::{Value, json};

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Check,
    Drain,
    Sessions,
    Target,
    Switch,
    Resume,
    Readers,
    Audit,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::Check,
        Self::Drain,
        Self::Sessions,
        Self::Target,
        Self::Switch,
        Self::Resume,
        Self::Readers,
        Self::Audit,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Drain => "drain",
            Self::Sessions => "sessions",
            Self::Target => "target",
            Self::Switch => "switch",
            Self::Resume => "resume",
            Self::Readers => "readers",
            Self::Audit => "audit",
        }
    }

    fn number(self) -> usize {
        1 + Self::ALL.iter().position(|step| *step == self).unwrap_or_default()
    }
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing was to be changed.
    Checked,
    /// It runs on the target.
    Moved,
    /// Nothing was changed.
    Refused,
    /// The hold was taken back.
    Stayed,
    /// The hold could not be taken back, or nobody confirmed that it flows.
    Held,
    /// It was switched, did not flow, and went back by itself.
    WentBack,
    /// It was switched and does not flow, as far as anybody says.
    Stuck,
    /// It runs on the target, and readers do not use it yet.
    Filling,
    /// It runs on the target, and the audit found something, or could not be made.
    NotClean,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Checked => "CHECKED",
            Self::Moved => "MOVED",
            Self::Refused => "REFUSED",
            Self::Stayed => "STAYED",
            Self::Held => "HELD",
            Self::WentBack => "WENT_BACK",
            Self::Stuck => "STUCK",
            Self::Filling => "FILLING",
            Self::NotClean => "NOT_CLEAN",
        }
    }
}

/// An end that is not the wanted one.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) failure: Failure,
}

impl Ended {
    pub(super) const fn new(outcome: Outcome, failure: Failure) -> Self {
        Self { outcome, failure }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Record {
    is_silent: bool,
    steps: Vec<Value>,
}

impl Record {
    /// Which prints nothing before its end, where that is for programs.
    pub(super) fn new(is_silent: bool) -> Self {
        Self { is_silent, steps: Vec::new() }
    }

    /// A step was done.
    pub(super) fn done(&mut self, step: Step, says: &str) {
        self.steps.push(json!({"step": step.number(), "name": step.name(), "says": says}));
        self.print(&line(&format!("{}/{}", step.number(), Step::ALL.len()), step.name(), says));
    }

    /// A step on the way back was done.
    pub(super) fn undone(&mut self, name: &str, says: &str) {
        self.steps.push(json!({"step": null, "name": name, "says": says}));
        self.print(&line("back", name, says));
    }

    /// Says something besides.
    pub(super) fn print(&self, text: &str) {
        if !self.is_silent {
            let _ = screen::print(text);
        }
    }

    /// For programs: all of it, once.
    pub(super) fn to_json(&self, outcome: Outcome, failure: Option<&Failure>) -> Value {
        json!({"outcome": outcome.name(), "steps": self.steps, "error": failure.map(Failure::to_json)})
    }
}

fn line(which: &str, name: &str, says: &str) -> String {
    let plain: String = says.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    format!("{which} {name:<9} {plain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_with_its_number() {
        let says = "mysql://b:3306/t: 9.7.0, schema current, 1,204 records behind";
        let drawn = "1/8 check     mysql://b:3306/t: 9.7.0, schema current, 1,204 records behind";
        assert_eq!(line("1/8", Step::Check.name(), says), drawn);
        assert_eq!(line("back", "drain", "a\u{1b}[2J"), "back drain     a [2J");
        assert_eq!(Step::ALL.map(Step::number), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn programs_get_every_step_and_the_outcome() {
        let mut record = Record::new(true);
        record.done(Step::Check, "fit");
        record.undone("resume", "it flows");
        let failure = Failure::failed("why", "what next");
        let said = record.to_json(Outcome::WentBack, Some(&failure));
        assert_eq!((&said["outcome"], &said["error"]["exit"]), (&json!("WENT_BACK"), &json!(1)));
        let names: Vec<_> = said["steps"].as_array().unwrap().iter().map(|step| &step["name"]).collect();
        assert_eq!((json!(names), &said["steps"][0]["step"]), (json!(["check", "resume"]), &json!(1)));
    }
}

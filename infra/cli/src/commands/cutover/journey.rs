//! One cutover under way, and the requests that it consists of. It keeps nothing that `control` does not say too: whoever
//! runs the command again goes on from there.

use super::{
    Args,
    decide::{self, Start, purpose},
    record::Record,
};
use crate::{
    admin::Answer,
    answers::{Check, Consumers, Database, Operations, Progress},
    failure::Failure,
    limits,
    settings::Desk,
};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Whose hold the one over everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    No,
    /// Or perhaps: a request whose fate is not known counts.
    Ours,
    /// Somebody placed it anew.
    Theirs,
}

/// See the module.
pub(super) struct Journey<'a> {
    pub(super) desk: &'a Desk,
    pub(super) args: &'a Args,
    pub(super) start: Start,
    pub(super) record: Record,
    pub(super) held: Held,
}

impl Journey<'_> {
    pub(super) fn to(&self) -> &str {
        &self.start.to
    }

    fn reason(&self) -> &str {
        self.args.reason.as_deref().unwrap_or_default()
    }

    /// Why, with what every process and the next command must know of it.
    pub(super) fn purpose(&self) -> String {
        purpose(self.start.is_back, self.to(), self.reason())
    }

    /// The same of the way back that nobody asked for.
    pub(super) fn retreat_purpose(&self, from: &str) -> String {
        purpose(true, from, &format!("it did not flow on {}", self.to()))
    }

    /// What the target is like.
    pub(super) fn look_at_target(&self, prepare: bool) -> Result<Check, Failure> {
        look_at(self.desk, self.to(), prepare)?.read()
    }

    /// Which server counts.
    pub(super) fn database(&self) -> Result<Database, Failure> {
        self.database_now().map(|(database, _)| database)
    }

    /// The same, with the time at the process that was asked.
    pub(super) fn database_now(&self) -> Result<(Database, i64), Failure> {
        let answer = self.desk.admin.get("/admin/database", limits::ASK)?;
        Ok((answer.read()?, answer.now_ms))
    }

    /// Has everything rest and let go of the server; the operation.
    pub(super) fn hold(&mut self, purpose: &str) -> Result<String, Failure> {
        // A new one replaces the one before, and would end it later.
        self.leave_to_others()?;
        let body = json!({
            "scope": {"all": true}, "holder": "cutover", "mode": "release", "ttl": self.args.ttl,
            "on_expiry": "resume_if_database_healthy", "reason": purpose, "actor": self.desk.actor,
        });
        let accepted = self.insist("/admin/consumers/pause", &body)?;
        self.held = Held::Ours;
        operation(&accepted)
    }

    /// Takes the hold back, and no other one of that holder; the operation that let go, whosever that was.
    pub(super) fn let_go(&mut self, purpose: &str) -> Result<String, Failure> {
        self.leave_to_others()?;
        let body = json!({
            "scope": {"all": true}, "holder": "cutover", "ramp": self.args.ramp.to_json(), "reason": purpose,
            "actor": self.desk.actor,
        });
        let let_go = match self.insist("/admin/consumers/resume", &body) {
            // Its time has passed, or the request before was taken after all.
            Err(failure) if failure.is("NOT_HELD") => self.newest_end(failure),
            accepted => accepted.and_then(|accepted| operation(&accepted)),
        }?;
        self.held = Held::No;
        Ok(let_go)
    }

    /// Whoever has placed the hold anew meanwhile knows why: it stays. Where nobody says who, it is taken for ours.
    fn leave_to_others(&mut self) -> Result<(), Failure> {
        let Ok(answer) = self.desk.admin.get("/admin/consumers", limits::ASK) else { return Ok(()) };
        match answer.read::<Consumers>().ok().and_then(Consumers::cutover) {
            Some(hold) if !decide::is_ours(&hold, &self.start) => {
                self.held = Held::Theirs;
                Err(decide::of_others(&hold, answer.now_ms))
            }
            _ => Ok(()),
        }
    }

    /// The newest operation that ended a hold of a cutover over everything.
    fn newest_end(&self, otherwise: Failure) -> Result<String, Failure> {
        let all: Operations = self.desk.admin.get("/admin/operations?limit=100", limits::ASK)?.read()?;
        let mut ends = all.operations.into_iter().filter(|operation| {
            operation.holder.as_deref() == Some("cutover")
                && matches!(&*operation.kind, "resume" | "expire")
                && operation.scopes.iter().any(|scope| scope == "all")
        });
        ends.next().map(|operation| operation.id).ok_or(otherwise)
    }

    /// Asks for what may safely be asked for twice, until somebody says that it was taken.
    fn insist(&mut self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.args.timeout;
        loop {
            let end = self.desk.admin.change("POST", path, body);
            let is_unknown = end.as_ref().is_err_and(Failure::is_unknown);
            if is_unknown {
                self.held = Held::Ours;
            }
            let is_passing = end.as_ref().is_err_and(Failure::is_passing);
            if !(is_unknown || is_passing) || Instant::now() >= deadline {
                return end;
            }
            thread::sleep(limits::RETRY);
        }
    }

    /// How far an operation is.
    pub(super) fn progress(&self, id: &str, wait: Duration) -> Result<Progress, Failure> {
        let path = format!("/admin/operations/{id}?wait={}ms", wait.as_millis());
        self.desk.admin.get(&path, limits::ASK + wait)?.read()
    }
}

/// What another server is like. Asked of one process only, where it makes tables there.
pub(super) fn look_at(desk: &Desk, to: &str, prepare: bool) -> Result<Answer, Failure> {
    let (path, body) = ("/admin/database/check", json!({"to": to, "prepare": prepare}));
    if prepare {
        desk.admin.change_within("POST", path, &body, limits::CHECK)
    } else {
        desk.admin.ask(path, &body, limits::CHECK)
    }
}

/// The number of an operation that was accepted.
pub(super) fn operation(accepted: &Answer) -> Result<String, Failure> {
    let id = accepted.body.get("operation").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| {
        Failure::failed(
            format!("{} took it, and names no operation", accepted.url),
            "use the `tidemark` of the same version as the processes",
        )
    })
}

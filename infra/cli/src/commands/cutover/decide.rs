//! What a cutover does next, given what was seen. Pure: it asks nobody and changes nothing.

use super::address::same;
use crate::{
    answers::{Check, Consumers, Database, Hold, Sessions},
    failure::Failure,
    moment,
};
use std::time::Duration;

/// Frees what a cutover holds, and nothing else of that holder.
pub(super) const LET_GO: &str = "`tidemark resume --holder cutover --all`";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    To(String),
    Back,
}

/// What `control` says before anything is done.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) database: Database,
    /// The reason of the operation that switched to it.
    pub(super) switched_for: Option<String>,
    /// The hold of a cutover over everything, where there is one.
    pub(super) hold: Option<Hold>,
    pub(super) now_ms: i64,
}

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) at: Stage,
    /// The server before, where there is one.
    pub(super) from: Option<String>,
    pub(super) to: String,
    pub(super) is_back: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// With the first step.
    Check,
    /// It is switched, and still held.
    Resume,
    /// It is switched and flows.
    Readers,
}

/// After one look at what is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Go(String),
    Wait(String),
    Stop(Failure),
}

/// The reason that a hold and a switch carry: whoever comes after this command reads there what it was about.
pub(super) fn purpose(is_back: bool, to: &str, reason: &str) -> String {
    format!("{}to {to}: {reason}", if is_back { "back " } else { "" })
}

/// What a reason of that kind names: the server, and whether that was the way back.
pub(super) fn aim(reason: &str) -> Option<(&str, bool)> {
    let rest = reason.strip_prefix("back ");
    let (to, _) = rest.unwrap_or(reason).strip_prefix("to ")?.split_once(": ")?;
    to.starts_with("mysql://").then_some((to, rest.is_some()))
}

/// Whether a hold of `cutover` was placed by a cutover between these servers: anybody may hold under that name.
pub(super) fn is_ours(hold: &Hold, start: &Start) -> bool {
    let is_one = |to: &str| same(to, &start.to) || start.from.as_deref().is_some_and(|from| same(to, from));
    aim(&hold.reason).is_some_and(|(to, _)| is_one(to))
}

/// Where to begin.
///
/// # Errors
/// Somebody holds it by hand, another cutover is under way, or there is no way back.
pub(super) fn start(goal: &Goal, seen: &Seen) -> Result<Start, Failure> {
    let at = &seen.database.address;
    let held = match &seen.hold {
        Some(hold) => Some(aim(&hold.reason).ok_or_else(|| of_others(hold, seen.now_ms))?),
        None => None,
    };
    let went_back = seen.switched_for.as_deref().and_then(aim).is_some_and(|(_, is_back)| is_back);
    let (to, is_back) = match (goal, held) {
        (Goal::To(to), _) => (to.clone(), false),
        (Goal::Back, Some((to, true))) if same(to, at) || !is_over(&seen.database, seen.now_ms) => {
            (to.to_owned(), true)
        }
        // Run again, it must not go forth again.
        (Goal::Back, _) if went_back => (at.clone(), true),
        (Goal::Back, _) => (way_back(seen)?, true),
    };
    if let (Some(hold), Some((other, _))) = (&seen.hold, held) {
        let leaves_what_is_done = *goal == Goal::Back && same(other, at);
        if !same(other, &to) && !leaves_what_is_done {
            return Err(of_others(hold, seen.now_ms));
        }
    }
    let stage = match (same(at, &to), &seen.hold) {
        (false, _) => Stage::Check,
        (true, Some(_)) => Stage::Resume,
        (true, None) => Stage::Readers,
    };
    let from = if stage == Stage::Check { Some(at.clone()) } else { seen.database.previous.clone() };
    Ok(Start { at: stage, from, to, is_back })
}

/// Whether the time is over for which the server before was to be kept: nobody knows what became of it since.
pub(super) fn is_over(database: &Database, now_ms: i64) -> bool {
    database.way_back_until_ms.is_some_and(|until| until <= now_ms)
}

fn way_back(seen: &Seen) -> Result<String, Failure> {
    let Database { address, previous, way_back_until_ms, .. } = &seen.database;
    let filled = "what a server lacks is filled from the log";
    match (previous, way_back_until_ms) {
        (Some(previous), Some(_)) if !is_over(&seen.database, seen.now_ms) => Ok(previous.clone()),
        (Some(previous), Some(until)) => {
            let (at, ago) = (moment::clock(*until, seen.now_ms), moment::relative(*until, seen.now_ms));
            Err(Failure::failed(
                format!("the way back to {previous} was open until {at} ({ago}); it runs on {address}"),
                format!(
                    "if that server is still there, `tidemark cutover --to {previous} --reason ...`; {filled}"
                ),
            ))
        }
        _ => Err(Failure::failed(
            format!("there is no way back: it runs on {address}, and `control` names none before"),
            format!("`tidemark cutover --to mysql://...` goes wherever you name; {filled}"),
        )),
    }
}

/// Of a hold that this cutover must not end. One that no cutover placed may keep everybody off a server under repair.
pub(super) fn of_others(hold: &Hold, now_ms: i64) -> Failure {
    let Hold { actor, reason, created_at_ms, .. } = hold;
    if let Some((other, _)) = aim(reason) {
        return Failure::failed(
            format!("{actor} holds everything for a cutover of another kind: {reason:?}"),
            format!(
                "finish that one (`tidemark cutover --to {other}`, or --back where it was on its way back), or give it up: \
                 {LET_GO}"
            ),
        );
    }
    let (at, ago) =
        (moment::clock(*created_at_ms, now_ms), moment::relative((*created_at_ms).min(now_ms), now_ms));
    Failure::failed(
        format!("{actor} holds everything by hand under the name of cutover, since {at} ({ago}): {reason:?}"),
        format!(
            "ask whoever that is. To move while it rests, `tidemark pause --all --mode release --reason ...` holds it as \
             operator too; then {LET_GO}, and this command again"
        ),
    )
}

/// What a target is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// How long it has, with everything at rest, to become what it has to be.
    pub(super) wait: Duration,
    /// Whether nobody waits for the word of the server that is left.
    pub(super) old_is_gone: bool,
    /// Whether its tables were to be made, where it had none.
    pub(super) prepared: bool,
}

/// Whether a target will do, before anything is touched.
///
/// # Errors
/// What stands against it.
pub(super) fn fit(check: &Check, terms: Terms) -> Result<(), Failure> {
    let Check { to, findings, ok, .. } = check;
    if !ok || !findings.is_empty() {
        let found =
            if findings.is_empty() { "the processes do not say why".into() } else { findings.join("\n  ") };
        return Err(Failure::failed(
            format!("{to} is not fit\n  {found}"),
            "mend that at the target, then `tidemark cutover --check --to ...`",
        ));
    }
    if terms.prepared && has_no_tables(check) {
        return Err(Failure::failed(
            format!("{to} has no tables, and none could be made there"),
            "have it take writes, or make them where it replicates from",
        ));
    }
    if terms.wait.is_zero()
        && let Some(why) = not_its_own(check)
    {
        return Err(Failure::failed(
            format!("{to} {why}"),
            "promote it; or, where that happens once everything rests here, give --wait",
        ));
    }
    if check.behind_records.is_none() && !has_no_tables(check) && !terms.old_is_gone {
        return Err(Failure::failed(
            "the server that counts now does not answer, so nobody can say who still writes there",
            "mend it; if it is gone for good, --old-is-gone goes on without its word",
        ));
    }
    Ok(())
}

fn has_no_tables(check: &Check) -> bool {
    check.schema.as_deref() == Some("empty")
}

/// Why nobody else's word may count there yet: a replica, before it is promoted.
fn not_its_own(check: &Check) -> Option<&'static str> {
    match (check.read_only, check.replicating) {
        (Some(true), _) => Some("is read-only"),
        (None, _) => Some("does not say whether it takes writes"),
        (_, Some(true)) => Some("still applies another server's transactions"),
        _ => None,
    }
}

/// Partitions that stopped at something: they would not flow on another server either, which then looked at fault.
///
/// # Errors
/// There are some.
pub(super) fn nothing_stopped(consumers: &Consumers) -> Result<(), Failure> {
    let mut found = Vec::new();
    for group in consumers.groups.values() {
        let stopped = group.partitions.iter().filter(|row| row.observed.as_deref() == Some("STOPPED"));
        found.extend(stopped.map(|row| format!("{}/{}", group.topic, row.partition)));
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(
        format!("{} stopped, and would stop on any server", found.join(", ")),
        "`tidemark status` says why and what to press; move afterwards",
    ))
}

/// Whether somebody may still write to the server that is left.
pub(super) fn released(asked: Result<Sessions, Failure>, old_is_gone: bool) -> Turn {
    match asked {
        Ok(Sessions { address, user, sessions, readers, unaccounted: 0 }) => Turn::Go(format!(
            "{address}: no session of a writer ({sessions} of {user}, {readers} that only read)"
        )),
        Ok(Sessions { address, user, unaccounted, .. }) => {
            Turn::Wait(format!("{address}: sessions of {user} that may write: {unaccounted}"))
        }
        Err(failure) if failure.is("DATABASE_UNAVAILABLE") && old_is_gone => {
            Turn::Go("the old server does not answer, and is taken for gone (--old-is-gone)".into())
        }
        Err(failure) if failure.is_passing() => Turn::Wait(failure.in_a_line()),
        Err(failure) => Turn::Stop(failure),
    }
}

/// Whether the target has all that it will have, while everything rests.
pub(super) fn ready(asked: Result<Check, Failure>, is_last_look: bool, old_is_gone: bool) -> Turn {
    let check = match asked {
        Ok(check) => check,
        Err(failure) if failure.is_passing() && !is_last_look => {
            return Turn::Wait(failure.in_a_line());
        }
        Err(failure) => return Turn::Stop(failure),
    };
    let is_fit = check.ok && check.findings.is_empty() && !has_no_tables(&check);
    let not_its_own = not_its_own(&check);
    let says = match (not_its_own, check.behind_records) {
        (Some(why), _) => format!("it {why}"),
        (None, None) => "it takes writes; what it lacks nobody can say, the log fills it".to_owned(),
        (None, Some(0)) => "it takes writes, and lacks nothing".to_owned(),
        (None, Some(n)) => {
            format!("it takes writes, and lacks {} records; the log fills it", moment::number(n))
        }
    };
    match (is_fit && not_its_own.is_none(), check.behind_records) {
        (true, Some(0)) => Turn::Go(says),
        (true, None) if old_is_gone => Turn::Go(says),
        (true, Some(_)) if is_last_look => Turn::Go(says),
        _ if !is_last_look => Turn::Wait(format!("{}: {says}", check.to)),
        _ => {
            let terms = Terms { wait: Duration::ZERO, old_is_gone, prepared: true };
            let unfit = fit(&check, terms).err();
            Turn::Stop(
                unfit.unwrap_or_else(|| {
                    Failure::failed(format!("{}: {says}", check.to), "look at the target")
                }),
            )
        }
    }
}

/// Why nothing is known to flow after a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The processes say that it does not.
    Still(Failure),
    /// Nobody says anything.
    Silent(Failure),
}

/// Whether the server before is better than what is, and which one that is.
pub(super) fn retreat<'a>(trouble: &Trouble, from: Option<&'a str>, old_is_gone: bool) -> Option<&'a str> {
    match trouble {
        Trouble::Still(_) if !old_is_gone => from,
        _ => None,
    }
}

/// Where no operation says it: who does not use that server yet.
pub(super) fn elsewhere(database: &Database, to: &str) -> Vec<String> {
    let is_there = |address: &Option<String>| address.as_ref().is_some_and(|address| same(address, to));
    let others = database.instances.iter().filter(|instance| !is_there(&instance.address));
    others.map(|other| format!("{} uses {}", other.id, other.address.as_deref().unwrap_or("none"))).collect()
}

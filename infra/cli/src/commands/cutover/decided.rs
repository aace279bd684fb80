//! Tests of what a cutover does next.

use super::decide::*;
use crate::answers::{Check, Consumers, Database, Hold, Sessions};
use crate::failure::Failure;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const NOW: i64 = 1_795_000_000_000;
const OLD: &str = "mysql://old:3306/t";
const NEW: &str = "mysql://new:3306/t";

fn seen(
    at: &str,
    previous: Option<&str>,
    until_ms: i64,
    hold: Option<&str>,
    switched_for: Option<&str>,
) -> Seen {
    let database = json!({"address": at, "previous": previous, "way_back_until_ms": NOW + until_ms, "instances": [
        {"id": "a", "address": at}, {"id": "b", "address": null}]});
    let hold = hold.map(|reason| {
        let hold = json!({"holder": "cutover", "scope": "all", "epoch": 1, "mode": "release", "reason": reason,
            "actor": "anna", "created_at_ms": NOW, "expires_at_ms": null, "on_expiry": "resume", "overdue": null});
        Hold::deserialize(hold).unwrap()
    });
    let database = Database::deserialize(database).unwrap();
    Seen { database, switched_for: switched_for.map(str::to_owned), hold, now_ms: NOW }
}

fn begins(goal: &Goal, seen: &Seen) -> (Stage, String, bool) {
    let start = start(goal, seen).unwrap();
    (start.at, start.to, start.is_back)
}

#[test]
fn it_goes_on_where_it_was() {
    let to = Goal::To("mysql://NEW/t".into());
    let there = || "mysql://NEW/t".to_owned();
    let fresh = seen(OLD, None, 0, None, None);
    assert_eq!(begins(&to, &fresh), (Stage::Check, there(), false));
    assert_eq!(start(&to, &fresh).unwrap().from.as_deref(), Some(OLD));
    let drained = seen(OLD, None, 0, Some("to mysql://new:3306/t: why"), None);
    assert_eq!(begins(&to, &drained).0, Stage::Check);
    let switched =
        seen(NEW, Some(OLD), 1, Some("to mysql://new:3306/t: why"), Some("to mysql://new:3306/t: why"));
    assert_eq!(begins(&to, &switched).0, Stage::Resume);
    assert_eq!(start(&to, &switched).unwrap().from.as_deref(), Some(OLD));
    let resumed = seen(NEW, Some(OLD), 1, None, None);
    assert_eq!(begins(&to, &resumed).0, Stage::Readers);
}

#[test]
fn a_hold_that_was_placed_by_hand_is_nobodys_cutover() {
    let held = |at, reason| seen(at, Some(OLD), 1, Some(reason), None);
    for goal in [Goal::To(NEW.into()), Goal::To(OLD.into()), Goal::Back] {
        for at in [NEW, OLD] {
            let refused = start(&goal, &held(at, "MySQL is being mended")).unwrap_err();
            assert!(
                refused.to_string().contains("anna holds everything by hand"),
                "{goal:?} {at}: {refused}"
            );
            assert!(refused.next().contains("`tidemark resume --holder cutover --all`"), "{refused:?}");
        }
    }
    let begun = start(&Goal::To(NEW.into()), &seen(OLD, None, 0, None, None)).unwrap();
    let cases = [
        ("to mysql://NEW/t: another run of it", true),
        ("back to mysql://old:3306/t: it did not flow", true),
        ("MySQL is being mended", false),
        ("to mysql://third:1/t: hers", false),
    ];
    for (reason, ours) in cases {
        assert_eq!(is_ours(&held(OLD, reason).hold.unwrap(), &begun), ours, "{reason}");
    }
}

#[test]
fn the_way_back_is_gone_once_and_only_while_it_is_open() {
    let open = seen(NEW, Some(OLD), 1, None, Some("to mysql://new:3306/t: why"));
    assert_eq!(begins(&Goal::Back, &open), (Stage::Check, OLD.into(), true));
    let closed = start(&Goal::Back, &seen(NEW, Some(OLD), -1, None, None)).unwrap_err();
    assert!(closed.to_string().contains("was open until") && closed.exit() == 1, "{closed}");
    assert!(closed.next().contains(&format!("`tidemark cutover --to {OLD} --reason")), "{closed:?}");
    assert!(
        start(&Goal::Back, &seen(NEW, None, 1, None, None)).unwrap_err().to_string().contains("no way back")
    );
    let back = "back to mysql://old:3306/t: no";
    // Run again after each step, it never goes forth again.
    assert_eq!(
        begins(&Goal::Back, &seen(NEW, Some(OLD), 1, Some(back), None)),
        (Stage::Check, OLD.into(), true)
    );
    // Nor does it go back after that time, whatever is held for it: whoever wants that names the server.
    let late = seen(NEW, Some(OLD), -1, Some(back), None);
    assert!(start(&Goal::Back, &late).unwrap_err().to_string().contains("was open until"));
    assert_eq!(begins(&Goal::To(OLD.into()), &late).0, Stage::Check);
    let switched = seen(OLD, Some(NEW), 1, Some(back), Some(back));
    assert_eq!(begins(&Goal::Back, &switched), (Stage::Resume, OLD.into(), true));
    assert_eq!(
        begins(&Goal::Back, &seen(OLD, Some(NEW), 1, None, Some(back))),
        (Stage::Readers, OLD.into(), true)
    );
}

#[test]
fn two_cutovers_at_once_do_not_mix() {
    let other = seen(OLD, None, 0, Some("to mysql://third:1/t: hers"), None);
    for goal in [Goal::To(NEW.into()), Goal::Back] {
        let refused = start(&goal, &Seen { switched_for: Some("back to x".into()), ..other.clone() });
        assert_eq!(refused.unwrap_err().exit(), 1, "{goal:?}");
    }
    let refused = start(&Goal::To(NEW.into()), &other).unwrap_err();
    assert!(
        refused.to_string().contains("anna") && refused.next().contains("resume --holder cutover"),
        "{refused}"
    );
    // Somebody is on the way back from where this one wants to stay.
    let leaving = seen(NEW, Some(OLD), 1, Some("back to mysql://old:3306/t: no"), None);
    assert!(start(&Goal::To(NEW.into()), &leaving).is_err());
    // What was switched and does not flow may be left the way it came.
    let stuck = seen(NEW, Some(OLD), 1, Some("to mysql://new:3306/t: why"), None);
    assert_eq!(begins(&Goal::Back, &stuck), (Stage::Check, OLD.into(), true));
}

#[test]
fn a_purpose_can_be_read_again() {
    for is_back in [true, false] {
        assert_eq!(aim(&purpose(is_back, NEW, "why: because")), Some((NEW, is_back)));
    }
    for other in ["", "to be sure: x", "back to work", "to mysql://a", "by hand"] {
        assert_eq!(aim(other), None, "{other}");
    }
}

fn check(ok: bool, read_only: Value, behind: Value) -> Check {
    let findings = if ok { json!([]) } else { json!(["no privilege INSERT"]) };
    Check::deserialize(json!({"to": NEW, "from": OLD, "ok": ok, "findings": findings, "version": "9.7.0",
        "schema": "current", "read_only": read_only, "behind_records": behind}))
    .unwrap()
}

#[test]
fn an_unfit_target_is_refused_before_anything_is_touched() {
    let why = |check: &Check, wait, old_is_gone, prepared| {
        let terms = Terms { wait: Duration::from_secs(wait), old_is_gone, prepared };
        fit(check, terms).err().map(|failure| failure.to_string())
    };
    let of = |check: &Check, wait, gone| why(check, wait, gone, true);
    assert_eq!(of(&check(true, json!(false), json!(9)), 0, false), None);
    assert!(of(&check(false, json!(false), json!(0)), 0, false).unwrap().contains("no privilege INSERT"));
    // A replica that is promoted while everything rests.
    let mut replica = check(true, json!(true), json!(0));
    assert!(of(&replica, 0, false).unwrap().contains("read-only"));
    assert_eq!(of(&replica, 30, false), None);
    (replica.read_only, replica.replicating) = (Some(false), Some(true));
    assert!(of(&replica, 0, false).unwrap().contains("another server's transactions"));
    assert_eq!(of(&replica, 30, false), None);
    let mut away = check(true, json!(false), json!(null));
    assert!(of(&away, 0, false).unwrap().contains("does not answer"));
    assert_eq!(of(&away, 0, true), None);
    // Nothing to compare is no server that does not answer.
    away.schema = Some("empty".into());
    assert_eq!(why(&away, 0, false, false), None);
    assert!(of(&away, 30, true).unwrap().contains("no tables"));
}

#[test]
fn what_merely_lacks_records_is_accepted_at_last_and_what_takes_no_writes_never() {
    let turn = |check: Check, last, gone| match ready(Ok(check), last, gone) {
        Turn::Go(_) => "go",
        Turn::Wait(_) => "wait",
        Turn::Stop(_) => "stop",
    };
    let no = ["wait", "stop", "wait", "stop"];
    let replica = |replicating| Check { replicating, ..check(true, json!(false), json!(0)) };
    let empty = Check { schema: Some("empty".into()), ..check(true, json!(false), json!(null)) };
    let cases = [
        (check(true, json!(false), json!(0)), ["go", "go", "go", "go"]),
        (replica(Some(false)), ["go", "go", "go", "go"]),
        (check(true, json!(false), json!(7)), ["wait", "go", "wait", "go"]),
        (check(true, json!(false), json!(null)), ["wait", "stop", "go", "go"]),
        (check(true, json!(true), json!(0)), no),
        (check(true, json!(null), json!(0)), no),
        (check(false, json!(false), json!(0)), no),
        (replica(Some(true)), no),
        (empty, no),
    ];
    for (check, turns) in cases {
        let looks = [(false, false), (true, false), (false, true), (true, true)];
        assert_eq!(looks.map(|(last, gone)| turn(check.clone(), last, gone)), turns, "{check:?}");
    }
    let away = || Err(Failure::Nobody(Vec::new()));
    assert!(matches!(ready(away(), false, false), Turn::Wait(_)));
    assert!(matches!(ready(away(), true, false), Turn::Stop(_)));
}

#[test]
fn nobody_moves_while_a_session_may_write() {
    let sessions = |unaccounted| {
        let said = json!({"address": OLD, "user": "tidemark", "sessions": 3, "readers": 3, "unaccounted": unaccounted});
        Ok(Sessions::deserialize(said).unwrap())
    };
    assert!(matches!(released(sessions(0), false), Turn::Go(_)));
    assert!(matches!(released(sessions(1), true), Turn::Wait(text) if text.contains("may write: 1")));
    let refused =
        |status, code: &str| Err(Failure::Refused { status, code: code.into(), message: "m".into() });
    assert!(matches!(released(refused(503, "DATABASE_UNAVAILABLE"), false), Turn::Wait(_)));
    assert!(matches!(released(refused(503, "DATABASE_UNAVAILABLE"), true), Turn::Go(_)));
    assert!(matches!(released(refused(503, "CONTROL_UNAVAILABLE"), true), Turn::Wait(_)));
    assert!(matches!(released(refused(401, "UNAUTHENTICATED"), true), Turn::Stop(_)));
}

#[test]
fn it_goes_back_only_from_what_is_known_not_to_flow_to_what_is_there() {
    let (still, silent) =
        (Trouble::Still(Failure::failed("m", "n")), Trouble::Silent(Failure::Nobody(Vec::new())));
    assert_eq!(retreat(&still, Some(OLD), false), Some(OLD));
    assert_eq!(retreat(&still, Some(OLD), true), None);
    assert_eq!(retreat(&still, None, false), None);
    assert_eq!(retreat(&silent, Some(OLD), false), None);
}

#[test]
fn what_stopped_before_is_not_blamed_on_the_new_server() {
    let seen = |observed: &str| {
        let row = json!({"partition": 3, "instance": "one", "desired": "RUNNING", "holders": [], "observed": observed,
            "reason": null, "committed": 5, "lag_records": 0, "lag_seconds": 0.0, "drain_eta_seconds": null});
        let group = json!({"topic": "coupon", "members": ["one"], "partitions": [row]});
        Consumers::deserialize(json!({"groups": {"g": group}, "holds": [], "instances": []})).unwrap()
    };
    assert!(nothing_stopped(&seen("RUNNING")).is_ok() && nothing_stopped(&seen("HELD")).is_ok());
    assert!(nothing_stopped(&seen("STOPPED")).unwrap_err().to_string().starts_with("coupon/3 stopped"));
}

#[test]
fn who_uses_another_server_is_named() {
    let seen = seen(NEW, None, 0, None, None);
    assert_eq!(elsewhere(&seen.database, NEW), ["b uses none"]);
    assert_eq!(elsewhere(&seen.database, OLD).len(), 2);
}

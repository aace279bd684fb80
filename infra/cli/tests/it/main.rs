//! The program itself, as far as it needs nobody to talk to; with real processes: `infra/stack/tests/it/operators.rs`.

#![expect(clippy::unwrap_used, reason = "a test's own tools fail the test")]

use std::process::{Command, Output};

/// To somewhere that nobody looks at.
const CUTOVER: [&str; 5] = ["cutover", "--to", "mysql://db:3306/tidemark", "--reason", "r"];

fn tidemark(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.env_remove("TIDEMARK_ADMIN_URL").env_remove("TIDEMARK_ADMIN_TOKEN");
    command.args(args).envs(env.iter().copied()).output().unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_is_two_and_says_what_is_right() {
    let token = [("TIDEMARK_ADMIN_TOKEN", "t")];
    let cases: [(&[&str], &str); 6] = [
        (&["pause", "--all"], "--reason"),
        (&["pause", "--all", "--reason", "r", "--ttl", "soon"], "45m"),
        (&["--url", "https://a", "status"], "http://HOST:PORT"),
        (&["operations", "../x"], "no operation's number"),
        (&["cutover", "--to", "db:3306", "--reason", "r"], "mysql://HOST:PORT/SCHEMA"),
        (&["cutover", "--back", "--reason", "r", "--ttl", "1m"], "--wait and twice --timeout"),
    ];
    for (args, hint) in cases {
        let output = tidemark(args, &token);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = complaint(&output);
        assert!(said.contains(hint), "{args:?}: {said}");
    }
    let output = tidemark(&["status"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("TIDEMARK_ADMIN_TOKEN"));
}

#[test]
fn a_password_in_a_target_is_refused_and_not_repeated() {
    let line = ["cutover", "--to", "mysql://me:secret@db:3306/tidemark", "--reason", "r"];
    let output = tidemark(&line, &[("TIDEMARK_ADMIN_TOKEN", "t")]);
    assert_eq!(output.status.code(), Some(2));
    let said = complaint(&output);
    assert!(said.contains("never travel through the log") && !said.contains("secret"), "{said}");
}

#[test]
fn nobody_who_answers_is_four_and_every_address_is_named() {
    let (one, two) = (stack::ports::lease().unwrap(), stack::ports::lease().unwrap());
    let urls = format!("http://127.0.0.1:{},http://127.0.0.1:{}", one.port(), two.port());
    let env = [("TIDEMARK_ADMIN_URL", urls.as_str()), ("TIDEMARK_ADMIN_TOKEN", "t")];
    for args in [&["status"][..], &["pause", "--all", "--reason", "r"], &["audit"], &["pools"], &CUTOVER] {
        let output = tidemark(args, &env);
        assert_eq!(output.status.code(), Some(4), "{args:?}");
        let said = complaint(&output);
        assert!(said.contains("nobody answers") && said.contains("next: "), "{said}");
        assert!(said.contains(&one.port().to_string()), "{said}");
    }
    let json = tidemark(&["--json", "status"], &env);
    let said: serde_json::Value = serde_json::from_str(&complaint(&json)).unwrap();
    assert_eq!((&said["errorCode"], &said["exit"]), (&"NOBODY_ANSWERS".into(), &4.into()));
}

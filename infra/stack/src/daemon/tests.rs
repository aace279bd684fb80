//! A shell stands in for a service: it writes, sleeps and dies on demand.

use super::*;
use std::path::PathBuf;

fn shell(name: &str, script: &str) -> Launch {
    let folder = std::env::temp_dir().join(format!("stack-daemon-{name}-{}", std::process::id()));
    let log = folder.join("log");
    let mut launch = Launch::new(name, PathBuf::from("/bin/sh"), folder, log);
    launch.args = vec!["-c".into(), script.into()];
    launch.stop_deadline_s = 1;
    launch
}

fn forget(launch: &Launch) {
    crate::cache::remove(&launch.folder).unwrap();
}

#[test]
fn a_program_that_ends_while_starting_shows_its_log() {
    let mut launch = shell("ends", "echo the port is taken; exit 1");
    launch.ready = Ready::Redis { port: 1 };
    let said = Daemon::start(launch.clone()).unwrap_err().to_string();
    forget(&launch);
    assert!(said.starts_with("ends ended while starting"), "{said}");
    assert!(said.ends_with("the port is taken"), "{said}");
}

#[test]
fn a_missing_deadline_is_an_error_and_the_program_dies_with_the_value() {
    let mut launch = shell("slow", "echo $$ > pid; exec sleep 60");
    launch.ready = Ready::Redis { port: 1 };
    launch.ready_deadline_s = 1;
    let said = Daemon::start(launch.clone()).unwrap_err().to_string();
    let pid = std::fs::read_to_string(launch.folder.join("pid")).unwrap();
    forget(&launch);
    assert!(said.contains("not ready after 1 s"), "{said}");
    assert_eq!(Identity::of(pid.trim().parse().unwrap()), None);
}

#[test]
fn kill_freeze_thaw_and_restart_follow_the_pid() {
    let launch = shell("sleeper", "exec sleep 60");
    let mut daemon = Daemon::start(launch.clone()).unwrap();
    let first = daemon.pid().unwrap();
    daemon.freeze().unwrap();
    assert!(daemon.identity.is_some_and(Identity::stands_still));
    assert_eq!(daemon.pid(), Some(first));
    daemon.thaw().unwrap();
    daemon.kill().unwrap();
    assert_eq!(daemon.pid(), None);
    daemon.restart().unwrap();
    assert_ne!(daemon.pid(), Some(first));
    drop(daemon);
    forget(&launch);
}

#[test]
fn a_frozen_program_can_be_stopped_and_a_deaf_one_is_killed() {
    for script in ["exec sleep 60", "trap '' TERM; while :; do sleep 1; done"] {
        let launch = shell("deaf", script);
        let mut daemon = Daemon::start(launch.clone()).unwrap();
        daemon.freeze().unwrap();
        daemon.stop().unwrap();
        assert_eq!(daemon.pid(), None);
        forget(&launch);
    }
}

#[test]
fn a_child_started_by_a_thread_outlives_that_thread() {
    let launch = shell("thread", "exec sleep 60");
    let start = launch.clone();
    let mut daemon = std::thread::spawn(move || Daemon::start(start).unwrap()).join().unwrap();
    // Asking the spawner for one more start proves that the death signal had its chance.
    drop(Daemon::start(shell("thread-2", "exec sleep 60")).unwrap());
    assert!(daemon.is_alive());
    drop(daemon);
    forget(&launch);
    forget(&shell("thread-2", ""));
}

//! Redis and MySQL.

use super::exchange;
use mysql_session::{Error, Session};
use stack::private;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_killed_redis_comes_back_with_its_data_and_a_frozen_one_is_silent() {
    let mut redis = private::redis().unwrap();
    let port = redis.port();
    assert_eq!(exchange(port, b"SET a 1\r\n", SOON).as_deref(), Some("+OK\r\n"));
    let first = redis.pid().unwrap();
    redis.kill().unwrap();
    assert_eq!(redis.pid(), None);
    assert_eq!(exchange(port, b"PING\r\n", SHORT), None);
    redis.restart().unwrap();
    assert_ne!(redis.pid(), Some(first));
    assert_eq!(exchange(port, b"GET a\r\n", SOON).as_deref(), Some("$1\r\n1\r\n"));
    redis.freeze().unwrap();
    assert_eq!(exchange(port, b"PING\r\n", SHORT), None);
    redis.thaw().unwrap();
    assert_eq!(exchange(port, b"PING\r\n", SOON).as_deref(), Some("+PONG\r\n"));
}

#[test]
fn a_dropped_instance_leaves_neither_process_nor_files() {
    let mut redis = private::redis().unwrap();
    let (identity, folder) = (redis.identity().unwrap(), redis.folder().to_owned());
    assert!(redis.is_alive() && folder.exists());
    drop(redis);
    assert!(!identity.is_alive());
    assert!(!folder.exists());
}

#[test]
fn a_killed_mysql_keeps_what_it_committed() {
    let mut mysql = private::mysql().unwrap();
    // The kept session goes on at the server that comes back; a transaction does not.
    let (session, transaction) = (Session::at(mysql.port()), Session::once(mysql.port()));
    session.rows("CREATE TABLE tidemark.t (n INT PRIMARY KEY); INSERT INTO tidemark.t VALUES (7)").unwrap();
    transaction.rows("BEGIN; INSERT INTO tidemark.t VALUES (8)").unwrap();
    mysql.kill().unwrap();
    assert!(session.rows("SELECT 1").is_err());
    mysql.restart().unwrap();
    assert!(transaction.rows("COMMIT").is_err(), "another session ended a transaction that was not its own");
    assert_eq!(session.rows("SELECT n FROM tidemark.t").unwrap(), [["7"]]);
    assert_eq!(session.number("SELECT COUNT(*) FROM mysql.user WHERE user = 'tidemark'").unwrap(), 1);
}

#[test]
fn a_kept_session_shows_values_as_text_and_survives_what_is_refused() {
    let mysql = private::mysql().unwrap();
    let session = Session::at(mysql.port());
    let id = session.number("SELECT CONNECTION_ID()").unwrap();
    let rows = session.rows("SELECT NULL, 1.50, ''; SELECT x'61ff62'").unwrap();
    assert_eq!(rows, [vec!["NULL", "1.50", ""], vec!["a\u{fffd}b"]]);
    let refused = session.rows("SELECT 1; SELECT nothing FROM nowhere.at_all").unwrap_err();
    assert!(matches!(&refused, Error::Refused(said) if said.contains("nowhere")), "{refused}");
    assert!(matches!(session.number("SELECT 'seven'"), Err(Error::NoNumber(_))));
    assert_eq!(session.number("SELECT CONNECTION_ID()").unwrap(), id, "another session than before");
}

#[test]
fn a_durable_mysql_writes_through() {
    let mysql = private::mysql_with(|options| options.durable = true).unwrap();
    let set = "SELECT @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite, @@log_bin, @@sync_binlog";
    assert_eq!(Session::at(mysql.port()).rows(set).unwrap(), [["1", "ON", "1", "1"]]);
}

//! What a MySQL server does at this moment.
//!
//! Never by a table of `information_schema` that has a column for statements (`innodb_trx`, `processlist`): where any
//! session runs one with bytes that are no text of utf8mb3, the whole look fails with error 3854, whatever columns it
//! asks for. SHOW puts question marks there, or the bytes themselves. `performance_schema` is off in these servers.

use mysql_session::Session;
use std::collections::BTreeSet;

/// Sessions of a user.
pub fn sessions_of(root: &Session, user: &str) -> u64 {
    // Id, user, host, and so on.
    let all = root.rows("SHOW PROCESSLIST").unwrap();
    all.iter().filter(|session| session[1] == user).count() as u64
}

/// How many transactions wait for a row.
pub fn row_waits(root: &Session) -> u64 {
    let said = root.rows("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'").unwrap();
    said[0][1].parse().unwrap()
}

/// Ids of the open transactions that have changed rows: what `innodb_trx` has as `trx_rows_modified > 0`.
pub fn transactions_that_wrote(root: &Session) -> BTreeSet<String> {
    // Type, name, status.
    let said = root.rows("SHOW ENGINE INNODB STATUS").unwrap();
    that_wrote(&said[0][2])
}

fn that_wrote(status: &str) -> BTreeSet<String> {
    let transactions = status.split("\n---TRANSACTION ").skip(1);
    let wrote = transactions.filter(|text| text.contains(", undo log entries "));
    wrote.map(|text| text.split([',', ' ', '\n']).next().unwrap().to_owned()).collect()
}

#[test]
fn a_server_says_what_it_does_while_a_statement_runs_that_is_no_text() {
    let mysql = stack::private::mysql().unwrap();
    let [root, writer] = [Session::at(mysql.port()), Session::once(mysql.port())];
    root.rows("CREATE TABLE tidemark.t (n INT PRIMARY KEY, bytes VARBINARY(9)); INSERT INTO tidemark.t VALUES (1, '')")
        .unwrap();
    assert_eq!(
        (sessions_of(&root, "root"), transactions_that_wrote(&root).len(), row_waits(&root)),
        (1, 0, 0)
    );
    writer.rows("BEGIN; UPDATE tidemark.t SET bytes = 'held' WHERE n = 1").unwrap();
    assert_eq!(
        (sessions_of(&root, "root"), transactions_that_wrote(&root).len(), row_waits(&root)),
        (2, 1, 0)
    );
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            // Utf8mb3 has no such character, as it has none of the bytes of an id.
            Session::at(mysql.port()).rows("UPDATE tidemark.t SET bytes = '\u{1f30a}' WHERE n = 1").unwrap()
        });
        let waits = || crate::faults::once(row_waits(&root), |waits| *waits == 1);
        crate::faults::wait_seeing("the second one waits", crate::faults::SOON, waits);
        assert_eq!((sessions_of(&root, "root"), transactions_that_wrote(&root).len()), (3, 1));
        for table in ["innodb_trx", "processlist"] {
            let error = root.rows(&format!("SELECT COUNT(*) FROM information_schema.{table}")).unwrap_err();
            assert!(error.to_string().contains("3854"), "no reason any more not to look there: {error}");
        }
        writer.rows("COMMIT").unwrap();
        waiting.join().unwrap();
    });
}

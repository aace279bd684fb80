//! What a database error means for the one who got it. Told apart by number, never by text.
//!
//! Numbers: MySQL 9 server error reference; 2xxx are client numbers, which sqlx does not send but proxies do.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::mysql::MySqlDatabaseError;

/// What the caller can do about a database error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The transaction lost a race and was rolled back: do all of it again, soon.
    Retry,
    /// The database cannot serve at present: hold, probe, go on by itself. The outcome of a commit is unknown.
    Outage,
    /// The rows contradict the schema's second line of defence: stop and raise an alarm.
    Constraint,
    /// Our statement or our schema is wrong: stop.
    Bug,
}

/// Deadlock, lock wait timeout, killed query, rolled back by group replication's certification.
const RETRY: [u16; 4] = [1213, 1205, 1317, 3101];

/// Duplicate key (two forms), foreign key (parent, child), CHECK.
const CONSTRAINT: [u16; 5] = [1062, 1586, 1451, 1452, 3819];

/// The server is away, full, read-only, or does not let us in.
const OUTAGE: [u16; 38] = [
    1021, 1030, 1114, 1180, // disk or table full, storage engine error, error during commit
    1037, 1038, 1041, 1206, // out of memory, sort memory, resources, lock table
    1040, 1203, 1226, 1461, // too many connections (server, user), resource limit, prepared statements
    1042, 1043, 1129, 1130, // host unknown, bad handshake, host blocked, host not allowed
    1044, 1045, 1049, 1698, // no access to the database, login refused, unknown database
    1053, 1077, 1079, 3032, // shutdown in progress, normal shutdown, shutdown complete, offline mode
    1152, 1158, 1159, 1160, 1161, 1184,
    4031, // connection aborted, network reads and writes, idle for too long
    1290, 1792, 1836, // read-only: server option, transaction, mode
    3100, // a replication hook refused the commit (no quorum)
    2002, 2006, 2013, // cannot connect, gone away, lost during the query
];

impl Failure {
    /// Classifies `error`. What carries no server number is judged by its kind.
    #[must_use]
    pub fn of(error: &DbErr) -> Self {
        if let Some(code) = mysql_error_code(error) {
            return failure_of_code(code);
        }
        match error {
            // The pool was swapped for another one: a new transaction takes the new pool.
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Self::Retry,
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) | DbErr::Conn(_) => Self::Outage,
            DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => of_driver(e),
            _ => Self::Bug,
        }
    }
}

fn of_driver(error: &sqlx::Error) -> Failure {
    use sqlx::Error as E;
    match error {
        E::PoolClosed => Failure::Retry,
        // `Protocol`: the stream is out of step, as after a cut; a new connection may well do.
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::WorkerCrashed | E::BeginFailed => {
            Failure::Outage
        }
        _ => Failure::Bug,
    }
}

/// Classifies a MySQL error number; an unknown one is a [`Failure::Bug`].
#[must_use]
pub fn failure_of_code(code: u16) -> Failure {
    if RETRY.contains(&code) {
        Failure::Retry
    } else if OUTAGE.contains(&code) {
        Failure::Outage
    } else if CONSTRAINT.contains(&code) {
        Failure::Constraint
    } else {
        Failure::Bug
    }
}

/// The server's error number, if the server sent one.
#[must_use]
pub fn mysql_error_code(error: &DbErr) -> Option<u16> {
    let (DbErr::Exec(RuntimeErr::SqlxError(e))
    | DbErr::Query(RuntimeErr::SqlxError(e))
    | DbErr::Conn(RuntimeErr::SqlxError(e))) = error
    else {
        return None;
    };
    let sqlx::Error::Database(e) = &**e else {
        return None;
    };
    e.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Failure::{Bug, Constraint, Outage, Retry};
    use std::{io, sync::Arc};

    #[test]
    fn every_number_has_its_class() {
        for (code, expected) in [
            (1213, Retry),
            (1205, Retry),
            (1317, Retry),
            (3101, Retry),
            (1040, Outage),
            (2006, Outage),
            (2013, Outage),
            (1290, Outage),
            (1836, Outage),
            (1053, Outage),
            (3100, Outage),
            (1021, Outage),
            (1114, Outage),
            (1045, Outage),
            (1049, Outage),
            (4031, Outage),
            (1062, Constraint),
            (3819, Constraint),
            (1452, Constraint),
            (1064, Bug),
            (1146, Bug),
            (1264, Bug),
            (1390, Bug),
            (1406, Bug),
            (0, Bug),
            (u16::MAX, Bug),
        ] {
            assert_eq!(failure_of_code(code), expected, "{code}");
        }
    }

    #[test]
    fn no_number_stands_in_two_classes() {
        let mut all = [&RETRY[..], &OUTAGE, &CONSTRAINT].concat();
        all.sort_unstable();
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    }

    #[test]
    fn errors_without_a_number_are_judged_by_their_kind() {
        let driver = |e: sqlx::Error| RuntimeErr::SqlxError(Arc::new(e));
        let reset = || sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
        for (error, expected) in [
            (DbErr::Exec(driver(reset())), Outage),
            (DbErr::Query(driver(reset())), Outage),
            (DbErr::Conn(driver(reset())), Outage),
            (DbErr::Query(driver(sqlx::Error::PoolTimedOut)), Outage),
            (DbErr::Query(driver(sqlx::Error::PoolClosed)), Retry),
            (DbErr::ConnectionAcquire(ConnAcquireErr::Timeout), Outage),
            (DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed), Retry),
            (DbErr::Query(driver(sqlx::Error::RowNotFound)), Bug),
            (DbErr::Type("wrong".to_owned()), Bug),
        ] {
            assert_eq!(Failure::of(&error), expected, "{error:?}");
        }
    }
}

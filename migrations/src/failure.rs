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
    /// Anything that is not proved to be something else: hold, try again, go on by itself. The outcome of a commit is
    /// unknown.
    Outage,
    /// Proved: the rows of the fold contradict the schema's second line of defence. Stop and raise an alarm.
    Contradiction,
}

/// Deadlock, lock wait timeout, killed query, rolled back by group replication's certification.
const RETRY: [u16; 4] = [1213, 1205, 1317, 3101];

/// Duplicate key (two forms), foreign key (parent, child), CHECK; a value that its column cannot hold: NULL, out of range,
/// of another type, too long, out of range in an expression. This list is closed: see decision 0018.
const CONTRADICTION: [u16; 10] = [1062, 1586, 1451, 1452, 3819, 1048, 1264, 1366, 1406, 1690];

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
            DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e))
                if matches!(**e, sqlx::Error::PoolClosed) =>
            {
                Self::Retry
            }
            // Said by our own code only: a row that the log made is not there, or not as it was written.
            DbErr::RecordNotFound(_) => Self::Contradiction,
            _ => Self::Outage,
        }
    }
}

/// Classifies a MySQL error number.
#[must_use]
pub fn failure_of_code(code: u16) -> Failure {
    if RETRY.contains(&code) {
        Failure::Retry
    } else if CONTRADICTION.contains(&code) {
        Failure::Contradiction
    } else {
        Failure::Outage
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
    use Failure::{Contradiction, Outage, Retry};
    use std::{io, sync::Arc};

    /// Written by hand from MySQL 9's error reference, not from the code above.
    const RETRIED: &[u16] = &[1205, 1213, 1317, 3101];
    const CONTRADICTING: &[u16] = &[1048, 1062, 1264, 1366, 1406, 1451, 1452, 1586, 1690, 3819];
    const PASSING: &[u16] = &[
        // No number, and numbers that no server has.
        0,
        1,
        999,
        9_999,
        60_000,
        u16::MAX,
        // Files, disks, memory, storage engines.
        1004,
        1005,
        1006,
        1010,
        1014,
        1015,
        1016,
        1017,
        1020,
        1021,
        1022,
        1023,
        1024,
        1025,
        1026,
        1027,
        1028,
        1030,
        1031,
        1032,
        1033,
        1034,
        1035,
        1036,
        1037,
        1038,
        1041,
        1114,
        1180,
        1181,
        1194,
        1195,
        1197,
        1206,
        1297,
        1412,
        1478,
        1505,
        1712,
        1815,
        1877,
        1878,
        3506,
        3675,
        // Connecting, logging in, rights, limits of users.
        1040,
        1042,
        1043,
        1044,
        1045,
        1049,
        1129,
        1130,
        1131,
        1132,
        1133,
        1141,
        1142,
        1143,
        1203,
        1226,
        1227,
        1251,
        1275,
        1396,
        1410,
        1461,
        1698,
        1820,
        1862,
        1870,
        1873,
        3032,
        3118,
        3159,
        3878,
        3955,
        4031,
        4058,
        // Ending, killed, network.
        1053,
        1077,
        1078,
        1079,
        1080,
        1094,
        1095,
        1152,
        1153,
        1154,
        1155,
        1156,
        1157,
        1158,
        1159,
        1160,
        1161,
        1184,
        1189,
        1190,
        1927,
        2002,
        2003,
        2005,
        2006,
        2013,
        2026,
        2055,
        3024,
        3058,
        3168,
        3169,
        3170,
        4020,
        // Read-only, replication, group replication, locks that are held by others.
        1099,
        1100,
        1192,
        1196,
        1198,
        1199,
        1200,
        1201,
        1202,
        1207,
        1216,
        1217,
        1223,
        1235,
        1290,
        1399,
        1400,
        1401,
        1402,
        1568,
        1593,
        1594,
        1595,
        1614,
        1637,
        1665,
        1666,
        1766,
        1782,
        1786,
        1787,
        1792,
        1836,
        1837,
        1840,
        3092,
        3093,
        3094,
        3098,
        3100,
        3572,
        3573,
        3797,
        3879,
        // Schemas that are being changed, or that somebody else has changed and will mend.
        1050,
        1051,
        1054,
        1060,
        1061,
        1064,
        1072,
        1091,
        1109,
        1136,
        1146,
        1149,
        1176,
        1210,
        1243,
        1295,
        1305,
        1345,
        1347,
        1356,
        1364,
        1390,
        1411,
        1418,
        1419,
        1442,
        1464,
        1477,
        1615,
        1644,
        1645,
        1690 + 1,
        1709,
        1799,
        1823,
        1846,
        3105,
        3106,
        3140,
        3141,
        3143,
        3636,
        3730,
        3750,
        3780,
        3822,
        3823,
        3959,
        // Values and texts of connections that are set up otherwise.
        1105,
        1115,
        1267,
        1270,
        1273,
        1292,
        1298,
        1300,
        1365,
        1367,
        1441,
        3854,
        3988,
        3995,
    ];

    #[test]
    fn every_number_has_the_class_that_was_written_down_for_it() {
        assert!(PASSING.len() >= 200, "{}", PASSING.len());
        for (codes, class) in [(RETRIED, Retry), (CONTRADICTING, Contradiction), (PASSING, Outage)] {
            for code in codes {
                assert_eq!(failure_of_code(*code), class, "{code}");
            }
        }
    }

    #[test]
    fn whatever_is_not_on_a_list_is_an_outage() {
        let listed = |code: &u16| RETRIED.contains(code) || CONTRADICTING.contains(code);
        let others = (0..=u16::MAX).filter(|code| !listed(code));
        assert!(others.into_iter().all(|code| failure_of_code(code) == Outage));
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
            (DbErr::Query(driver(sqlx::Error::RowNotFound)), Outage),
            (DbErr::Query(driver(sqlx::Error::Protocol("out of step".to_owned()))), Outage),
            (DbErr::Type("wrong".to_owned()), Outage),
            (DbErr::Custom("anything".to_owned()), Outage),
            (DbErr::RecordNotFound("MySQL lost user 1".to_owned()), Contradiction),
        ] {
            assert_eq!(Failure::of(&error), expected, "{error:?}");
        }
    }
}

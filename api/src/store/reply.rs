//! What an error of Redis says of the server and of the connection to it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The connection is gone.
    Broken,
    /// Nothing came back in time.
    Silent,
    /// This server takes no writes: it was demoted, or sees too few replicas. Reads go on.
    ReadOnly,
    /// This server serves nobody for now: it loads, or has lost its master or its cluster.
    Unfit,
    /// It says no, and would on any connection.
    Refused,
}

/// By the first word of the reply, as Redis defines it.
pub fn meaning(error: &RedisError) -> Meaning {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => Meaning::Silent,
        ErrorKind::Io => Meaning::Broken,
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Meaning::ReadOnly,
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::TryAgain,
        ) => Meaning::Unfit,
        // Redis 6 hands on what stopped a script inside an error of its own.
        ErrorKind::Server(ServerErrorKind::ResponseError)
            if error.detail().is_some_and(|detail| detail.contains(" -READONLY ")) =>
        {
            Meaning::ReadOnly
        }
        ErrorKind::Extension if error.code() == Some("NOREPLICAS") => Meaning::ReadOnly,
        _ => Meaning::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::Value;
    use std::io;

    /// As they come over the wire, without the dash.
    const REPLIES: &[(&str, Meaning)] = &[
        ("READONLY You can't write against a read only replica.", Meaning::ReadOnly),
        (
            "READONLY You can't write against a read only replica. script: 5f0c, on @user_script:1.",
            Meaning::ReadOnly,
        ),
        (
            "ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: -READONLY You can't write \
            against a read only replica.",
            Meaning::ReadOnly,
        ),
        ("ERR Error running script (call to f_6b1b): @user_script:1: Script timed out", Meaning::Refused),
        ("NOREPLICAS Not enough good replicas to write.", Meaning::ReadOnly),
        ("LOADING Redis is loading the dataset in memory", Meaning::Unfit),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Meaning::Unfit),
        ("CLUSTERDOWN The cluster is down", Meaning::Unfit),
        ("CLUSTERDOWN Hash slot not served", Meaning::Unfit),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Meaning::Unfit),
        ("OOM command not allowed when used memory > 'maxmemory'.", Meaning::Refused),
        (
            "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
            Meaning::Refused,
        ),
        ("BUSY Redis is busy running a script.", Meaning::Refused),
        ("NOAUTH Authentication required.", Meaning::Refused),
        ("NOPERM User default has no permissions to run the 'set' command", Meaning::Refused),
        ("WRONGPASS invalid username-password pair or user is disabled.", Meaning::Refused),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", Meaning::Refused),
        ("NOSCRIPT No matching script.", Meaning::Refused),
        ("EXECABORT Transaction discarded because of previous errors.", Meaning::Refused),
        ("CROSSSLOT Keys in request don't hash to the same slot", Meaning::Refused),
        ("MOVED 3999 127.0.0.1:6381", Meaning::Refused),
        ("ASK 3999 127.0.0.1:6381", Meaning::Refused),
        ("ERR unknown command", Meaning::Refused),
        ("ERR max number of clients reached", Meaning::Refused),
        ("SOMETHING nobody has heard of", Meaning::Refused),
    ];

    #[test]
    fn every_reply_has_the_meaning_that_was_written_down_for_it() {
        for (reply, expected) in REPLIES {
            let parsed = redis::parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap();
            let Value::ServerError(error) = parsed else { panic!("{parsed:?} is no error") };
            assert_eq!(meaning(&error.into()), *expected, "{reply}");
        }
    }

    #[test]
    fn silence_is_not_asked_again_and_a_broken_connection_is() {
        let silent = [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock];
        let broken = [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionAborted,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::HostUnreachable,
            io::ErrorKind::NotConnected,
            io::ErrorKind::UnexpectedEof,
        ];
        for kind in silent {
            assert_eq!(meaning(&io::Error::from(kind).into()), Meaning::Silent, "{kind}");
        }
        for kind in broken {
            assert_eq!(meaning(&io::Error::from(kind).into()), Meaning::Broken, "{kind}");
        }
    }
}

//! One kept session of a test at a MySQL server, so that a look that is repeated every few milliseconds costs a statement
//! and not a process.
//!
//! It is root's, blocks whoever calls it, and takes any text for SQL: no production code may ever depend on it
//! (`infra/stack/tests/it/architecture.rs`). It never sends a statement twice: whether one whose answer is lost was
//! carried out, only the test can know.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// How long a server may take to let us in, or to say that it is still there.
const CONNECT: Duration = Duration::from_secs(60);
/// How long it may take to answer. Longer than it lets a statement wait for a row (50 s).
const ANSWER: Duration = Duration::from_secs(120);

/// Values as text, the rows of all statements one after the other. `NULL` is "NULL", and what is no UTF-8 is replaced.
pub type Rows = Vec<Vec<String>>;

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server, none that answers in time, or one that went away in the middle: look again.
    #[error("MySQL is away: {0}")]
    Away(String),
    /// What the server says of the SQL: correct it.
    #[error("{0}")]
    Refused(String),
    /// The rows are there, and the first value is no number.
    #[error("no number: {0:?}")]
    NoNumber(Rows),
}

struct Job {
    sql: String,
    answer: Sender<Result<Rows, Error>>,
}

/// See the crate. Opened by its first statement; closed when dropped. Threads that share it take turns.
#[derive(Debug)]
pub struct Session {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Root's, at this port of 127.0.0.1. Opened anew where it is broken or the server has started again: settings and
    /// transactions of the session are then gone.
    pub fn at(port: u16) -> Self {
        Self::start(port, true)
    }

    /// As [`Session::at`], but once lost it is lost: for a transaction, whose end must not be another session's.
    pub fn once(port: u16) -> Self {
        Self::start(port, false)
    }

    fn start(port: u16, returns: bool) -> Self {
        let (jobs, todo) = mpsc::channel();
        // Its own thread and runtime: a test may call it from within a runtime, where none may be waited for.
        let thread =
            std::thread::spawn(move || work(&todo, Server { port, returns, used: false, kept: None }));
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Runs one or several statements; returns all their rows.
    ///
    /// # Errors
    /// [`Error::Away`] or [`Error::Refused`].
    pub fn rows(&self, sql: &str) -> Result<Rows, Error> {
        let (answer, answered) = mpsc::channel();
        let gone = || Error::Away("the session's thread has ended".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { sql: sql.to_owned(), answer }).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    /// The first value, which must be a number.
    ///
    /// # Errors
    /// As [`Session::rows`], and [`Error::NoNumber`].
    pub fn number(&self, sql: &str) -> Result<u64, Error> {
        let rows = self.rows(sql)?;
        let first = rows.first().and_then(|row| row.first());
        first.and_then(|text| text.parse().ok()).ok_or(Error::NoNumber(rows))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // So that the server hears of the end now. Nobody waits for an answer, so this takes no time.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn work(todo: &Receiver<Job>, mut server: Server) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    for Job { sql, answer } in todo {
        // Whoever asked may have been ended meanwhile.
        let _ = answer.send(runtime.block_on(server.ask(sql)));
    }
}

struct Server {
    port: u16,
    returns: bool,
    used: bool,
    kept: Option<MySqlConnection>,
}

impl Server {
    async fn ask(&mut self, sql: String) -> Result<Rows, Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection);
        let answer = in_time(ANSWER, query).await;
        // In the middle of anything else it is of no use any more.
        if !matches!(answer, Err(Error::Away(_))) {
            self.kept = Some(connection);
        }
        answer?.iter().map(texts).collect()
    }

    async fn connection(&mut self) -> Result<MySqlConnection, Error> {
        if let Some(mut kept) = self.kept.take()
            && in_time(CONNECT, kept.ping()).await.is_ok()
        {
            return Ok(kept);
        }
        if std::mem::replace(&mut self.used, true) && !self.returns {
            return Err(Error::Away("this session is lost, and with it its transaction".to_owned()));
        }
        let options = MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username("root")
            .ssl_mode(MySqlSslMode::Disabled)
            // As the server has it.
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .disable_statement_logging();
        in_time(CONNECT, MySqlConnection::connect_with(&options)).await
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    match timeout(limit, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sqlx::Error::Database(said))) => Err(Error::Refused(said.to_string())),
        Ok(Err(error)) => Err(Error::Away(error.to_string())),
        Err(_) => Err(Error::Away(format!("no answer within {limit:?}"))),
    }
}

fn texts(row: &MySqlRow) -> Result<Vec<String>, Error> {
    let text = |column| {
        let value: Option<&[u8]> =
            row.try_get_unchecked(column).map_err(|e| Error::Refused(e.to_string()))?;
        Ok(value.map_or_else(|| "NULL".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    (0..row.len()).map(text).collect()
}

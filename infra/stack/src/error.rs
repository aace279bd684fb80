//! What can go wrong, told by what the reader can do about it.
//!
//! Every variant prints one sentence that says what to do; a process that failed adds the end of its log.
//! It must never hide the log: whoever reads a failed CI run has nothing else.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// How many bytes of a log's end are read for an error.
const TAIL_BYTES: u64 = 8 * 1024;
/// How many lines of a log's end an error shows.
const TAIL_LINES: usize = 25;

/// Why something was not installed, started, found or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something has to be done first, and the sentence says what: run a command, free a port, free disk.
    #[error("{0}")]
    Prepare(String),
    /// A program ran and failed: read its log.
    #[error("{sentence}\n--- end of {} ---\n{tail}", log.display())]
    Failed {
        /// What failed and what to do.
        sentence: String,
        /// Where the whole log is.
        log: PathBuf,
        /// The last lines of that log.
        tail: String,
    },
    /// The machine refused: a file, a folder, a signal.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried, as an infinitive with its object.
        doing: String,
        /// What the machine answered.
        source: io::Error,
    },
}

impl Error {
    /// Something has to be done first.
    pub fn prepare(sentence: impl Into<String>) -> Self {
        Self::Prepare(sentence.into())
    }

    /// A program failed; the end of its log is read here and now.
    pub fn failed(sentence: impl Into<String>, log: &Path) -> Self {
        Self::Failed { sentence: sentence.into(), log: log.to_owned(), tail: tail(log) }
    }
}

/// Gives an I/O error the words for what was tried.
pub trait Doing<T> {
    /// Turns the error into [`Error::Io`]; `doing` is an infinitive with its object.
    ///
    /// # Errors
    /// The error it was called on, with those words.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { doing: doing(), source: source.into() })
    }
}

/// The last lines of a log file; a sentence instead when there is none.
pub fn tail(log: &Path) -> String {
    match read_end(log) {
        Ok(text) if text.trim().is_empty() => "(the log is empty)".to_owned(),
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
        }
        Err(error) => format!("(no log: {error})"),
    }
}

fn read_end(log: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_program_shows_the_end_of_its_log_only() {
        let log = std::env::temp_dir().join(format!("stack-tail-{}.log", std::process::id()));
        let lines: Vec<String> = (0..5000).map(|n| format!("line {n}")).collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let shown = Error::failed("mysqld died: read its log", &log).to_string();
        std::fs::remove_file(&log).unwrap();
        assert!(shown.starts_with("mysqld died: read its log\n"));
        assert!(shown.ends_with("line 4999"));
        assert_eq!(shown.lines().count(), TAIL_LINES + 2);
    }

    #[test]
    fn a_missing_log_is_said_not_hidden() {
        assert!(tail(Path::new("/nonexistent/x.log")).starts_with("(no log:"));
    }
}

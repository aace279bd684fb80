//! What is printed: results to standard output, everything on the way to standard error.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// To the beginning of the line, and nothing behind it.
const ERASE_LINE: &str = "\r\x1b[K";
/// To the upper left corner; each line is erased to its end as it is written.
const HOME: &str = "\x1b[H";
/// Whatever stands below.
const ERASE_BELOW: &str = "\x1b[J";

/// Without what a terminal obeys, in one line.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Prints a result.
///
/// # Errors
/// Nobody reads it any more.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()).map_err(|_| Failure::Unread)
}

/// Prints a result for programs.
///
/// # Errors
/// Nobody reads it any more.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Prints a picture over the one before, where there is a terminal.
///
/// # Errors
/// Nobody reads it any more.
pub(crate) fn repaint(text: &str, is_first: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if !out.is_terminal() {
        return writeln!(out, "{}\n", text.trim_end())
            .and_then(|()| out.flush())
            .map_err(|_| Failure::Unread);
    }
    let clear = if is_first { "\x1b[2J" } else { "" };
    let lines = text.trim_end().replace('\n', "\x1b[K\n");
    write!(out, "{clear}{HOME}{lines}\x1b[K\n{ERASE_BELOW}")
        .and_then(|()| out.flush())
        .map_err(|_| Failure::Unread)
}

/// Says why a command failed, and what to do next.
pub(crate) fn complain(failure: &Failure, as_json: bool) {
    let mut err = io::stderr().lock();
    let _ = match failure {
        Failure::Unread => Ok(()),
        failure if as_json => writeln!(err, "{}", failure.to_json()),
        failure => writeln!(err, "tidemark: {failure}\nnext: {}", failure.next()),
    };
}

/// A line that says how far it is: one on a terminal, one for each change elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    said: String,
}

impl Progress {
    /// Shows that time passes: nothing that anybody would read in a file.
    pub(crate) fn tick(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            self.show(text);
        }
    }

    /// Shows another one, where it is another one.
    pub(crate) fn show(&mut self, text: &str) {
        if self.said == text {
            return;
        }
        let mut err = io::stderr().lock();
        let _ = if err.is_terminal() {
            write!(err, "{ERASE_LINE}{text}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{text}")
        };
        text.clone_into(&mut self.said);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut err = io::stderr().lock();
        if !self.said.is_empty() && err.is_terminal() {
            let _ = write!(err, "{ERASE_LINE}").and_then(|()| err.flush());
        }
    }
}

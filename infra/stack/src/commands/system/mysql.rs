//! Questions to MySQL that no program of ours answers: how many rows there are, and when they came.
//!
//! It must never write: what MySQL holds is judged, so nobody here may have touched it.

use super::System;
use stack::cache::Cache;
use stack::error::Doing;
use stack::{Error, Result, install};
use std::process::{Command, Stdio};

/// How long a connection may take, in seconds.
const CONNECT_S: &str = "5";

impl System {
    /// The rows of a query, each column as text.
    pub(in crate::commands) fn rows(&self, query: &str) -> Result<Vec<Vec<String>>> {
        let endpoint = &self.stack.endpoints().mysql;
        let database = endpoint.rsplit('/').next().unwrap_or_default();
        let output = Command::new(install::mysql(&Cache::open()?)?.bin.join("mysql"))
            .args(["-uroot", "-h127.0.0.1", "-N", "-B", "--connect-timeout", CONNECT_S])
            .arg(format!("-P{}", self.stack.state().ports.mysql))
            .args(["-D", database, "-e", query])
            .stdin(Stdio::null())
            .output()
            .doing(|| "run mysql".into())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::prepare(format!("find out why MySQL refuses `{query}`: {said}")));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// The numbers of a query that gives one column.
    pub(in crate::commands) fn numbers(&self, query: &str) -> Result<Vec<i64>> {
        let parsed = |row: &Vec<String>| row.first().and_then(|text| text.parse().ok());
        let numbers: Option<Vec<i64>> = self.rows(query)?.iter().map(parsed).collect();
        numbers.ok_or_else(|| Error::prepare(format!("report this: `{query}` gives no numbers")))
    }

    /// The number of a query that gives one.
    pub(in crate::commands) fn number(&self, query: &str) -> Result<u64> {
        let numbers = self.numbers(query)?;
        let first = numbers.first().and_then(|number| u64::try_from(*number).ok());
        first.ok_or_else(|| Error::prepare(format!("report this: `{query}` gives no number")))
    }
}

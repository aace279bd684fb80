//! `tidemark tune`: settings of pools and groups while they run.

use super::{
    scope::{Patience, duration},
    waiting::{self, Wanted},
};
use crate::{failure::Failure, settings::Desk};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::time::Duration;

/// See the module.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Change every process' pool of a kind. What is left out is as configured, whatever was tuned before.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["max", "min", "acquire_timeout", "reset"])))]
    Pool {
        /// Which.
        #[arg(value_enum)]
        pool: Pool,
        /// Connections, at most.
        #[arg(long)]
        max: Option<u32>,
        /// Connections that are kept.
        #[arg(long)]
        min: Option<u32>,
        /// Wait for a connection, as in 1500ms.
        #[arg(long, value_parser = duration)]
        acquire_timeout: Option<Duration>,
        /// Back to what is configured.
        #[arg(long, conflicts_with_all = ["max", "min", "acquire_timeout"])]
        reset: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Change the batches of a group, or of all. What is left out is as configured, whatever was tuned before.
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["batch_records", "batch_wait", "reset"])))]
    Group {
        /// Its name, or `all`.
        group: String,
        /// Records in one transaction, at most.
        #[arg(long)]
        batch_records: Option<u32>,
        /// How long a transaction waits for more records, as in 5ms.
        #[arg(long, value_parser = duration)]
        batch_wait: Option<Duration>,
        /// Back to what is configured.
        #[arg(long, conflicts_with_all = ["batch_records", "batch_wait"])]
        reset: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pool {
    /// Of the projections.
    Writer,
    /// Of the API, for older history.
    Reader,
}

/// What both have.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Also for instances that start later.
    #[arg(long)]
    durable: bool,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    patience: Patience,
}

/// Does it.
///
/// # Errors
/// It was refused, or not confirmed in time.
pub(crate) fn run(desk: &Desk, command: &Command) -> Result<(), Failure> {
    let (path, body, common) = request(desk, command)?;
    let accepted = desk.admin.change("PATCH", &path, &body)?;
    waiting::see_through(desk, &accepted, common.patience, Wanted::Applied)
}

fn request<'a>(desk: &Desk, command: &'a Command) -> Result<(String, Value, &'a Common), Failure> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (path, mut body, common) = match command {
        Command::Pool { pool, max, min, acquire_timeout, common, .. } => {
            let name = if *pool == Pool::Writer { "writer" } else { "reader" };
            let body = json!({"max": max, "min": min, "acquire_timeout_ms": acquire_timeout.map(ms)});
            (format!("/admin/pools/{name}"), body, common)
        }
        Command::Group { group, batch_records, batch_wait, common, .. } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if group.is_empty() || !group.chars().all(plain) {
                return Err(Failure::Usage(format!("{group:?} is no group's name")));
            }
            let body = json!({"batch_records": batch_records, "batch_wait_ms": batch_wait.map(ms)});
            (format!("/admin/consumers/tuning/{group}"), body, common)
        }
    };
    if let Some(fields) = body.as_object_mut() {
        // What is left out is not changed.
        fields.retain(|_, value| !value.is_null());
        fields.insert("durable".into(), json!(common.durable));
        fields.insert("reason".into(), json!(common.reason));
        fields.insert("actor".into(), json!(desk.actor));
    }
    Ok((path, body, common))
}

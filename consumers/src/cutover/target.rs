//! Whether a server is fit to be moved to: everything that would otherwise be found out with all writers drained.

use super::{
    look,
    offsets::{self, Both, Places},
    server::{self, Server},
    within,
};
use crate::config::Config;
use control::Address;
use migrations::MigrationError;
use sea_orm::{DatabaseConnection, DbErr};
use serde::Serialize;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The server to move to.
    pub to: Address,
    /// The one that counts.
    pub from: Address,
    /// Nothing forbids it.
    pub ok: bool,
    /// What forbids it.
    pub findings: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The target's version.
    pub version: Option<String>,
    /// `current`, `made`, `empty` or `other`.
    pub schema: Option<&'static str>,
    /// Whether it refuses writes.
    pub read_only: Option<bool>,
    /// Whether another server's transactions are applied to it.
    pub replicating: Option<bool>,
    /// Records whose effects the one that counts has and the target lacks; `None` where that one does not answer.
    pub behind_records: Option<u64>,
    /// Where each partition stands.
    pub partitions: Vec<Both>,
}

impl Checked {
    fn new(from: Address, to: Address) -> Self {
        Self {
            to,
            from,
            ok: false,
            findings: Vec::new(),
            warnings: Vec::new(),
            version: None,
            schema: None,
            read_only: None,
            replicating: None,
            behind_records: None,
            partitions: Vec::new(),
        }
    }

    /// What forbids that it counts from now on: also what may change until then.
    #[must_use]
    pub fn unfit_now(&self) -> Vec<String> {
        let mut unfit = self.findings.clone();
        if self.read_only == Some(true) {
            unfit.push(format!("{} is read-only: promote it (SET GLOBAL read_only = OFF) first", self.to));
        }
        if self.replicating == Some(true) {
            unfit
                .push(format!("{} still applies another server's transactions: STOP REPLICA first", self.to));
        }
        if self.schema == Some("empty") {
            unfit.push(format!("{} has no tables yet: check it with prepare first", self.to));
        }
        unfit
    }
}

/// Looks at it; with `prepare` tables are made that are not there.
pub(super) async fn check(config: &Config, from: Address, to: Address, prepare: bool) -> Checked {
    let mut checked = Checked::new(from, to);
    let (target, server) = match look(config, &checked.to).await {
        Ok(found) => found,
        Err(error) => {
            checked.findings.push(format!(
                "{} does not let us in as the user that the processes are configured with: {error}",
                checked.to
            ));
            return checked;
        }
    };
    checked.version = Some(server.version.clone());
    (checked.read_only, checked.replicating) = (Some(server.read_only), server.replicating);
    let known = compare(config, &mut checked, &target, &server, prepare).await;
    if let Err(error) = known {
        checked.findings.push(format!("{} cannot be read: {error}", checked.to));
    }
    target.close().await.ok();
    warn(&mut checked);
    checked.ok = checked.findings.is_empty();
    checked
}

fn warn(checked: &mut Checked) {
    let mut warnings = Vec::new();
    if checked.read_only == Some(true) {
        warnings.push(
            "it is read-only, and has to be promoted before the switch; our rights could not be tried"
                .to_owned(),
        );
    }
    match checked.replicating {
        Some(true) => warnings.push("it still applies another server's transactions".to_owned()),
        None => warnings.push(
            "whether it applies another server's transactions cannot be seen (that needs SELECT on performance_schema)"
                .to_owned(),
        ),
        Some(false) => {}
    }
    if checked.behind_records.is_none() && !checked.partitions.is_empty() {
        warnings.push(format!("{} does not answer: what it has is not known", checked.from));
    }
    checked.warnings = warnings;
}

async fn compare(
    config: &Config,
    checked: &mut Checked,
    target: &DatabaseConnection,
    server: &Server,
    prepare: bool,
) -> Result<(), DbErr> {
    let counts = look(config, &checked.from).await.ok();
    if counts.as_ref().is_some_and(|(_, counts)| counts.is(server)) {
        let Checked { from, to, .. } = &*checked;
        checked.findings.push(format!("{to} is the same server as {from}, which counts already"));
        return Ok(());
    }
    checked.schema = schema(checked, target, prepare && !server.read_only).await?;
    if !matches!(checked.schema, Some("current" | "made")) {
        return Ok(());
    }
    if !server.read_only
        && let Some(lacking) = within(server::lacking_rights(target)).await?
    {
        checked.findings.push(format!("the processes' user may not do there what it has to: {lacking}"));
    }
    // First the target: the other one can only be ahead of what was seen before.
    let to = within(offsets::places(config, target)).await?;
    let from = match counts {
        Some((db, _)) => {
            let from = within(offsets::places(config, &db)).await.ok();
            db.close().await.ok();
            from
        }
        None => None,
    };
    if to.is_empty() && within(server::has_rows(target)).await? {
        checked.findings.push("its tables have rows, and nothing says from which log: empty them".to_owned());
    }
    judge(config, checked, from, to).await;
    Ok(())
}

async fn judge(config: &Config, checked: &mut Checked, from: Option<Places>, to: Places) {
    checked.partitions = offsets::both(from.as_ref(), &to);
    checked.behind_records = from.as_ref().map(|_| offsets::behind(&checked.partitions));
    if let Some(from) = &from {
        checked.findings.extend(offsets::contradictions(from, &to));
    }
    let config = config.clone();
    match tokio::task::spawn_blocking(move || offsets::strangers(&config, &to)).await {
        Ok(Ok(strangers)) => checked.findings.extend(strangers),
        Ok(Err(error)) => checked.findings.push(format!("the log cannot be read: {error}")),
        Err(error) => checked.findings.push(format!("the log was not read: {error}")),
    }
}

async fn schema(
    checked: &mut Checked,
    target: &DatabaseConnection,
    prepare: bool,
) -> Result<Option<&'static str>, DbErr> {
    let behind = match migrations::verify(target).await {
        Ok(()) => return Ok(Some("current")),
        Err(MigrationError::Behind { missing }) => missing,
        Err(MigrationError::Database(error)) => return Err(error),
        Err(other) => {
            checked.findings.push(other.to_string());
            return Ok(Some("other"));
        }
    };
    let is_empty = within(server::tables(target)).await? == 0;
    if !is_empty {
        checked.findings.push(format!(
            "its schema lacks {}: aim `consumers init` at it first (TIDEMARK_DATABASE_URL)",
            behind.join(", ")
        ));
        return Ok(Some("other"));
    }
    if !prepare {
        return Ok(Some("empty"));
    }
    match migrations::up(target).await {
        Ok(()) => Ok(Some("made")),
        Err(error) => {
            checked.findings.push(format!("its tables could not be made: {error}"));
            Ok(Some("empty"))
        }
    }
}

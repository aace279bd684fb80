//! What a group does with the records of a partition it owns. How it owns partitions, writes offsets and holds is the
//! same for all of them.

use super::{DeadLetters, opening::NotOpened, worker::Finished};
use crate::{config::Config, pool::WriterPool};
use chassis::log_reader::RawRecord;
use control::tail::View;
use migrations::{
    Failure,
    entity::projection_offset::{Model, Progress},
};
use schemas::{FactTopic, Topic};
use sea_orm::{DatabaseTransaction, DbErr};
use std::future::Future;

/// The topic that a group reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A request log: every offset holds a record, for ever.
    Log(Topic),
    /// Facts: compaction and transactions leave gaps.
    Facts(FactTopic),
}

impl Source {
    /// Name on the broker.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        match self {
            Self::Log(topic) => topic.name(prefix),
            Self::Facts(topic) => topic.name(prefix),
        }
    }

    /// Name of the topic that takes its dead letters.
    #[must_use]
    pub fn dead_letters(self, prefix: &str) -> String {
        match self {
            Self::Log(topic) => topic.dead_letters(prefix),
            Self::Facts(topic) => topic.dead_letters(prefix),
        }
    }

    /// Name without the deployment's prefix.
    #[must_use]
    pub const fn base_name(self) -> &'static str {
        match self {
            Self::Log(topic) => topic.base_name(),
            Self::Facts(topic) => topic.base_name(),
        }
    }

    /// Partitions.
    #[must_use]
    pub const fn partitions(self) -> i32 {
        match self {
            Self::Log(topic) => topic.partitions(),
            Self::Facts(topic) => topic.partitions(),
        }
    }

    /// Whether offsets may be missing.
    #[must_use]
    pub const fn has_gaps(self) -> bool {
        matches!(self, Self::Facts(_))
    }
}

/// One partition's working state, from one opening to the next. There are two kinds: a fold that is projected
/// (`Folding`), and what the external platform is to be told (`dispatch::Dispatches`).
pub trait Work: Send + Sync + Sized + 'static {
    /// The consumer group, which is also the owner of the tables.
    const GROUP: &'static str;
    /// What it reads.
    const SOURCE: Source;
    /// What a batch changes in the tables.
    type Change: Send + Sync;

    /// Checks a claimed place against the log, and begins there.
    fn open(config: &Config, place: &Model) -> impl Future<Output = Result<Self, NotOpened>> + Send;

    /// Takes a batch in and adds what it changes; returns what it must stop at before the batch's end, if it must.
    fn take(
        &mut self,
        desk: &Desk,
        batch: &[RawRecord],
        changes: &mut Vec<Self::Change>,
    ) -> impl Future<Output = Result<Option<Stop>, Finished>> + Send;

    /// Where it stands, as MySQL is to keep it.
    fn progress(&self) -> Progress;

    /// Writes the changes of a batch, sorted by primary key.
    fn write(
        transaction: &DatabaseTransaction,
        changes: &[Self::Change],
    ) -> impl Future<Output = Result<(), DbErr>> + Send;

    /// Drops what only the last batch needed.
    fn settle(&mut self);

    /// The offset from which on it has seen all that stood in the log when it was opened.
    fn caught_up_at(&self) -> u64 {
        0
    }
}

/// Why a record cannot be judged that the brokers did not stamp: the topic is set up wrongly, the record may be sound.
pub const NO_TIME: &str = "a record without an append time";

/// Why a partition does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// In words.
    pub reason: String,
    /// Offset of the record that nobody can judge, where that is why. Only such a one may be passed over: what stops a
    /// partition otherwise is no fault of the record, and whoever answered it has counted it.
    pub unjudgeable: Option<u64>,
}

impl Stop {
    /// At a record that this binary cannot judge.
    #[must_use]
    pub fn unjudgeable(offset: u64, reason: &dyn std::fmt::Display) -> Self {
        Self { reason: format!("at offset {offset}: {reason}"), unjudgeable: Some(offset) }
    }

    /// At anything else.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), unjudgeable: None }
    }
}

/// What work has at hand beside its own state.
pub struct Desk {
    /// For loads; writing is the transaction's.
    pub pool: WriterPool,
    /// Whose dead letters these are.
    pub partition: i32,
    pub(super) dead_letters: DeadLetters,
    pub(super) view: View,
}

impl Desk {
    /// Whether an operator decided that a record of the work's topic is passed over.
    #[must_use]
    pub fn is_skipped<W: Work>(&self, offset: u64) -> bool {
        let wanted = self.view.state();
        wanted.is_some_and(|wanted| wanted.is_skipped(W::SOURCE.base_name(), self.partition, offset))
    }

    /// Keeps a dead letter. Without the brokers' word the record must not be passed.
    ///
    /// # Errors
    /// An outage.
    pub async fn bury(&self, raw: &RawRecord, reason: &str) -> Result<(), Finished> {
        let kept = self.dead_letters.keep(self.partition, raw.offset, raw.payload.as_deref(), reason).await;
        kept.map_err(|error| Finished::Outage(format!("a dead letter was not taken: {error}")))
    }
}

/// What a load that failed comes to.
#[must_use]
pub fn unloaded(error: &DbErr) -> Finished {
    match Failure::of(error) {
        Failure::Retry | Failure::Outage => Finished::Outage(error.to_string()),
        Failure::Contradiction => Finished::Fatal(error.to_string()),
    }
}

//! A hold: who keeps what from flowing, how, why and until when.

use crate::Scope;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Who holds. Two of them never undo each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// A person.
    Operator,
    /// A change of the database.
    Cutover,
    /// A roll-out.
    Deploy,
}

impl Holder {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Cutover, Self::Deploy];

    /// As on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Cutover => "cutover",
            Self::Deploy => "deploy",
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no holder's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no holder: operator, cutover or deploy")]
pub struct NotAHolder(String);

impl FromStr for Holder {
    type Err = NotAHolder;

    fn from_str(text: &str) -> Result<Self, NotAHolder> {
        let found = Self::ALL.into_iter().find(|holder| holder.name() == text);
        found.ok_or_else(|| NotAHolder(text.to_owned()))
    }
}

/// What a hold does to what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The open batch is finished and committed.
    #[default]
    Drain,
    /// At once: the open batch is rolled back.
    Hold,
    /// As `drain`; then the writer pool is closed, so that the server can be taken away.
    Release,
}

/// What becomes of a hold whose time has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// It is gone.
    Resume,
    /// It is gone if the database takes writes then; else it stays and alarms.
    #[default]
    ResumeIfDatabaseHealthy,
    /// It stays and alarms.
    StayAndAlert,
}

/// See the module. As on the wire; holder and scope stand in the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// How.
    pub mode: Mode,
    /// Why, for people.
    pub reason: String,
    /// Who asked, for people.
    pub actor: String,
    /// The operation that placed it.
    pub operation: uuid::Uuid,
    /// When, by the brokers' clock.
    pub created_at_ms: i64,
    /// When its time has passed, by the brokers' clock; never, where there is none.
    #[serde(default)]
    pub expires_at_ms: Option<i64>,
    /// What becomes of it then.
    #[serde(default)]
    pub on_expiry: OnExpiry,
}

/// What of a hold, under which holder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Who holds.
    pub holder: Holder,
    /// What.
    pub scope: Scope,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.holder, self.scope)
    }
}

//! What stands in `control`: a key that says what it is about, and a JSON value; no value takes it back.
//!
//! JSON, not Avro: a pause must work when the schema registry, or a schema, is what is broken (decision 0015).
//! Unknown fields are ignored, unknown kinds of keys are passed over and named in the instance's report.

use crate::{
    Database, Scope,
    hold::{Hold, OnExpiry, Place},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, str::FromStr};

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A hold.
    Hold(Place),
    /// Another end of a hold than it was placed with.
    Term(Place),
    /// A hold's time has passed, and it is gone.
    Expired(Place),
    /// A hold's time has passed, and it stays.
    Stayed(Place),
    /// Settings of a group, or of a pool.
    Tuning(Target),
    /// How fast a scope comes back after its last resume.
    Ramp(Scope),
    /// One offset that every fold passes over.
    Skip(Spot),
    /// Which server is the one that counts.
    Database,
}

/// Whose settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "name")]
pub enum Target {
    /// Every group.
    All,
    /// A group.
    Group(String),
    /// A pool: `writer` or `reader`.
    Pool(String),
}

/// One record of a request log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spot {
    /// Topic, without the deployment's prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: u64,
}

/// Another end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The hold it is about: the offset where that was placed.
    pub epoch: u64,
    /// When its time has passed now.
    pub expires_at_ms: Option<i64>,
    /// What becomes of it then.
    pub on_expiry: OnExpiry,
    /// Who asked.
    pub actor: String,
}

/// An instance saw a hold's time pass. It counts only as long as the hold is the same and ends at the same time, so it
/// does no harm where it comes twice, late, or beside an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The hold it is about.
    pub epoch: u64,
    /// The end that was seen to pass.
    pub expires_at_ms: i64,
    /// Which instance saw it.
    pub instance: String,
    /// Why it stays, where it does.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Settings; what is left out is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// Records in one transaction, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_records: Option<usize>,
    /// How long a transaction waits for more records, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_wait_ms: Option<u64>,
    /// Connections, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Connections that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// Wait for a connection, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquire_timeout_ms: Option<u64>,
    /// Also for instances that start later.
    #[serde(default)]
    pub durable: bool,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// How many connections a pool has, and how long it lets wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PoolSettings {
    /// Connections, at most.
    pub max: u32,
    /// Connections that are kept.
    pub min: u32,
    /// Wait for one, in ms.
    pub acquire_timeout_ms: u64,
}

impl Tuning {
    /// A pool's settings: these, and as configured what they leave out; never more kept than there may be.
    #[must_use]
    pub fn of_pool(&self, configured: PoolSettings) -> PoolSettings {
        let max = self.max.unwrap_or(configured.max);
        PoolSettings {
            max,
            min: self.min.unwrap_or(configured.min).min(max),
            acquire_timeout_ms: self.acquire_timeout_ms.unwrap_or(configured.acquire_timeout_ms),
        }
    }
}

/// How fast what was paused comes back: shares of the time in which a partition may work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ramp {
    /// At first, in percent.
    pub start_percent: u32,
    /// More with every step, in percent.
    pub step_percent: u32,
    /// Between two steps, in ms.
    pub every_ms: u64,
    /// When it began, by the clock of the process that took the request.
    pub began_at_ms: i64,
}

impl Ramp {
    /// Its share at a time, in percent; 100 once it is over.
    #[must_use]
    pub fn percent(&self, now_ms: i64) -> u32 {
        let passed = u64::try_from(now_ms.saturating_sub(self.began_at_ms)).unwrap_or(0);
        let steps = passed / self.every_ms.max(1);
        let share = u64::from(self.start_percent) + steps.saturating_mul(u64::from(self.step_percent));
        u32::try_from(share.clamp(1, 100)).unwrap_or(100)
    }
}

/// An operator's decision to pass over one record that stops whoever meets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at_ms: i64,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the value that belongs to the key of its name")]
pub enum Value {
    Hold(Hold),
    Term(Term),
    Expired(Passed),
    Stayed(Passed),
    Tuning(Tuning),
    Ramp(Ramp),
    Skip(Skip),
    Database(Database),
}

/// A record that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer version wrote it, or somebody else.
    #[error("{0:?} is no key of this version")]
    Key(String),
    /// The value does not fit the key.
    #[error("the value of {key} is not understood: {why}")]
    Value {
        /// Whose.
        key: String,
        /// The parser's word.
        why: String,
    },
}

impl Key {
    /// What a value under this key says.
    ///
    /// # Errors
    /// A value that does not fit.
    pub fn read(&self, value: &[u8]) -> Result<Value, Unreadable> {
        match self {
            Self::Hold(_) => self.parse(value).map(Value::Hold),
            Self::Term(_) => self.parse(value).map(Value::Term),
            Self::Expired(_) => self.parse(value).map(Value::Expired),
            Self::Stayed(_) => self.parse(value).map(Value::Stayed),
            Self::Tuning(_) => self.parse(value).map(Value::Tuning),
            Self::Ramp(_) => self.parse(value).map(Value::Ramp),
            Self::Skip(_) => self.parse(value).map(Value::Skip),
            Self::Database => self.parse(value).map(Value::Database),
        }
    }

    fn parse<T: DeserializeOwned>(&self, value: &[u8]) -> Result<T, Unreadable> {
        let no =
            |error: serde_json::Error| Unreadable::Value { key: self.to_string(), why: error.to_string() };
        serde_json::from_slice(value).map_err(no)
    }
}

impl Value {
    /// As it stands in the topic.
    ///
    /// # Errors
    /// None that can happen: every value of this type is JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Hold(value) => serde_json::to_vec(value),
            Self::Term(value) => serde_json::to_vec(value),
            Self::Expired(value) | Self::Stayed(value) => serde_json::to_vec(value),
            Self::Tuning(value) => serde_json::to_vec(value),
            Self::Ramp(value) => serde_json::to_vec(value),
            Self::Skip(value) => serde_json::to_vec(value),
            Self::Database(value) => serde_json::to_vec(value),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(place) => write!(f, "hold/{place}"),
            Self::Term(place) => write!(f, "term/{place}"),
            Self::Expired(place) => write!(f, "expired/{place}"),
            Self::Stayed(place) => write!(f, "stayed/{place}"),
            Self::Tuning(Target::All) => f.write_str("tuning/all"),
            Self::Tuning(Target::Group(name)) => write!(f, "tuning/group/{name}"),
            Self::Tuning(Target::Pool(name)) => write!(f, "tuning/pool/{name}"),
            Self::Ramp(scope) => write!(f, "ramp/{scope}"),
            Self::Skip(Spot { topic, partition, offset }) => write!(f, "skip/{topic}/{partition}/{offset}"),
            Self::Database => f.write_str("database/mysql"),
        }
    }
}

impl FromStr for Key {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        parse_key(text).ok_or_else(|| Unreadable::Key(text.to_owned()))
    }
}

fn parse_key(text: &str) -> Option<Key> {
    let (kind, rest) = text.split_once('/')?;
    let place = || {
        let (holder, scope) = rest.split_once('/')?;
        Some(Place { holder: holder.parse().ok()?, scope: scope.parse().ok()? })
    };
    let key = match kind {
        "hold" => Key::Hold(place()?),
        "term" => Key::Term(place()?),
        "expired" => Key::Expired(place()?),
        "stayed" => Key::Stayed(place()?),
        "ramp" => Key::Ramp(rest.parse().ok()?),
        "tuning" => Key::Tuning(match rest.split_once('/') {
            None if rest == "all" => Target::All,
            Some(("group", name)) => Target::Group(name.to_owned()),
            Some(("pool", name)) => Target::Pool(name.to_owned()),
            _ => return None,
        }),
        "skip" => {
            let mut parts = rest.split('/');
            let spot = Spot {
                topic: parts.next()?.to_owned(),
                partition: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(Key::Skip(spot))?
        }
        "database" => Key::Database,
        _ => return None,
    };
    // One spelling for each: two records about one thing must share a key.
    (key.to_string() == text).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_spelling() {
        for text in [
            "hold/operator/all",
            "hold/cutover/partition:coupon/7",
            "term/deploy/group:order-projection",
            "expired/operator/topic:order",
            "stayed/operator/topic:order",
            "ramp/group:order-projection",
            "tuning/all",
            "tuning/group/order-projection",
            "tuning/pool/writer",
            "skip/order/0/17",
            "database/mysql",
        ] {
            assert_eq!(text.parse::<Key>().map(|key| key.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            "hold",
            "hold/nobody/all",
            "hold/operator/everything",
            "skip/order/0/017",
            "skip/order/0/1/2",
            "tuning/writer",
            "cutover/1",
            "database/redis",
        ] {
            assert_eq!(text.parse::<Key>(), Err(Unreadable::Key(text.to_owned())));
        }
    }

    #[test]
    fn a_pool_keeps_what_is_not_tuned_and_never_more_than_it_may_have() {
        let configured = PoolSettings { max: 10, min: 2, acquire_timeout_ms: 500 };
        assert_eq!(Tuning::default().of_pool(configured), configured);
        let tuned = Tuning { max: Some(1), acquire_timeout_ms: Some(7), ..Tuning::default() };
        assert_eq!(tuned.of_pool(configured), PoolSettings { max: 1, min: 1, acquire_timeout_ms: 7 });
    }

    #[test]
    fn a_ramp_grows_step_by_step_and_ends_at_all() {
        let ramp = Ramp { start_percent: 10, step_percent: 30, every_ms: 10_000, began_at_ms: 5 };
        let at = |ms: i64| ramp.percent(5 + ms);
        assert_eq!(
            [-1, 0, 9_999, 10_000, 20_000, 30_000, 40_000, i64::MAX - 5].map(at),
            [10, 10, 10, 40, 70, 100, 100, 100]
        );
    }

    #[test]
    fn fields_of_a_newer_version_do_no_harm_and_missing_ones_do() {
        let key: Key = "skip/order/0/17".parse().expect("a key");
        assert!(key.read(br#"{"actor":"a","reason":"r","at_ms":1,"mood":"good"}"#).is_ok());
        assert!(matches!(key.read(br#"{"actor":"a","reason":"r"}"#), Err(Unreadable::Value { .. })));
        assert!(matches!(key.read(b"\x00"), Err(Unreadable::Value { .. })));
    }
}

//! What a hold covers, and its one spelling on the wire: `all`, `group:NAME`, `topic:NAME`, `partition:TOPIC/NUMBER`.
//!
//! Names are those without a deployment's prefix: a hold never reaches beyond its own deployment.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// Every group.
    All,
    /// One consumer group.
    Group(String),
    /// Whoever consumes this topic.
    Topic(String),
    /// Whoever consumes this partition.
    Partition(String, i32),
}

/// A text that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope: write all, group:NAME, topic:NAME or partition:TOPIC/NUMBER")]
pub struct NotAScope(String);

impl Scope {
    /// Whether a partition that a group consumes is within.
    #[must_use]
    pub fn covers(&self, group: &str, topic: &str, partition: i32) -> bool {
        match self {
            Self::All => true,
            Self::Group(name) => name == group,
            Self::Topic(name) => name == topic,
            Self::Partition(name, number) => name == topic && *number == partition,
        }
    }

    /// Whether some partition of the topic that a group consumes is within.
    #[must_use]
    pub fn concerns(&self, group: &str, topic: &str) -> bool {
        match self {
            Self::Partition(name, _) => name == topic,
            other => other.covers(group, topic, 0),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Topic(name) => write!(f, "topic:{name}"),
            Self::Partition(topic, number) => write!(f, "partition:{topic}/{number}"),
        }
    }
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let no = || NotAScope(text.to_owned());
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, name) = text.split_once(':').ok_or_else(no)?;
        match kind {
            "group" if is_name(name) => Ok(Self::Group(name.to_owned())),
            "topic" if is_name(name) => Ok(Self::Topic(name.to_owned())),
            "partition" => {
                let (topic, number) = name.rsplit_once('/').ok_or_else(no)?;
                let plain = number.parse().ok().filter(|n: &i32| *n >= 0 && n.to_string() == number);
                if !is_name(topic) {
                    return Err(no());
                }
                Ok(Self::Partition(topic.to_owned(), plain.ok_or_else(no)?))
            }
            _ => Err(no()),
        }
    }
}

/// Characters of Kafka's own names; nothing that means something inside a key.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.len() <= crate::limits::MAX_NAME_BYTES && text.bytes().all(plain)
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = NotAScope;

    fn try_from(text: String) -> Result<Self, NotAScope> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_one_spelling() {
        for text in ["all", "group:order-projection", "topic:order", "partition:coupon/7"] {
            assert_eq!(text.parse::<Scope>().map(|scope| scope.to_string()).as_deref(), Ok(text));
        }
        for text in [
            "",
            "All",
            "group:",
            "group:a b",
            "group:a/b",
            "partition:order",
            "partition:order/-1",
            "partition:order/01",
            "partition:/1",
            "order",
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_scope_covers_what_it_names_and_nothing_else() {
        let covered = |text: &str| {
            let scope: Scope = text.parse().expect("a scope");
            [("a", "x", 0), ("a", "x", 1), ("a", "y", 1), ("b", "x", 1)]
                .map(|(g, t, p)| scope.covers(g, t, p))
        };
        assert_eq!(covered("all"), [true; 4]);
        assert_eq!(covered("group:a"), [true, true, true, false]);
        assert_eq!(covered("topic:x"), [true, true, false, true]);
        assert_eq!(covered("partition:x/1"), [false, true, false, true]);
        let scope: Scope = "partition:x/1".parse().expect("a scope");
        assert!(scope.concerns("a", "x") && !scope.concerns("a", "y"));
    }
}

//! What of the log a command is about, and for whom: the arguments that several commands share.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::time::Duration;

/// Groups, topics, partitions, or everything.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Scopes {
    /// A consumer group; may be repeated.
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Whoever consumes this topic; may be repeated.
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Whoever consumes this partition; may be repeated.
    #[arg(long, value_name = "TOPIC/NUMBER", value_parser = partition)]
    partition: Vec<Partition>,
    /// Every group.
    #[arg(long, conflicts_with_all = ["group", "topic", "partition"])]
    all: bool,
}

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partition(String, i32);

impl Scopes {
    /// For a request; nothing where nothing was named.
    pub(super) fn to_json(&self) -> Option<Value> {
        if self.all {
            return Some(json!({"all": true}));
        }
        let partitions: Vec<Value> = self
            .partition
            .iter()
            .map(|Partition(topic, partition)| json!({"topic": topic, "partition": partition}))
            .collect();
        let is_empty = self.group.is_empty() && self.topic.is_empty() && partitions.is_empty();
        (!is_empty).then(|| json!({"groups": self.group, "topics": self.topic, "partitions": partitions}))
    }
}

/// Who holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Holder {
    /// A person.
    #[default]
    Operator,
    /// A change of the database.
    Cutover,
    /// A roll-out.
    Deploy,
}

impl Holder {
    /// As on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Cutover => "cutover",
            Self::Deploy => "deploy",
        }
    }
}

/// What becomes of a hold whose time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnExpiry {
    /// It is gone.
    Resume,
    /// It is gone if the database takes writes then; else it stays and alarms.
    ResumeIfDatabaseHealthy,
    /// It stays and alarms.
    StayAndAlert,
}

impl OnExpiry {
    /// As on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::ResumeIfDatabaseHealthy => "resume_if_database_healthy",
            Self::StayAndAlert => "stay_and_alert",
        }
    }
}

/// How long to wait for the instances' word.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Patience {
    /// Return as soon as it is recorded; `tidemark operations ID` says how far it is.
    #[arg(long)]
    pub(super) no_wait: bool,
    /// How long to wait for everybody's confirmation; the operation goes on afterwards.
    #[arg(long, default_value = "60s", value_parser = duration, conflicts_with = "no_wait")]
    pub(super) timeout: Duration,
}

fn partition(text: &str) -> Result<Partition, String> {
    let (topic, number) = text.rsplit_once('/').ok_or("write TOPIC/NUMBER, as in coupon/7")?;
    let number = number.parse::<i32>().ok().filter(|number| *number >= 0);
    let number = number.ok_or("a partition's number is 0 or more, as in coupon/7")?;
    if topic.is_empty() {
        return Err("write TOPIC/NUMBER, as in coupon/7".into());
    }
    Ok(Partition(topic.to_owned(), number))
}

/// A duration as people write it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as in 45m or 1h30m"))
}

/// Whether the processes can read it; they get it as it was written.
pub(super) fn written(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_sent_as_it_was_named() {
        assert_eq!(Scopes::default().to_json(), None);
        let all = Scopes { all: true, ..Scopes::default() };
        assert_eq!(all.to_json(), Some(json!({"all": true})));
        let some = Scopes {
            group: vec!["a".into()],
            partition: vec![partition("x/7").unwrap()],
            ..Scopes::default()
        };
        let sent = json!({"groups": ["a"], "topics": [], "partitions": [{"topic": "x", "partition": 7}]});
        assert_eq!(some.to_json(), Some(sent));
    }

    #[test]
    fn a_partition_has_a_topic_and_a_number() {
        assert_eq!(partition("a/b/3"), Ok(Partition("a/b".into(), 3)));
        for text in ["", "a", "a/", "/1", "a/-1", "a/x"] {
            assert!(partition(text).is_err(), "{text}");
        }
    }
}

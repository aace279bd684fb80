//! Bodies of requests, and what is wrong with them.

use super::refusal::{Refusal, bad};
use crate::{Holder, Mode, OnExpiry, Scope, limits, records::Ramp};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// `{"all":true}`, `{"groups":[..]}`, `{"topics":[..]}`, `{"partitions":[{"topic","partition"}]}`, or several of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    partitions: Vec<Partition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Partition {
    topic: String,
    partition: i32,
}

/// `POST /admin/consumers/pause`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// What.
    pub scope: Wanted,
    /// How.
    #[serde(default)]
    pub mode: Mode,
    /// For how long, as in `45m`; until it is resumed, where left out.
    pub ttl: Option<String>,
    /// What then.
    #[serde(default)]
    pub on_expiry: OnExpiry,
    /// Why.
    pub reason: String,
    /// Who asks.
    #[serde(default = "operator")]
    pub actor: String,
    /// For which holder.
    #[serde(default = "own")]
    pub holder: Holder,
    /// Also beyond the headroom.
    #[serde(default)]
    pub force: bool,
}

/// `POST /admin/consumers/resume`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Whose hold.
    #[serde(default = "own")]
    pub holder: Holder,
    /// What; everything that the holder holds, where left out.
    pub scope: Option<Wanted>,
    /// How fast.
    pub ramp: Option<Steps>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who asks.
    #[serde(default = "operator")]
    pub actor: String,
}

/// A ramp as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    start_percent: u32,
    step_percent: u32,
    every: String,
}

/// `PATCH /admin/consumers/pause/{holder}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// From now on.
    pub ttl: String,
    /// What then; as it was, where left out.
    pub on_expiry: Option<OnExpiry>,
    /// What; everything that the holder holds, where left out.
    pub scope: Option<Wanted>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who asks.
    #[serde(default = "operator")]
    pub actor: String,
    /// Also beyond the headroom.
    #[serde(default)]
    pub force: bool,
}

const fn own() -> Holder {
    Holder::Operator
}

pub(super) fn operator() -> String {
    "operator".to_owned()
}

impl Wanted {
    /// The scopes, each known here; sorted, none twice.
    ///
    /// # Errors
    /// Names that nobody knows, or nothing at all.
    pub fn scopes(&self, topics: &BTreeMap<String, String>) -> Result<Vec<Scope>, Refusal> {
        let mut scopes = Vec::new();
        if self.all {
            scopes.push(Scope::All);
        }
        for group in &self.groups {
            if !topics.contains_key(group) {
                let known: Vec<&str> = topics.keys().map(String::as_str).collect();
                return Err(Refusal::unknown(
                    "UNKNOWN_GROUP",
                    format!("there is no group {group:?}; there are {}", known.join(", ")),
                ));
            }
            scopes.push(Scope::Group(group.clone()));
        }
        let consumed = |topic: &String| {
            if topics.values().any(|known| known == topic) {
                return Ok(());
            }
            let known: Vec<&str> = topics.values().map(String::as_str).collect();
            Err(Refusal::unknown(
                "UNKNOWN_TOPIC",
                format!("nobody consumes {topic:?}; consumed are {}", known.join(", ")),
            ))
        };
        for topic in &self.topics {
            consumed(topic)?;
            scopes.push(Scope::Topic(topic.clone()));
        }
        for Partition { topic, partition } in &self.partitions {
            consumed(topic)?;
            if *partition < 0 {
                return Err(bad(format!("{topic} has no partition {partition}")));
            }
            scopes.push(Scope::Partition(topic.clone(), *partition));
        }
        scopes.sort();
        scopes.dedup();
        match scopes.len() {
            0 => Err(bad("scope names nothing: give all, groups, topics or partitions".to_owned())),
            n if n > limits::MAX_SCOPES => Err(bad(format!("more than {} scopes", limits::MAX_SCOPES))),
            _ => Ok(scopes),
        }
    }
}

impl Steps {
    /// The ramp, beginning at a time.
    ///
    /// # Errors
    /// Steps that lead nowhere.
    pub fn ramp(&self, began_at_ms: i64) -> Result<Ramp, Refusal> {
        let every = duration("every", &self.every)?;
        if !(1..=100).contains(&self.start_percent) || !(1..=100).contains(&self.step_percent) {
            return Err(bad("start_percent and step_percent are 1 to 100".to_owned()));
        }
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        if every_ms == 0 {
            return Err(bad("every is at least 1ms".to_owned()));
        }
        Ok(Ramp { start_percent: self.start_percent, step_percent: self.step_percent, every_ms, began_at_ms })
    }
}

/// A text for people that is not too long.
///
/// # Errors
/// One that is.
pub fn text(name: &str, text: &str, required: bool) -> Result<(), Refusal> {
    if required && text.trim().is_empty() {
        return Err(bad(format!("{name} must say something: somebody will read it at 3 a.m.")));
    }
    if text.chars().count() > limits::MAX_TEXT_CHARS {
        return Err(bad(format!("{name} has more than {} characters", limits::MAX_TEXT_CHARS)));
    }
    Ok(())
}

/// A time to live, in ms.
///
/// # Errors
/// One that is no duration, or out of bounds.
pub fn ttl_ms(text: &str) -> Result<i64, Refusal> {
    let ttl = duration("ttl", text)?;
    if !(limits::MIN_TTL..=limits::MAX_TTL).contains(&ttl) {
        let (least, most) =
            (humantime::format_duration(limits::MIN_TTL), humantime::format_duration(limits::MAX_TTL));
        return Err(bad(format!("ttl is {least} to {most}, not {text}")));
    }
    i64::try_from(ttl.as_millis()).map_err(|_| bad("ttl is too long".to_owned()))
}

fn duration(name: &str, text: &str) -> Result<Duration, Refusal> {
    humantime::parse_duration(text)
        .map_err(|error| bad(format!("{name} {text:?}: {error}; write it as in 45m")))
}

//! Bodies of requests, and what is wrong with them.

use super::refusal::{Refusal, bad};
use crate::{Holder, Mode, OnExpiry, Scope, limits, records::Ramp};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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
    /// From now on; what lasts longer already stays as it is.
    pub ttl: String,
    /// Gives an end also to what has none.
    #[serde(default)]
    pub set_end: bool,
    /// Who placed it, where that is somebody else than who asks.
    pub placed_by: Option<String>,
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
    pub fn scopes(&self, groups: &BTreeMap<String, (String, i32)>) -> Result<Vec<Scope>, Refusal> {
        let mut scopes = Vec::new();
        if self.all {
            scopes.push(Scope::All);
        }
        for group in &self.groups {
            if !groups.contains_key(group) {
                let known: Vec<&str> = groups.keys().map(String::as_str).collect();
                return Err(Refusal::unknown(
                    "UNKNOWN_GROUP",
                    format!("there is no group {group:?}; there are {}", known.join(", ")),
                ));
            }
            scopes.push(Scope::Group(group.clone()));
        }
        // How many partitions it has.
        let consumed = |topic: &String| {
            let found = groups.values().find(|(known, _)| known == topic);
            found.map(|(_, partitions)| *partitions).ok_or_else(|| {
                let known: BTreeSet<&str> = groups.values().map(|(topic, _)| topic.as_str()).collect();
                let known: Vec<&str> = known.into_iter().collect();
                Refusal::unknown(
                    "UNKNOWN_TOPIC",
                    format!("nobody consumes {topic:?}; consumed are {}", known.join(", ")),
                )
            })
        };
        for topic in &self.topics {
            consumed(topic)?;
            scopes.push(Scope::Topic(topic.clone()));
        }
        for Partition { topic, partition } in &self.partitions {
            let partitions = consumed(topic)?;
            if !(0..partitions).contains(partition) {
                return Err(Refusal::unknown(
                    "UNKNOWN_PARTITION",
                    format!("{topic} has no partition {partition}; there are 0 to {}", partitions - 1),
                ));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_there_cannot_be_paused() {
        let groups = BTreeMap::from([("g".to_owned(), ("coupon".to_owned(), 8))]);
        let partition = |n: i32| json!({"partitions": [{"topic": "coupon", "partition": n}]});
        let table = [
            (json!({"all": true}), Ok("all")),
            (json!({"groups": ["g"]}), Ok("group:g")),
            (json!({"groups": ["h"]}), Err("UNKNOWN_GROUP")),
            (json!({"topics": ["coupon"]}), Ok("topic:coupon")),
            (json!({"topics": ["order"]}), Err("UNKNOWN_TOPIC")),
            (partition(0), Ok("partition:coupon/0")),
            (partition(7), Ok("partition:coupon/7")),
            (partition(8), Err("UNKNOWN_PARTITION")),
            (partition(99), Err("UNKNOWN_PARTITION")),
            (partition(-1), Err("UNKNOWN_PARTITION")),
            (partition(i32::MIN), Err("UNKNOWN_PARTITION")),
            (json!({}), Err("INVALID_REQUEST")),
        ];
        for (asked, right) in table {
            let wanted: Wanted = serde_json::from_value(asked.clone()).unwrap();
            let found = wanted.scopes(&groups).map_err(|refusal| refusal.code());
            let right = right.map(|scope| vec![scope.parse().unwrap()]);
            assert_eq!(found, right, "{asked}");
        }
    }
}

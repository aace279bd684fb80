//! Where the projections stand on two servers, and whether the one may be taken for an older state of the other.

use crate::{config::Config, limits, log};
use domain::digest::record_hash;
use migrations::entity::projection_offset::{self, Model};
use schemas::{Topic, groups};
use sea_orm::{ConnectionTrait, DbErr};
use serde::Serialize;
use std::collections::BTreeMap;

/// A partition on both servers: the next offset to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Both {
    /// The group.
    pub group: &'static str,
    /// Its topic, without prefix.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// On the server that counts; `None` where it has none, or does not answer.
    pub from: Option<u64>,
    /// On the other one.
    pub to: Option<u64>,
}

/// Rows by group and partition.
pub(super) type Places = BTreeMap<(&'static str, i32), Model>;

/// All places of this deployment.
pub(super) async fn places<C: ConnectionTrait>(config: &Config, db: &C) -> Result<Places, DbErr> {
    let mut places = Places::new();
    for (group, topic, _) in groups::ALL {
        let topic = format!("{}{topic}", config.topic_prefix);
        let rows = projection_offset::of_group(db, group).await?;
        let of_topic = rows.into_iter().filter(|row| row.topic == topic);
        places.extend(of_topic.map(|row| ((group, row.partition_id), row)));
    }
    Ok(places)
}

/// Every partition.
pub(super) fn both(from: Option<&Places>, to: &Places) -> Vec<Both> {
    let mut rows = Vec::new();
    for (group, topic, partitions) in groups::ALL {
        for partition in 0..partitions {
            let at = |places: &Places| places.get(&(group, partition)).map(|place| place.next_offset);
            rows.push(Both { group, topic, partition, from: from.and_then(at), to: at(to) });
        }
    }
    rows
}

/// Records that the one has and the other lacks.
pub(super) fn behind(rows: &[Both]) -> u64 {
    rows.iter().map(|row| row.from.unwrap_or(0).saturating_sub(row.to.unwrap_or(0))).sum()
}

/// Where both are as far and came to another result. That the other one is ahead is no contradiction: so is a server that
/// one goes back to, while the one that counts is still being filled.
pub(super) fn contradictions(from: &Places, to: &Places) -> Vec<String> {
    let mut found = Vec::new();
    for ((group, partition), place) in to {
        let counts = from.get(&(*group, *partition));
        if let Some(counts) = counts.filter(|counts| counts.next_offset == place.next_offset)
            && counts.digest != place.digest
        {
            found.push(format!(
                "{group} partition {partition} came to another result at offset {}: those rows are not of this log",
                place.next_offset
            ));
        }
    }
    found
}

/// Places that are not of this log: beyond its end, or behind another record; blocking. What is compacted is not asked
/// for the record.
pub(super) fn strangers(config: &Config, to: &Places) -> anyhow::Result<Vec<String>> {
    let reader = log::reader(config)?.patient(limits::CHUNK_PATIENCE);
    let mut found = Vec::new();
    for ((group, partition), place) in to {
        let (_, end) = reader.bounds(&place.topic, *partition)?;
        if place.next_offset > end {
            found.push(format!(
                "{group} partition {partition} is at offset {}, and this log ends at {end}: it was filled from another one",
                place.next_offset
            ));
            continue;
        }
        let is_log = Topic::ALL.iter().any(|topic| topic.name(&config.topic_prefix) == place.topic);
        let Some(last) = place.next_offset.checked_sub(1).filter(|_| is_log) else { continue };
        let is_same = reader.record(&place.topic, *partition, last).is_ok_and(|record| {
            record_hash(record.payload.as_deref()).to_be_bytes() == place.last_record_hash.0
        });
        if !is_same {
            found.push(format!(
                "{group} partition {partition} is at offset {}, and the record before it is not the one of this log: \
                 it was filled from another log, or this one cannot be read",
                place.next_offset
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrations::entity::Bytes;

    fn place(next_offset: u64, digest: u8) -> Model {
        Model {
            group_name: groups::ORDER.into(),
            topic: "t".into(),
            partition_id: 0,
            next_offset,
            epoch: 1,
            digest: Bytes([digest; 8]),
            last_record_hash: Bytes([0; 8]),
            clock_ms: 0,
            rules: 1,
            active_rules: Vec::new(),
            next_seq: 0,
            earliest_due_ms: None,
            dead_lettered: 0,
        }
    }

    fn one(next_offset: u64, digest: u8) -> Places {
        Places::from([((groups::ORDER, 0), place(next_offset, digest))])
    }

    #[test]
    fn an_older_state_is_behind_and_nothing_contradicts_it() {
        let (from, to) = (one(10, 1), one(4, 9));
        assert_eq!(behind(&both(Some(&from), &to)), 6);
        assert!(contradictions(&from, &to).is_empty());
        assert!(contradictions(&from, &Places::new()).is_empty());
        assert_eq!(behind(&both(Some(&from), &Places::new())), 10);
        assert!(contradictions(&from, &one(10, 1)).is_empty());
    }

    #[test]
    fn who_came_to_another_result_is_refused_and_who_is_ahead_is_not() {
        assert!(contradictions(&one(10, 1), &one(10, 2))[0].contains("another result"));
        assert!(contradictions(&one(10, 1), &one(11, 2)).is_empty());
        assert_eq!(behind(&both(Some(&one(10, 1)), &one(11, 2))), 0);
    }
}

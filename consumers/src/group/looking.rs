//! A look, now and then, whether MySQL still says of resting partitions what their workers believe: a database that was
//! emptied or set back is filled again without waiting for the next record.

use super::{
    Group,
    lifecycle::{Database, Event},
    tasks::Done,
    work::Work,
};
use crate::limits;
use migrations::entity::projection_offset;
use std::collections::BTreeMap;

/// What a resting partition believes that MySQL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Believed {
    generation: u64,
    place: Place,
}

/// What a partition's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    next_offset: u64,
    epoch: u64,
}

/// What a look found.
#[derive(Debug)]
pub struct Looked {
    believed: BTreeMap<i32, Believed>,
    /// `None` where MySQL did not answer: the next transaction will say so.
    found: Option<BTreeMap<i32, Place>>,
}

impl<W: Work> Group<W> {
    /// Asks MySQL in the background; one question at a time.
    pub(super) fn look(&mut self) {
        let believed = self.believed();
        if self.looking || self.lifecycle.database() == Database::Away || believed.is_empty() {
            return;
        }
        let Ok(db) = self.pool.get() else { return };
        self.looking = true;
        let topic = self.topic.clone();
        let unanswered = Looked { believed: believed.clone(), found: None };
        self.tasks.spawn(move |_| Done::Looked(unanswered), async move {
            let asked = projection_offset::of_group(&db, W::GROUP);
            let found = match tokio::time::timeout(limits::DATABASE_TIMEOUT, asked).await {
                Ok(Ok(rows)) => Some(rows),
                _ => None,
            };
            let found = found.map(|rows| {
                let of_topic = rows.into_iter().filter(|row| row.topic == topic);
                of_topic
                    .map(|row| (row.partition_id, Place { next_offset: row.next_offset, epoch: row.epoch }))
                    .collect()
            });
            Done::Looked(Looked { believed, found })
        });
    }

    /// What rested all the time and is not as it was believed to be is opened again.
    pub(super) fn looked(&mut self, Looked { believed, found }: Looked) {
        self.looking = false;
        let Some(found) = found else { return };
        let still = self.believed();
        for (partition, then) in believed {
            let at_rest = still.get(&partition) == Some(&then);
            if at_rest && found.get(&partition) != Some(&then.place) {
                tracing::warn!(
                    group = W::GROUP,
                    partition,
                    "MySQL was changed by somebody else; opening again"
                );
                self.on(partition, Event::Changed { generation: then.generation });
            }
        }
    }

    fn believed(&self) -> BTreeMap<i32, Believed> {
        let open = self.open.borrow();
        let resting = self.lifecycle.partitions().filter(|(_, state)| state.is_idle());
        let believed = resting.filter_map(|(partition, state)| {
            let open = open.get(&partition)?;
            let place = Place { next_offset: open.next_offset, epoch: open.epoch };
            Some((partition, Believed { generation: state.generation, place }))
        });
        believed.collect()
    }
}

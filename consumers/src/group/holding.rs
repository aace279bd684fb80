//! How records do not flow: a partition that stopped, an instance that holds itself while the database is away.

use super::{
    Input,
    ownership::{Group, Phase},
    work::{Stop, Work},
};
use crate::{
    limits, metric,
    pool::{WriterPool, in_time},
};
use rdkafka::{TopicPartitionList, consumer::Consumer, error::KafkaResult};
use std::collections::BTreeMap;

impl<W: Work> Group<W> {
    /// The log that answers again may hold another history, and Kafka does not say so: opening checks it.
    pub(super) fn open_all_again(&mut self) {
        self.suspicious = false;
        let following = |phase: &Phase<W>| matches!(phase, Phase::Opening | Phase::Idle(_) | Phase::Busy);
        let again = self.owned.iter().filter(|(_, owned)| following(&owned.phase));
        let again: Vec<i32> = again.map(|(partition, _)| *partition).collect();
        self.pause(&again);
        again.into_iter().for_each(|partition| self.open(partition));
    }

    /// Whoever works beside this partition is told that it is not open any more.
    pub(super) fn close(&self, partition: i32) {
        self.open.send_if_modified(|all| all.remove(&partition).is_some());
    }

    /// Shows how far MySQL is.
    pub(super) fn note(&self, partition: i32, next: u64) {
        self.open.send_if_modified(|all| match all.get_mut(&partition) {
            Some(open) => std::mem::replace(&mut open.next_offset, next) != next,
            None => false,
        });
        self.status.lock().next_offsets.insert(partition, next);
        metrics::gauge!(metric::NEXT_OFFSET, "group" => W::GROUP, "topic" => self.topic.clone(), "partition" => partition.to_string())
            .set(next as f64);
    }

    pub(super) fn stop(&mut self, partition: i32, stop: Stop) {
        let reason = &stop.reason;
        tracing::error!(group = W::GROUP, topic = %self.topic, partition, reason, "partition stopped; nothing is skipped");
        metrics::gauge!(metric::STOPPED_PARTITIONS, "group" => W::GROUP).increment(1.0);
        self.pause(&[partition]);
        self.close(partition);
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.phase = Phase::Stopped;
            owned.waiting.clear();
        }
        self.status.lock().stopped.insert(partition, stop);
    }

    /// A partition that stopped may go on.
    pub(super) fn start_again(&self, partition: i32) {
        if self.status.lock().stopped.remove(&partition).is_some() {
            metrics::gauge!(metric::STOPPED_PARTITIONS, "group" => W::GROUP).decrement(1.0);
        }
    }

    pub(super) fn pause(&self, partitions: &[i32]) {
        if let Err(error) = self.list(partitions).and_then(|list| self.consumer.pause(&list)) {
            tracing::warn!(%error, group = W::GROUP, ?partitions, "pausing failed");
        }
    }

    pub(super) fn list(&self, partitions: &[i32]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        Ok(list)
    }

    /// The database is away: this instance holds all its partitions, throws its partial states away and probes.
    pub(super) fn hold(&mut self, reason: &str) {
        if self.held {
            return;
        }
        self.held = true;
        tracing::warn!(group = W::GROUP, reason, "the database cannot be used; holding until it can");
        metrics::gauge!(metric::DATABASE_HOLD, "group" => W::GROUP).set(1.0);
        self.status.lock().held = Some(reason.to_owned());
        let mut partitions = Vec::new();
        for (partition, owned) in &mut self.owned {
            if !matches!(owned.phase, Phase::Stopped | Phase::Paused(_)) {
                // What became of its transaction is not known: it comes to rest only once it is claimed again, which waits
                // for the row that such a transaction has moved.
                owned.fenced &= !matches!(owned.phase, Phase::Busy);
                // A new generation: whatever is still on its way back belongs to a state that is gone.
                self.generations += 1;
                (owned.phase, owned.generation) = (Phase::Held, self.generations);
                owned.stop.cancel();
                owned.waiting.clear();
                partitions.push(*partition);
            }
        }
        self.pause(&partitions);
        self.open.send_modify(BTreeMap::clear);
        for partition in &partitions {
            self.settle(*partition);
        }
        let (pool, tell) = (self.pool.clone(), self.tell.clone());
        tokio::spawn(async move {
            // Also before the first probe: a server that answers and yet fails must not make this spin.
            loop {
                tokio::time::sleep(limits::PROBE_INTERVAL).await;
                if is_writable(&pool).await {
                    break;
                }
            }
            let _ = tell.send(Input::DatabaseIsBack);
        });
    }

    pub(super) fn release(&mut self) {
        self.held = false;
        self.status.lock().held = None;
        metrics::gauge!(metric::DATABASE_HOLD, "group" => W::GROUP).set(0.0);
        tracing::info!(group = W::GROUP, "the database answers again");
        let held: Vec<i32> = self
            .owned
            .iter()
            .filter(|(_, owned)| matches!(owned.phase, Phase::Held))
            .map(|(partition, _)| *partition)
            .collect();
        held.into_iter().for_each(|partition| self.open(partition));
    }
}

/// Whether the server answers and takes writes.
async fn is_writable(pool: &WriterPool) -> bool {
    // What was let go of is opened when somebody resumes; nobody asks meanwhile.
    let Ok(db) = pool.get() else { return true };
    in_time(migrations::takes_writes(&db)).await.unwrap_or(false)
}

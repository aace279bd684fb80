//! What `control` asks of a group, and what the group reports of itself.

use super::{
    Group,
    lifecycle::{Database, Hold, Partition, Phase, Wish},
    tasks::Done,
    work::Work,
};
use crate::{limits, metric};
use control::{
    Desired, Holder, State,
    acks::{Flow, GroupReport, PartitionReport},
    records::{Target, Tuning},
};
use futures_util::FutureExt;
use std::{collections::BTreeMap, time::Duration};

impl<W: Work> Group<W> {
    /// What is wanted of a partition. Before it is known what is wanted, everything rests.
    pub(super) fn wish(&self, partition: i32) -> Wish {
        let wanted = self.wanted.as_ref();
        let desired = wanted.map_or_else(Desired::unknown, |wanted| {
            wanted.desired(W::GROUP, W::SOURCE.base_name(), partition)
        });
        let is_quiet = || wanted.is_none() || self.view.is_known_quiet(W::GROUP, partition, desired.epoch);
        let hold = desired.is_paused().then(|| Hold {
            at_once: desired.at_once,
            quiet: is_quiet(),
            leaves: desired.release && desired.holders.contains(&Holder::Cutover),
        });
        Wish { hold, passes_over: self.is_passed_over(partition) }
    }

    /// Whether an operator decided to pass over the record at which a partition stopped.
    fn is_passed_over(&self, partition: i32) -> bool {
        let stopped = self.lifecycle.get(partition).and_then(Partition::stopped);
        let at = stopped.and_then(|stop| stop.unjudgeable);
        self.wanted
            .as_ref()
            .zip(at)
            .is_some_and(|(wanted, offset)| wanted.is_skipped(W::SOURCE.base_name(), partition, offset))
    }

    /// Aims at the MySQL that counts; returns whether it is another one than before.
    pub(super) fn is_moved(&mut self) -> bool {
        let Some(wanted) = &self.wanted else { return false };
        let address = wanted.database().map(|(_, database)| database.address.clone());
        let Some(closing) = self.pool.aim(address.as_ref()) else { return false };
        self.close_behind(closing.boxed());
        let address = address.map_or_else(String::new, |address| address.to_string());
        tracing::info!(group = W::GROUP, address, "another MySQL counts");
        true
    }

    /// Closes the pool where all partitions of the group are released and nothing of ours is under way.
    pub(super) fn let_go(&mut self) {
        let Some(wanted) = &self.wanted else { return };
        let released = |n| wanted.desired(W::GROUP, W::SOURCE.base_name(), n).release;
        let all = (0..W::SOURCE.partitions()).all(released);
        if !all || !self.lifecycle.partitions().all(|(_, state)| state.rests()) || self.pool.get().is_err() {
            return;
        }
        let (released, changed) = (self.pool.release(), self.changed.clone());
        self.tasks.spawn(|_| Done::Pool, async move {
            released.await;
            tracing::info!(group = W::GROUP, "the writer pool is released");
            changed.notify_one();
            Done::Pool
        });
    }

    /// A setting of the group, or else of all groups.
    fn tuned<T>(&self, which: impl Fn(&Tuning) -> Option<T>) -> Option<T> {
        let wanted = self.wanted.as_ref()?;
        let of = |target| wanted.tuning(&target).and_then(|(_, tuning)| which(tuning));
        of(Target::Group(W::GROUP.to_owned())).or_else(|| of(Target::All))
    }

    /// Records in one transaction, at most.
    pub(super) fn batch_records(&self) -> usize {
        let tuned = self.tuned(|tuning| tuning.batch_records);
        tuned.unwrap_or(self.config.batch_records).clamp(1, limits::MAX_BATCH_RECORDS)
    }

    /// How long a transaction waits for more records.
    pub(super) fn batch_wait(&self) -> Duration {
        Duration::from_millis(self.tuned(|tuning| tuning.batch_wait_ms).unwrap_or(0))
    }

    /// In how much of its time a partition may work, in percent, by the brokers' time.
    pub(super) fn percent(wanted: Option<&State>, partition: i32, now_ms: i64) -> u32 {
        wanted.map_or(100, |wanted| wanted.percent(W::GROUP, W::SOURCE.base_name(), partition, now_ms))
    }

    pub(super) fn tune(&mut self) {
        let target = Target::Pool("writer".to_owned());
        let tuning = self.wanted.as_ref().and_then(|wanted| wanted.tuning(&target));
        let tuning = tuning.map(|(_, tuning)| tuning.clone()).unwrap_or_default();
        let pool = self.pool.clone();
        self.tasks.spawn(|_| Done::Pool, async move {
            if let Err(error) = pool.tune(&tuning).await {
                tracing::warn!(%error, "the writer pool keeps its settings");
            }
            Done::Pool
        });
    }

    /// Puts down what everybody is told: `/health`, `/ready`, `control.acks` and the metrics.
    pub(super) fn tell_report(&self) {
        let partitions: BTreeMap<i32, PartitionReport> =
            self.lifecycle.partitions().map(|(partition, state)| (partition, report_of(state))).collect();
        let refused = || {
            let mut refused = self.lifecycle.partitions();
            refused.find_map(|(partition, state)| Some((partition, state.refused()?)))
        };
        let held = match (self.lifecycle.database(), refused()) {
            (Database::Away, reason) => Some(
                reason.map_or("the database takes no writes".to_owned(), |(_, reason)| reason.to_owned()),
            ),
            (Database::Usable, Some((partition, reason))) => Some(format!("partition {partition}: {reason}")),
            (Database::Usable, None) => None,
        };
        let stopped: BTreeMap<_, _> = self
            .lifecycle
            .partitions()
            .filter_map(|(partition, state)| Some((partition, state.stopped()?.clone())))
            .collect();
        let waiting = self.lifecycle.partitions().filter(|(_, state)| state.refused().is_some()).count();
        metrics::gauge!(metric::STOPPED_PARTITIONS, "group" => W::GROUP).set(stopped.len() as f64);
        metrics::gauge!(metric::HELD_PARTITIONS, "group" => W::GROUP).set(waiting as f64);
        let report = GroupReport {
            topic: W::SOURCE.base_name().to_owned(),
            applied: self.wanted.as_ref().map_or(0, |wanted| wanted.next()),
            partitions,
            held: held.clone(),
            batch_records: self.batch_records(),
            ..GroupReport::default()
        };
        let next_offsets = self.lifecycle.partitions();
        let next_offsets = next_offsets.filter_map(|(at, state)| Some((at, state.next_offset?))).collect();
        let mut status = self.status.lock();
        let is_news = status.report.is_news(&report);
        (status.next_offsets, status.stopped, status.held, status.report) =
            (next_offsets, stopped, held, report);
        drop(status);
        if is_news {
            self.changed.notify_one();
        }
    }
}

fn report_of(state: &Partition) -> PartitionReport {
    let stop = state.stopped();
    PartitionReport {
        state: flow(state),
        committed: state.next_offset,
        reason: stop.map(|stop| stop.reason.clone()),
        unjudgeable: stop.and_then(|stop| stop.unjudgeable),
    }
}

/// What happens to it, for reports. A transaction under way is told only where somebody waits for its end.
fn flow(state: &Partition) -> Flow {
    match state.phase {
        Phase::Busy if state.wish.is_paused() => Flow::Busy,
        Phase::Opening if state.wish.is_paused() => Flow::Opening,
        // Until it flows, also while it is tried again.
        _ if state.stopped().is_some() => Flow::Stopped,
        Phase::Opening => Flow::Opening,
        Phase::Idle | Phase::Busy => Flow::Running,
        Phase::Waiting => Flow::Held,
        Phase::Paused => Flow::Paused,
    }
}

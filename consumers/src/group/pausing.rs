//! How a group obeys `control`: what somebody holds comes to rest and stays so, what nobody holds any more is opened,
//! which reads MySQL's word again.

use super::{
    ownership::{Group, Phase},
    work::Work,
};
use crate::limits;
use control::{
    Desired, Holder, State,
    acks::{Flow, GroupReport, PartitionReport},
    office::now_ms,
    records::{Target, Tuning},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

impl<W: Work> Group<W> {
    /// What is wanted of a partition. Before it is known what is wanted, everything rests.
    pub(super) fn desired(&self, partition: i32) -> Desired {
        match &self.wanted {
            Some(wanted) => wanted.desired(W::GROUP, W::SOURCE.base_name(), partition),
            None => Desired::unknown(),
        }
    }

    /// Another state of `control`.
    pub(super) fn obey(&mut self, wanted: Option<Arc<State>>) {
        self.wanted = wanted;
        self.move_house();
        let partitions: Vec<i32> = self.owned.keys().copied().collect();
        let (mut halted, mut again) = (Vec::new(), Vec::new());
        for partition in partitions {
            let desired = self.desired(partition);
            let quiet = self.is_known_quiet(partition, &desired);
            let passed_over = self.is_skipped_at(partition);
            let Some(owned) = self.owned.get_mut(&partition) else { continue };
            let (was, is) = (owned.desired.is_paused(), desired.is_paused());
            owned.desired = desired;
            if is && !was {
                halted.push(partition);
                owned.waiting.clear();
                owned.rest.cancel();
            }
            if owned.desired.at_once {
                owned.stop.cancel();
            }
            match owned.phase {
                // Paused before anybody knew whether a former owner is fenced.
                Phase::Paused(_) if is && !owned.fenced && !quiet => again.push(partition),
                Phase::Paused(_) if !is => again.push(partition),
                Phase::Stopped if !is && passed_over => again.push(partition),
                _ => {}
            }
            self.settle(partition);
        }
        if !halted.is_empty() {
            tracing::info!(group = W::GROUP, partitions = ?halted, "pausing");
            // Once: each call throws away what was fetched ahead.
            self.pause(&halted);
        }
        if !again.is_empty() {
            tracing::info!(group = W::GROUP, partitions = ?again, "resuming, or fencing who had them");
        }
        for partition in again {
            self.start_again(partition);
            if self.held {
                self.set_phase(partition, Phase::Held);
            } else {
                self.open(partition);
            }
        }
        self.tune();
        self.let_go();
        self.tell_report();
    }

    /// Where another server counts, nothing of what is known of the former one does. Whoever rests aims at it and no more;
    /// whoever heard neither of the pause nor of its end, because it was frozen, begins anew. Former owners of a partition
    /// rested when the server was named, and have never written there: what is fenced stays so.
    fn move_house(&mut self) {
        let Some(wanted) = &self.wanted else { return };
        let address = wanted.database().map(|(_, database)| database.address.clone());
        if !self.pool.aim(address.as_ref()) {
            return;
        }
        tracing::info!(group = W::GROUP, address = %address.map_or_else(String::new, |a| a.to_string()), "another MySQL counts");
        let mut again = Vec::new();
        for (partition, owned) in &mut self.owned {
            match owned.phase {
                Phase::Paused(_) => owned.phase = Phase::Paused(None),
                // What stopped it may have been a row of the former server.
                Phase::Stopped if owned.desired.is_paused() => owned.phase = Phase::Paused(None),
                Phase::Held => {}
                // It is opened once the probe has found the other server.
                _ if self.held => owned.phase = Phase::Held,
                Phase::Opening | Phase::Idle(_) | Phase::Busy | Phase::Stopped => again.push(*partition),
            }
            owned.stop.cancel();
        }
        let rested = self.owned.iter().filter(|(_, owned)| matches!(owned.phase, Phase::Paused(_)));
        rested.for_each(|(partition, _)| self.start_again(*partition));
        self.pause(&again);
        for partition in again {
            self.start_again(partition);
            self.open(partition);
        }
    }

    /// Brings a partition to rest that somebody holds and nothing is under way of: not here, nor at a former owner, who may
    /// be frozen within a transaction. Where that is not known, it stays held until it is claimed.
    pub(super) fn settle(&mut self, partition: i32) {
        let Some(owned) = self.owned.get(&partition) else { return };
        // Who leaves a server that is away does not ask it to fence anybody: nothing that is written there counts once
        // another one does, and where none is named, resuming claims.
        let leaves = self.held && owned.desired.release && owned.desired.holders.contains(&Holder::Cutover);
        let quiet = owned.fenced || leaves || self.is_known_quiet(partition, &owned.desired);
        let Some(owned) = self.owned.get_mut(&partition) else { return };
        if owned.desired.is_paused() && quiet && matches!(owned.phase, Phase::Idle(_) | Phase::Held) {
            owned.phase = match std::mem::replace(&mut owned.phase, Phase::Held) {
                Phase::Idle(worker) => Phase::Paused(Some(worker)),
                _ => Phase::Paused(None),
            };
            owned.waiting.clear();
            self.close(partition);
        }
    }

    fn set_phase(&mut self, partition: i32, phase: Phase<W>) {
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.phase = phase;
        }
    }

    /// Whether it is known that a former owner of a paused partition writes nothing any more.
    pub(super) fn is_known_quiet(&self, partition: i32, desired: &Desired) -> bool {
        desired.is_paused()
            && (self.wanted.is_none() || self.view.is_known_quiet(W::GROUP, partition, desired.epoch))
    }

    /// Whether an operator decided to pass over the record at which a partition stopped.
    fn is_skipped_at(&self, partition: i32) -> bool {
        let at = self.status.lock().stopped.get(&partition).and_then(|stop| stop.unjudgeable);
        let wanted = self.wanted.as_ref();
        wanted
            .zip(at)
            .is_some_and(|(wanted, offset)| wanted.is_skipped(W::SOURCE.base_name(), partition, offset))
    }

    /// Closes the pool where all partitions of the group are released and nothing of ours is under way.
    pub(super) fn let_go(&mut self) {
        let Some(wanted) = &self.wanted else { return };
        let released = |n| wanted.desired(W::GROUP, W::SOURCE.base_name(), n).release;
        let resting = |phase: &Phase<W>| matches!(phase, Phase::Paused(_) | Phase::Stopped);
        let all = (0..W::SOURCE.partitions()).all(released);
        if !all || !self.owned.values().all(|owned| resting(&owned.phase)) || self.pool.get().is_err() {
            return;
        }
        let (released, changed) = (self.pool.release(), self.changed.clone());
        tokio::spawn(async move {
            released.await;
            tracing::info!(group = W::GROUP, "the writer pool is released");
            changed.notify_one();
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

    /// In how much of its time a partition may work, in percent.
    pub(super) fn percent(wanted: Option<&State>, partition: i32) -> u32 {
        wanted.map_or(100, |wanted| wanted.percent(W::GROUP, W::SOURCE.base_name(), partition, now_ms()))
    }

    fn tune(&self) {
        let target = Target::Pool("writer".to_owned());
        let tuning = self.wanted.as_ref().and_then(|wanted| wanted.tuning(&target));
        let tuning = tuning.map(|(_, tuning)| tuning.clone()).unwrap_or_default();
        let pool = self.pool.clone();
        tokio::spawn(async move {
            if let Err(error) = pool.tune(&tuning).await {
                tracing::warn!(%error, "the writer pool keeps its settings");
            }
        });
    }

    /// Puts down what `control.acks` is to say.
    pub(super) fn tell_report(&self) {
        let mut status = self.status.lock();
        let at = |(partition, owned): (&i32, &super::ownership::Owned<W>)| {
            let state = owned.flow();
            let committed = status.next_offsets.get(partition).copied();
            let stop = status.stopped.get(partition).cloned();
            let (reason, unjudgeable) =
                stop.map_or((None, None), |stop| (Some(stop.reason), stop.unjudgeable));
            (*partition, PartitionReport { state, committed, reason, unjudgeable })
        };
        let partitions: BTreeMap<i32, PartitionReport> = self.owned.iter().map(at).collect();
        let report = GroupReport {
            topic: W::SOURCE.base_name().to_owned(),
            applied: self.wanted.as_ref().map_or(0, |wanted| wanted.next()),
            partitions,
            held: status.held.clone(),
            batch_records: self.batch_records(),
            ..GroupReport::default()
        };
        let is_news = status.report.is_news(&report);
        status.report = report;
        drop(status);
        if is_news {
            self.changed.notify_one();
        }
    }
}

impl<W: Work> super::ownership::Owned<W> {
    /// What happens to it, for reports. A transaction under way is told only where somebody waits for its end.
    fn flow(&self) -> Flow {
        match self.phase {
            Phase::Opening => Flow::Opening,
            Phase::Busy if self.desired.is_paused() => Flow::Busy,
            Phase::Idle(_) | Phase::Busy => Flow::Running,
            Phase::Held => Flow::Held,
            Phase::Paused(_) => Flow::Paused,
            Phase::Stopped => Flow::Stopped,
        }
    }
}

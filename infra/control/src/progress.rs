//! How far an operation is: what it wants, against who is listed and what they said. Pure.

use crate::{
    Scope, State,
    acks::{GroupReport, Reports},
    audit::{Kind, Operation},
    hold::Place,
    members::Members,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How long instances may take before an operation is called partial, in ms.
pub const PATIENCE_MS: i64 = 2_000;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Standing {
    /// Not everybody has confirmed yet.
    Pausing,
    /// Everybody who could write has confirmed that nothing is under way.
    Paused,
    /// Somebody has not confirmed within [`PATIENCE_MS`].
    Partial,
    /// Not everything flows yet.
    Resuming,
    /// Everything flows that nobody else holds.
    Running,
    /// The hold's time has passed.
    Expired,
    /// A later operation took its place.
    Replaced,
    /// Not everybody obeys it yet.
    Applying,
    /// Not everybody uses the other server yet.
    Switching,
    /// Everybody who is heard of obeys it.
    Done,
}

/// What an instance has to do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Its name.
    pub id: String,
    /// Group of these partitions.
    pub group: String,
    /// Its partitions within the scope.
    pub partitions: BTreeSet<i32>,
    /// Transactions, relays and dispatches under way.
    pub in_flight: u32,
    /// The offset that the database waits for, per partition.
    pub committed: BTreeMap<i32, u64>,
    /// Connections of the group's writer pool.
    pub database_sessions: u32,
    /// Whether it has done what was asked.
    pub confirmed: bool,
}

impl Instance {
    /// One that has no partitions.
    pub(crate) fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            group: String::new(),
            partitions: BTreeSet::new(),
            in_flight: 0,
            committed: BTreeMap::new(),
            database_sessions: 0,
            confirmed: false,
        }
    }
}

/// An operation's progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Where it stands.
    pub state: Standing,
    /// How many have confirmed.
    pub confirmed: usize,
    /// Who has not, and why.
    pub missing: BTreeMap<String, String>,
    /// Holders that keep some of it paused besides.
    pub held_by: BTreeSet<String>,
    /// Everybody concerned.
    pub instances: Vec<Instance>,
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// What is wanted.
    pub state: &'a State,
    /// What instances say.
    pub reports: &'a Reports,
    /// Who is listed, by group.
    pub members: &'a BTreeMap<String, Members>,
    /// Topic of each group.
    pub topics: &'a BTreeMap<String, String>,
    /// By the brokers' clock.
    pub now_ms: i64,
}

/// What of a hold is in force.
enum Held {
    Live { release: bool },
    Expired,
    Replaced,
    TakenBack,
}

impl Evidence<'_> {
    /// How far an operation is.
    #[must_use]
    pub fn progress(&self, operation: &Operation) -> Progress {
        match operation.kind {
            Kind::Pause => match self.held(operation) {
                Held::Live { release } => self.pausing(operation, release),
                Held::Expired => Progress::of(Standing::Expired),
                Held::Replaced => Progress::of(Standing::Replaced),
                Held::TakenBack => self.resuming(operation),
            },
            Kind::Resume | Kind::Expire => self.resuming(operation),
            Kind::Extend | Kind::Tune | Kind::Skip => self.applying(operation),
            Kind::Cutover => self.switching(operation),
        }
    }

    fn held(&self, operation: &Operation) -> Held {
        let Some(holder) = operation.holder else { return Held::TakenBack };
        let (mut release, mut live) = (false, 0);
        for scope in &operation.scopes {
            let place = Place { holder, scope: scope.clone() };
            match self.state.live_at(&place) {
                Some(hold) if hold.operation == operation.id => {
                    live += 1;
                    release |= hold.mode == crate::Mode::Release;
                }
                Some(_) => return Held::Replaced,
                None if self.state.taken_back(&place).is_some_and(|offset| offset > operation.epoch) => {
                    return Held::TakenBack;
                }
                None => return Held::Expired,
            }
        }
        if live == 0 { Held::TakenBack } else { Held::Live { release } }
    }

    fn pausing(&self, operation: &Operation, release: bool) -> Progress {
        let mut progress = Progress::of(Standing::Paused);
        self.each(operation, &mut progress, |report, instance| {
            let resting = |n| report.partitions.get(n).is_some_and(|at| at.state.is_quiet());
            if report.applied <= operation.epoch {
                Some("it has not heard of it yet".to_owned())
            } else if let Some(busy) = instance.partitions.iter().find(|partition| !resting(partition)) {
                Some(format!("partition {busy} does not rest yet"))
            } else if instance.in_flight > 0 {
                Some(format!("{} transactions or calls are under way", instance.in_flight))
            } else if release && instance.database_sessions > 0 {
                Some(format!("{} database sessions are open", instance.database_sessions))
            } else {
                None
            }
        });
        self.orphans(operation, &mut progress);
        if !progress.missing.is_empty() {
            let late = self.now_ms - operation.at_ms > PATIENCE_MS;
            progress.state = if late { Standing::Partial } else { Standing::Pausing };
        }
        progress
    }

    /// Partitions that no listed member has, and of which whoever had them last never said that they rest: frozen, he may
    /// wake and write, as long as nobody has claimed them.
    fn orphans(&self, operation: &Operation, progress: &mut Progress) {
        for (group, topic) in self.topics {
            let Some(members) = self.members.get(group) else { continue };
            let listed = |n: &i32| members.members.iter().any(|member| member.partitions.contains(n));
            for report in self.reports.iter() {
                let Some(own) = report.groups.get(group) else { continue };
                let within = |n: &i32| operation.scopes.iter().any(|scope| scope.covers(group, topic, *n));
                let rests = |at: &crate::acks::Flow| own.applied > operation.epoch && at.is_quiet();
                let orphan =
                    own.partitions.iter().find(|(n, at)| within(n) && !listed(n) && !rests(&at.state));
                if let Some((orphan, _)) = orphan {
                    let why = format!(
                        "it is not listed any more, and never said that partition {orphan} rests; start a process, which fences it"
                    );
                    progress.missing.entry(format!("{}/{group}", report.instance)).or_insert(why);
                }
            }
        }
    }

    fn resuming(&self, operation: &Operation) -> Progress {
        let mut progress = Progress::of(Standing::Running);
        let mut held_by = BTreeSet::new();
        for scope in &operation.scopes {
            for live in self.state.live() {
                if self.overlaps(&live.place.scope, scope) {
                    held_by.insert(live.place.holder.to_string());
                }
            }
        }
        self.each(operation, &mut progress, |report, instance| {
            let stuck = instance.partitions.iter().find(|partition| {
                let held = self.state.desired(&instance.group, &report.topic, **partition).is_paused();
                let at = report.partitions.get(partition);
                !held && at.is_none_or(|at| !at.state.flows())
            });
            if report.applied <= operation.epoch {
                Some("it has not heard of it yet".to_owned())
            } else {
                stuck.map(|partition| format!("partition {partition} does not flow yet"))
            }
        });
        if !progress.missing.is_empty() {
            let late = self.now_ms - operation.at_ms > PATIENCE_MS;
            progress.state = if late { Standing::Partial } else { Standing::Resuming };
        } else if !held_by.is_empty() {
            progress.state = Standing::Paused;
        }
        progress.held_by = held_by;
        progress
    }

    fn overlaps(&self, one: &Scope, other: &Scope) -> bool {
        self.topics.iter().any(|(group, topic)| {
            (0..64).any(|n| one.covers(group, topic, n) && other.covers(group, topic, n))
        })
    }

    /// Looks at every member of every group concerned; `missing` says what it has not done yet.
    fn each(
        &self,
        operation: &Operation,
        progress: &mut Progress,
        missing: impl Fn(&GroupReport, &Instance) -> Option<String>,
    ) {
        for (group, topic) in self.topics {
            let concerned = |scope: &&Scope| scope.concerns(group, topic);
            if !operation.scopes.iter().any(|scope| concerned(&scope)) {
                continue;
            }
            let Some(members) = self.members.get(group) else {
                progress.missing.insert(group.clone(), "its coordinator does not answer".to_owned());
                continue;
            };
            if members.is_rebalancing {
                progress.missing.insert(group.clone(), "its partitions are being handed around".to_owned());
            }
            for member in &members.members {
                let report = self.reports.of(&member.instance);
                let own = report.and_then(|report| report.groups.get(group)).cloned();
                // Who reports and does not name the group has left it, and reads `control` before it comes back.
                let has_left = report.is_some() && own.is_none();
                let own = own.unwrap_or_default();
                let within = |n: &i32| operation.scopes.iter().any(|scope| scope.covers(group, topic, *n));
                // What it was given, and what it has not given back yet.
                let partitions =
                    member.partitions.iter().chain(own.partitions.keys()).copied().filter(within);
                let mut instance = instance(&member.instance, group, partitions.collect(), &own);
                let missing = if has_left { None } else { missing(&own, &instance) };
                match missing {
                    None => {
                        instance.confirmed = true;
                        progress.confirmed += 1;
                    }
                    Some(why) => {
                        progress.missing.insert(format!("{}/{group}", member.instance), why);
                    }
                }
                progress.instances.push(instance);
            }
        }
    }
}

fn instance(id: &str, group: &str, partitions: BTreeSet<i32>, report: &GroupReport) -> Instance {
    let at = |n: &i32| report.partitions.get(n);
    let busy = partitions.iter().filter_map(at).filter(|at| at.state == crate::acks::Flow::Busy).count();
    let committed = partitions.iter().filter_map(|n| Some((*n, at(n)?.committed?))).collect();
    Instance {
        group: group.to_owned(),
        in_flight: report.in_flight + u32::try_from(busy).unwrap_or(u32::MAX),
        committed,
        database_sessions: report.database_sessions,
        partitions,
        ..Instance::named(id)
    }
}

impl Progress {
    /// Whether there is nothing to wait for.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        !matches!(
            self.state,
            Standing::Pausing
                | Standing::Resuming
                | Standing::Applying
                | Standing::Switching
                | Standing::Partial
        )
    }

    pub(crate) fn of(state: Standing) -> Self {
        let (missing, held_by) = (BTreeMap::new(), BTreeSet::new());
        Self { state, confirmed: 0, missing, held_by, instances: Vec::new() }
    }
}

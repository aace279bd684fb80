//! The lifecycle under any order of events. The world around it is a list of what was begun and has not ended yet; whatever
//! stands in it may end next, in any way, also long after anybody waited for it.

use super::*;
use proptest::{collection::vec, prelude::*, test_runner::Config};
use std::collections::BTreeSet;

const PARTITIONS: i32 = 2;

/// Begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Opening { partition: i32, generation: u64 },
    Start { partition: i32, generation: u64 },
    Transaction { partition: i32, generation: u64 },
    Pause { partition: i32, generation: u64 },
    Probe,
}

#[derive(Clone, Debug)]
enum Step {
    Assign(i32, Wish),
    Revoke(i32),
    Want(i32, Wish),
    Due(i32),
    Change(i32),
    Suspect,
    Move,
    /// Whatever stands there ends, in that way.
    End(usize, u8),
}

#[derive(Default)]
struct World {
    lifecycle: Lifecycle,
    begun: Vec<Begun>,
    opened: BTreeSet<(i32, u64)>,
    /// Where MySQL stands, by partition.
    place: BTreeMap<i32, u64>,
    stopped: BTreeSet<i32>,
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Assign(partition, wish) if self.lifecycle.get(partition).is_none() => {
                self.on(partition, Event::Assigned(wish));
            }
            Step::Assign(..) => {}
            Step::Revoke(partition) => {
                self.on(partition, Event::Revoked);
                self.stopped.remove(&partition);
            }
            Step::Want(partition, wish) => self.on(partition, Event::Wanted(wish)),
            Step::Due(partition) => self.on(partition, Event::Due),
            Step::Change(partition) => {
                let generation = self.lifecycle.get(partition).map_or(0, |state| state.generation);
                self.on(partition, Event::Changed { generation });
            }
            Step::Suspect => self.on_all(&Common::LogSuspected),
            Step::Move => {
                self.stopped.clear();
                self.on_all(&Common::DatabaseMoved);
            }
            Step::End(at, how) if !self.begun.is_empty() => {
                let begun = self.begun.remove(at % self.begun.len());
                self.end(begun, how);
            }
            Step::End(..) => {}
        }
        self.check();
    }

    fn end(&mut self, begun: Begun, how: u8) {
        let stop = || Stop::because("a constraint");
        match begun {
            Begun::Opening { partition, generation } => {
                let why = match how % 4 {
                    1 => NotOpened::Refused("1105".to_owned()),
                    2 => NotOpened::LogUnavailable,
                    3 => NotOpened::Stop(stop()),
                    _ => {
                        self.opened.insert((partition, generation));
                        let next_offset = *self.place.entry(partition).or_default();
                        return self.on(partition, Event::Opened { generation, next_offset });
                    }
                };
                self.on(partition, Event::NotOpened { generation, why });
            }
            Begun::Start { partition, generation } if how % 4 == 1 => {
                self.on(partition, Event::NotOpened { generation, why: NotOpened::LogUnavailable });
            }
            Begun::Start { partition, generation } => self.on(partition, Event::Started { generation }),
            Begun::Transaction { partition, generation } => {
                let mut move_on = || {
                    let place = self.place.entry(partition).or_default();
                    *place += 1;
                    *place
                };
                // Only who has the newest claim may still write.
                let is_fenced_off =
                    self.opened.iter().any(|(at, newer)| *at == partition && *newer > generation);
                let how = match how % 6 {
                    _ if is_fenced_off => Ended::Lost,
                    1 => Ended::RolledBack,
                    2 => Ended::Refused("2013".to_owned()),
                    3 => {
                        // Committed, and the answer was lost.
                        move_on();
                        Ended::Refused("2013".to_owned())
                    }
                    4 => Ended::Lost,
                    5 => Ended::Stop { next_offset: Some(move_on()), stop: stop() },
                    _ => Ended::Committed { next_offset: move_on() },
                };
                self.on(partition, Event::Ended { generation, how });
            }
            Begun::Pause { partition, generation } => self.on(partition, Event::Retry { generation }),
            Begun::Probe => {
                let found = if how.is_multiple_of(2) { Database::Usable } else { Database::Away };
                match (self.lifecycle.database(), found) {
                    (Database::Usable, Database::Away) => self.on_all(&Common::DatabaseAway),
                    (Database::Away, Database::Usable) => self.on_all(&Common::DatabaseBack),
                    _ => {}
                }
                if found == Database::Away {
                    self.begin(Begun::Probe);
                }
            }
        }
    }

    fn on(&mut self, partition: i32, event: Event) {
        let tasks = self.lifecycle.on(partition, event);
        self.carry_out(tasks);
    }

    fn on_all(&mut self, event: &Common) {
        let tasks = self.lifecycle.on_all(event);
        self.carry_out(tasks);
    }

    fn begin(&mut self, begun: Begun) {
        if !(begun == Begun::Probe && self.begun.contains(&Begun::Probe)) {
            self.begun.push(begun);
        }
    }

    fn carry_out(&mut self, tasks: Vec<Task>) {
        for Task { partition, effect } in tasks {
            match effect {
                Effect::Open { generation, .. } => self.begin(Begun::Opening { partition, generation }),
                Effect::Start { generation } => {
                    // The place comes from MySQL, and from this opening.
                    assert!(self.opened.contains(&(partition, generation)), "{self}");
                    self.begin(Begun::Start { partition, generation });
                }
                Effect::Run { generation } => {
                    let state = self.lifecycle.get(partition).expect("a transaction of nobody's partition");
                    assert!(!state.wish.is_paused() && state.client == Client::Follows, "{self}");
                    let begun = Begun::Transaction { partition, generation };
                    assert!(!self.begun.contains(&begun), "two transactions at once: {self}");
                    self.begin(begun);
                }
                Effect::RetryAfter { generation, pause } => {
                    assert!(pause >= limits::REOPEN_PAUSE);
                    self.begin(Begun::Pause { partition, generation });
                }
                Effect::Probe => self.begin(Begun::Probe),
                Effect::Alarm(_) => {
                    self.stopped.insert(partition);
                }
                Effect::Recovered => {
                    self.stopped.remove(&partition);
                }
                _ => {}
            }
        }
    }

    /// What must be true at any moment.
    fn check(&self) {
        for (partition, state) in self.lifecycle.partitions() {
            let generation = state.generation;
            let is_begun = |begun| self.begun.contains(&begun);
            let works = is_begun(Begun::Transaction { partition, generation });
            let somebody_wakes_it = match state.phase {
                Phase::Opening => {
                    is_begun(Begun::Opening { partition, generation })
                        || is_begun(Begun::Start { partition, generation })
                }
                Phase::Busy => works,
                Phase::Idle => state.client == Client::Follows && !state.wish.is_paused(),
                Phase::Paused => state.wish.is_paused(),
                Phase::Waiting => {
                    is_begun(Begun::Pause { partition, generation })
                        || self.lifecycle.database() == Database::Away && is_begun(Begun::Probe)
                        || state.stopped().is_some() && state.wish.is_paused()
                }
            };
            assert!(somebody_wakes_it, "nobody will ever wake partition {partition}: {self}");
            assert!(works == (state.phase == Phase::Busy), "{self}");
            assert_eq!(state.stopped().is_some(), self.stopped.contains(&partition), "{self}");
        }
    }

    /// Everybody lets go, nothing fails any more: everything flows.
    fn heal(&mut self) {
        for partition in 0..PARTITIONS {
            self.step(Step::Assign(partition, Wish::default()));
            self.step(Step::Want(partition, Wish::default()));
        }
        for _ in 0..200 {
            self.step(Step::End(0, 0));
            for partition in 0..PARTITIONS {
                self.step(Step::Due(partition));
            }
        }
        for (_, state) in self.lifecycle.partitions() {
            assert!(matches!(state.phase, Phase::Idle | Phase::Busy), "{self}");
            assert_eq!(state.trouble, None, "{self}");
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?}, begun: {:?}", self.lifecycle, self.begun)
    }
}

fn wish() -> impl Strategy<Value = Wish> {
    let hold = (any::<bool>(), any::<bool>(), any::<bool>());
    let hold = hold.prop_map(|(at_once, quiet, leaves)| Hold { at_once, quiet, leaves });
    (proptest::option::of(hold), any::<bool>()).prop_map(|(hold, passes_over)| Wish { hold, passes_over })
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..PARTITIONS;
    prop_oneof![
        3 => (at(), wish()).prop_map(|(at, wish)| Step::Assign(at, wish)),
        1 => at().prop_map(Step::Revoke),
        6 => (at(), wish()).prop_map(|(at, wish)| Step::Want(at, wish)),
        8 => at().prop_map(Step::Due),
        1 => at().prop_map(Step::Change),
        1 => Just(Step::Suspect),
        1 => Just(Step::Move),
        24 => (any::<usize>(), any::<u8>()).prop_map(|(at, how)| Step::End(at, how)),
    ]
}

/// Cases in the gate; `cargo stack verify` multiplies them.
fn cases() -> Config {
    let times: u32 =
        std::env::var("TIDEMARK_PROPERTY_TIMES").map_or(1, |times| times.parse().expect("a whole number"));
    Config { cases: 3_000 * times, ..Config::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_happens_no_partition_is_lost_and_none_works_while_it_is_held(steps in vec(step(), 1..200)) {
        let mut world = World::default();
        steps.into_iter().for_each(|step| world.step(step));
        world.heal();
    }
}

/// A partition that flows.
fn flowing() -> World {
    let mut world = World::default();
    world.step(Step::Assign(0, Wish::default()));
    world.step(Step::End(0, 0));
    world.step(Step::End(0, 0));
    assert!(world.lifecycle.get(0).is_some_and(Partition::is_idle), "{world}");
    world
}

fn paused() -> Wish {
    Wish { hold: Some(Hold::default()), passes_over: false }
}

#[test]
fn what_is_held_and_let_go_of_within_one_transaction_flows_again() {
    let mut world = flowing();
    world.step(Step::Due(0));
    world.step(Step::Want(0, paused()));
    world.step(Step::Want(0, Wish::default()));
    world.step(Step::End(0, 0));
    // What the client had handed over was thrown away: it begins at the place in MySQL.
    assert!(matches!(world.begun[..], [Begun::Opening { .. }]), "{world}");
    world.heal();
}

#[test]
fn a_refusal_holds_its_partition_alone_until_a_probe_fails_too() {
    let mut world = flowing();
    world.step(Step::Assign(1, Wish::default()));
    world.step(Step::End(0, 0));
    world.step(Step::End(0, 0));
    world.step(Step::Due(0));
    world.step(Step::End(0, 2));
    assert!(world.lifecycle.get(1).is_some_and(Partition::is_idle), "{world}");
    assert_eq!(world.lifecycle.get(0).and_then(Partition::refused), Some("2013"));
    let probe = world.begun.iter().position(|begun| *begun == Begun::Probe).expect("a probe");
    world.step(Step::End(probe, 1));
    assert_eq!(world.lifecycle.get(1).map(|state| state.phase), Some(Phase::Waiting), "{world}");
    world.heal();
}

#[test]
fn a_commit_whose_answer_was_lost_troubles_nobody_once_the_place_says_so() {
    let mut world = flowing();
    world.step(Step::Due(0));
    world.step(Step::End(0, 3));
    assert!(world.lifecycle.get(0).and_then(Partition::refused).is_some(), "{world}");
    let pause = world.begun.iter().position(|begun| matches!(begun, Begun::Pause { .. })).expect("a pause");
    world.step(Step::End(pause, 0));
    for _ in 0..3 {
        world.step(Step::End(0, 0));
    }
    // No record came meanwhile.
    assert_eq!(world.lifecycle.get(0).map(|state| state.trouble.clone()), Some(None), "{world}");
}

#[test]
fn a_stop_stays_told_until_the_partition_flows() {
    let mut world = flowing();
    world.step(Step::Due(0));
    let generation = world.lifecycle.get(0).map_or(0, |state| state.generation);
    world.begun.clear();
    let stop = Stop::because("MySQL contradicts the log");
    world.on(0, Event::Ended { generation, how: Ended::Stop { next_offset: None, stop: stop.clone() } });
    assert_eq!(world.begun, [Begun::Pause { partition: 0, generation }], "it is tried again, slowly");
    for how in [0, 0] {
        world.step(Step::End(0, how));
        assert_eq!(world.lifecycle.get(0).and_then(Partition::stopped), Some(&stop), "{world}");
    }
    // Something that passes comes between: a person has still to look.
    world.step(Step::End(0, 0));
    world.step(Step::Due(0));
    world.step(Step::End(0, 2));
    assert_eq!(world.lifecycle.get(0).and_then(Partition::stopped), Some(&stop), "{world}");
    world.heal();
}

#[test]
fn the_pause_between_two_tries_doubles_up_to_its_limit() {
    let pauses = [1, 2, 3, 4, 50, u32::MAX].map(|times| Lifecycle::backoff(times).as_millis());
    assert_eq!(pauses, [500, 1_000, 2_000, 2_000, 2_000, 2_000]);
}

//! A stand-in for the tables of a projection inside a property: rows by key, loaded and written as one does.

use crate::logs::{Entry, input, position};
use domain::{
    Fold, Header, Undecided,
    accounts::{AccountChange, AccountKey, Accounts, UserRow},
    coupons::{Coupon, CouponChange, CouponKey, Coupons},
    fold::State,
    replays::Sighting,
    rules::ActiveRules,
};
use schemas::{CouponId, Record, UserId};
use std::collections::BTreeMap;

/// Rows and how a state reads them.
pub(crate) trait Rows: State {
    type Table: Clone + Default + PartialEq + std::fmt::Debug;
    fn load(&mut self, table: &Self::Table, keys: &[Self::Key]);
    fn write(table: &mut Self::Table, change: Self::Change);
    fn partial() -> Self;

    /// What a record will surely need, to be loaded before the batch.
    fn wanted(&self, _record: &Record) -> Vec<Self::Key> {
        Vec::new()
    }

    /// After each commit.
    fn settle(&mut self) {}

    /// The table without the offsets that stand in it, to compare two logs that say the same.
    fn without_offsets(table: Self::Table) -> Self::Table {
        table
    }
}

/// One batch of a projection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Records.
    pub(crate) size: usize,
    /// Whether the state is thrown away after it.
    pub(crate) restart: bool,
    /// Whether the batch's keys are loaded before it, and once more whenever something is missing.
    pub(crate) ahead: bool,
}

#[derive(Clone, Default, Debug, PartialEq)]
pub(crate) struct CouponTable {
    pub(crate) coupons: BTreeMap<CouponId, Coupon>,
    pub(crate) claims: BTreeMap<(CouponId, UserId), (u32, i64)>,
    pub(crate) campaigns: BTreeMap<String, CouponId>,
}

impl Rows for Coupons {
    type Table = CouponTable;

    fn load(&mut self, table: &CouponTable, keys: &[CouponKey]) {
        for key in keys {
            match key {
                CouponKey::Coupon(id) => self.load_coupon(*id, table.coupons.get(id).cloned()),
                CouponKey::Claim(id, user) => {
                    self.load_claim(*id, *user, table.claims.get(&(*id, *user)).map(|row| row.0));
                }
                CouponKey::Campaign(name) => self.load_campaign(name, table.campaigns.get(name).copied()),
            }
        }
    }

    fn write(table: &mut CouponTable, change: CouponChange) {
        match change {
            CouponChange::Coupon(id, coupon) => {
                table.coupons.insert(id, coupon);
            }
            CouponChange::Won { won, at_ms } => {
                let id = CouponId::new(won.coupon_id.into()).expect("a won coupon has an id");
                table.coupons.get_mut(&id).expect("a won coupon is there").issued = won.number;
                let before = table.claims.insert((id, won.user_id), (won.number, at_ms));
                assert_eq!(before, None, "a unique key would refuse this");
            }
            CouponChange::Campaign { campaign, coupon_id } => {
                table.campaigns.insert(campaign.to_string(), coupon_id);
            }
        }
    }

    fn partial() -> Self {
        Self::new(domain::Scope::Partial)
    }
}

impl Rows for Accounts {
    type Table = BTreeMap<UserId, UserRow>;

    fn load(&mut self, table: &Self::Table, keys: &[AccountKey]) {
        for key in keys {
            let row = match key {
                AccountKey::User(id) => table.get(id),
                AccountKey::Email(hmac) => {
                    table.values().find(|row| row.email.is_some_and(|(taken, _)| taken == *hmac))
                }
            };
            Self::load(self, *key, row);
        }
    }

    fn write(table: &mut Self::Table, change: AccountChange) {
        match change {
            AccountChange::Registered(row) => {
                assert!(table.insert(row.user_id, row).is_none(), "a unique key would refuse this");
            }
            AccountChange::Erased { user_id, at_ms } => {
                let row = table.get_mut(&user_id).expect("an erased user is there");
                (row.email, row.erased_at_ms) = (None, Some(at_ms));
            }
        }
    }

    fn partial() -> Self {
        Self::new(domain::Scope::Partial)
    }
}

/// Folds a log as a projection does: in batches, each loading what it misses; a restart throws the state away and
/// starts again from header and rows.
pub(crate) fn project<S: Rows>(partition: i32, log: &[Entry], cuts: &[Cut]) -> (Header, S::Table) {
    project_into(partition, log, cuts, S::Table::default(), S::partial)
}

/// The same into a table and with states of the caller's.
pub(crate) fn project_into<S: Rows>(
    partition: i32,
    log: &[Entry],
    cuts: &[Cut],
    mut table: S::Table,
    fresh: impl Fn() -> S,
) -> (Header, S::Table) {
    let mut fold = Fold::new(partition, fresh());
    let mut cuts = cuts.iter().cycle();
    let mut from = 0;
    while from < log.len() {
        let cut = cuts.next().expect("at least one cut");
        let to = (from + cut.size).min(log.len());
        let mut changes = Vec::new();
        let records = log[from..to].iter().filter_map(|entry| entry.record.as_ref());
        let ahead: Vec<S::Key> = match cut.ahead {
            true => records.flat_map(|record| fold.state().wanted(record)).collect(),
            false => Vec::new(),
        };
        fold.state_mut().load(&table, &ahead);
        for (offset, entry) in (from as u64..).zip(&log[from..to]) {
            let decision = loop {
                match fold.decide(position(offset, entry), input(entry)) {
                    Ok(decision) => break decision,
                    Err(Undecided::Missing(keys)) => {
                        fold.state_mut().load(&table, &keys);
                        fold.state_mut().load(&table, &ahead);
                        let again = fold.decide(position(offset, entry), input(entry));
                        assert_ne!(again, Err(Undecided::Missing(keys)), "a projection would stop here");
                    }
                    Err(Undecided::UnknownRules(version)) => panic!("rules {version}"),
                    Err(Undecided::Contradiction(reason)) => panic!("{reason}"),
                }
            };
            fold.evolve(&decision);
            fold.changes(&decision, &mut changes);
        }
        changes.into_iter().for_each(|change| S::write(&mut table, change));
        fold.state_mut().settle();
        from = to;
        if cut.restart {
            fold = resumed(partition, log, fold.header().clone(), fold.rules().cloned(), fresh());
        }
    }
    (fold.header().clone(), table)
}

/// As a projection does on assign: header from its row, window from the raw records.
fn resumed<S: Rows>(
    partition: i32,
    log: &[Entry],
    header: Header,
    rules: Option<ActiveRules>,
    state: S,
) -> Fold<S> {
    let end = header.next_offset as usize;
    let mut fold = Fold::resume(partition, state, header, rules);
    let founds = |entry: &&Entry| matches!(&entry.record, Some(Record::RulesActivated(r)) if r.version == 1);
    let lawless = log.iter().take_while(|entry| !founds(entry)).count();
    for (offset, entry) in (0..).zip(&log[..end]).skip(lawless) {
        if let Some(record) = &entry.record {
            fold.remember_raw(record.envelope(), Sighting { offset, timestamp_ms: entry.timestamp_ms });
        }
    }
    fold
}

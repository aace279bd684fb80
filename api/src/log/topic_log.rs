//! All partitions of one topic in memory.

use super::cell::{Cell, Watch};
use domain::{Fold, Scope, accounts::Accounts, coupons::Coupons, fold::State, shop::Shop};
use std::sync::Arc;

/// The folds of one topic.
pub struct TopicLog<S: State> {
    name: Arc<str>,
    cells: Arc<[Cell<S>]>,
}

impl<S: State> Clone for TopicLog<S> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), cells: self.cells.clone() }
    }
}

impl<S: State> TopicLog<S> {
    fn new(prefix: &str, state: impl Fn() -> S) -> Self {
        let cells = (0..S::TOPIC.partitions()).map(|p| Cell::new(p, Fold::new(p, state()))).collect();
        Self { name: S::TOPIC.name(prefix).into(), cells }
    }

    /// Name on the broker.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// All partitions.
    pub fn cells(&self) -> &[Cell<S>] {
        &self.cells
    }

    /// One partition; numbers come from the partition rule, so they are in bounds.
    pub fn cell(&self, partition: i32) -> &Cell<S> {
        &self.cells[partition as usize]
    }
}

impl TopicLog<Accounts> {
    /// The `signup` topic.
    pub fn accounts(prefix: &str) -> Self {
        Self::new(prefix, || Accounts::new(Scope::Full))
    }
}

impl TopicLog<Coupons> {
    /// The `coupon` topic.
    pub fn coupons(prefix: &str) -> Self {
        Self::new(prefix, || Coupons::new(Scope::Full))
    }
}

impl TopicLog<Shop> {
    /// The `order` topic; `watch` sees every outcome before it is answered.
    pub fn shop(prefix: &str, watch: Watch<Shop>) -> Self {
        let cell = Cell::new(0, Fold::new(0, Shop::new(Scope::Full))).watched(watch);
        Self { name: Shop::TOPIC.name(prefix).into(), cells: Arc::new([cell]) }
    }

    /// The shop's one partition.
    pub fn only(&self) -> &Cell<Shop> {
        &self.cells[0]
    }
}

const _: () = assert!(Shop::TOPIC.partitions() == 1, "the shop is one partition");

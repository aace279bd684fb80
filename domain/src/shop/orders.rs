//! Every order ever in 8 bytes, open ones in full, and the order in which those fall due.

use super::{Due, Order, OrderStatus};
use crate::slot::{Scope, Slot};
use schemas::{OrderId, UserId};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Open orders that a projection keeps between batches; the latest to fall due are read again when needed.
pub const MAX_OPEN_KEPT: usize = 65_536;

/// The end of all places.
const NO_MORE: Due = Due { expires_at_ms: i64::MAX, order_id: u64::MAX };

/// What is known of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundOrder<'a> {
    /// Open, in full.
    Open(&'a Arc<Order>),
    /// Paid or expired.
    Closed {
        /// Whose.
        owner: UserId,
        /// Never `Pending`.
        status: OrderStatus,
    },
}

/// All orders, or those that were loaded.
#[derive(Debug)]
pub struct Orders {
    scope: Scope,
    /// `owner << 2 | status` of every order by id less one (full state only).
    all: Vec<u64>,
    /// Paid and expired ones, and those that are not there (partial state only).
    closed: HashMap<OrderId, Slot<(UserId, OrderStatus)>>,
    open: HashMap<OrderId, Arc<Order>>,
    due: BTreeSet<Due>,
    /// Every open order up to here stands in `due`.
    known_to: Due,
    /// Open orders that stay between batches (partial state only).
    max_kept: usize,
}

impl Due {
    /// Of an order.
    #[must_use]
    pub fn of(order: &Order) -> Self {
        Self { expires_at_ms: order.expires_at_ms, order_id: order.order_id.get() }
    }
}

impl Orders {
    pub(super) fn new(scope: Scope) -> Self {
        let known_to = if scope == Scope::Full { NO_MORE } else { Due::default() };
        Self {
            scope,
            all: Vec::new(),
            closed: HashMap::new(),
            open: HashMap::new(),
            due: BTreeSet::new(),
            known_to,
            max_kept: MAX_OPEN_KEPT,
        }
    }

    /// An order, where `count` orders were placed so far.
    #[must_use]
    pub fn find(&self, id: OrderId, count: u64) -> Slot<FoundOrder<'_>> {
        if id.get() > count {
            return Slot::Absent;
        }
        if let Some(order) = self.open.get(&id) {
            return Slot::Loaded(FoundOrder::Open(order));
        }
        let closed = match self.scope {
            Scope::Full => {
                let packed = self.all.get(id.get() as usize - 1);
                packed.and_then(|packed| unpack(*packed)).map_or(Slot::Absent, Slot::Loaded)
            }
            Scope::Partial => self.closed.get(&id).copied().unwrap_or(Slot::NotLoaded),
        };
        match closed {
            Slot::Loaded((owner, status)) => Slot::Loaded(FoundOrder::Closed { owner, status }),
            Slot::Absent => Slot::Absent,
            Slot::NotLoaded => Slot::NotLoaded,
        }
    }

    /// The orders of a user from an id on, by id (full state only). Looks at every order from there on.
    pub fn owned_from(&self, user: UserId, from: OrderId) -> impl Iterator<Item = OrderId> {
        let before = from.get() - 1;
        let later = self.all.get(usize::try_from(before).unwrap_or(usize::MAX)..).unwrap_or_default();
        let owned = (from.get()..).zip(later).filter(move |(_, packed)| **packed >> 2 == user.get());
        owned.filter_map(|(id, _)| OrderId::new(id))
    }

    /// Open orders that are known, in no order.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.open.values()
    }

    /// The first `limit` open orders due by `now_ms`, and when the next one after them falls due.
    ///
    /// # Errors
    /// The place after which open orders must be loaded first.
    pub(super) fn due_by(&self, now_ms: i64, limit: usize) -> Result<(Vec<Arc<Order>>, Option<i64>), Due> {
        let mut expired = Vec::new();
        for due in self.due.range(..=self.known_to) {
            if due.expires_at_ms > now_ms || expired.len() == limit {
                return Ok((expired, Some(due.expires_at_ms)));
            }
            expired.extend(OrderId::new(due.order_id).and_then(|id| self.open.get(&id)).cloned());
        }
        if self.known_to == NO_MORE { Ok((expired, None)) } else { Err(self.known_to) }
    }

    pub(super) fn place(&mut self, order: &Arc<Order>) {
        if self.scope == Scope::Full {
            self.all.push(pack(order.user_id, OrderStatus::Pending));
        }
        self.due.insert(Due::of(order));
        self.open.insert(order.order_id, order.clone());
    }

    pub(super) fn close(&mut self, order: &Order, status: OrderStatus) {
        self.due.remove(&Due::of(order));
        self.open.remove(&order.order_id);
        match self.scope {
            Scope::Full => {
                if let Some(packed) = self.all.get_mut(order.order_id.get() as usize - 1) {
                    *packed = pack(order.user_id, status);
                }
            }
            Scope::Partial => {
                self.closed.insert(order.order_id, Slot::Loaded((order.user_id, status)));
            }
        }
    }

    /// A stored order; what is known already is newer than any table.
    pub(super) fn load(&mut self, id: OrderId, row: Option<(Arc<Order>, OrderStatus)>) {
        if self.open.contains_key(&id) || self.closed.contains_key(&id) {
            return;
        }
        match row {
            Some((order, OrderStatus::Pending)) => {
                self.due.insert(Due::of(&order));
                self.open.insert(id, order);
            }
            Some((order, status)) => {
                self.closed.insert(id, Slot::Loaded((order.user_id, status)));
            }
            // Ids are dense: a row that is not there yet belongs to an order of this very batch, or was lost, and then
            // whoever asks again must not be told that there is no such order.
            None => {}
        }
    }

    pub(super) fn load_open_after(&mut self, after: Due, rows: Vec<Arc<Order>>, all: bool) {
        let last = rows.last().map_or(after, |order| Due::of(order));
        for order in rows {
            self.load(order.order_id, Some((order, OrderStatus::Pending)));
        }
        self.known_to = self.known_to.max(if all { NO_MORE } else { last });
    }

    pub(super) const fn keep_at_most(&mut self, open_orders: usize) {
        self.max_kept = open_orders;
    }

    /// Drops what only a batch needed.
    pub(super) fn settle(&mut self) {
        self.closed.clear();
        while self.open.len() > self.max_kept {
            let Some(latest) = self.due.pop_last() else { return };
            if let Some(id) = OrderId::new(latest.order_id) {
                self.open.remove(&id);
            }
            let kept = self.due.last().copied().unwrap_or_default();
            self.known_to = self.known_to.min(kept);
        }
    }
}

const fn pack(owner: UserId, status: OrderStatus) -> u64 {
    owner.get() << 2 | status.number() as u64
}

fn unpack(packed: u64) -> Option<(UserId, OrderStatus)> {
    Some((UserId::new(packed >> 2)?, OrderStatus::of((packed & 3) as u8)?))
}

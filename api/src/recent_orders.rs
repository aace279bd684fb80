//! Orders that MySQL may not hold yet, in full: an order can be read the moment its 201 left, on every process, and
//! also while MySQL is away. Filled by the fold's outcomes before anybody is answered.

use crate::{limits, log::cell::Watch};
use domain::{
    Decision, Verdict,
    shop::{Order, OrderStatus, Payment, Shop, ShopOutcome, ShopResult},
};
use parking_lot::Mutex;
use schemas::{OrderId, UserId};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

/// What became of an order.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Not paid yet.
    Open,
    /// Paid.
    Paid(Arc<Payment>),
    /// Not paid in time.
    Expired,
}

/// An order in full.
#[derive(Clone, Debug)]
pub struct RecentOrder {
    /// As it was placed.
    pub order: Arc<Order>,
    /// As it stands now.
    pub fate: Fate,
}

impl RecentOrder {
    /// As it counts at a time of the log's clock: a due order is expired before the fold has worked it off.
    #[must_use]
    pub fn at(self, now_ms: i64) -> Self {
        let overdue = matches!(self.fate, Fate::Open) && self.order.expires_at_ms <= now_ms;
        Self { fate: if overdue { Fate::Expired } else { self.fate }, order: self.order }
    }

    /// Where it stands.
    pub const fn status(&self) -> OrderStatus {
        match self.fate {
            Fate::Open => OrderStatus::Pending,
            Fate::Paid(_) => OrderStatus::Paid,
            Fate::Expired => OrderStatus::Expired,
        }
    }
}

/// When an order was last touched.
#[derive(Clone, Copy)]
struct Touch {
    order_id: OrderId,
    offset: u64,
}

#[derive(Default)]
struct Inner {
    /// With the offset of the last record that touched it.
    orders: HashMap<OrderId, (RecentOrder, u64)>,
    of_user: HashMap<UserId, BTreeSet<OrderId>>,
    touched: VecDeque<Touch>,
    /// Every order that changed at or after this offset is held.
    since: u64,
}

/// The recent orders of one user at one moment.
pub struct OfUser {
    /// Newest first.
    pub orders: Vec<RecentOrder>,
    /// Every order that changed at or after this offset is among them.
    pub since: u64,
}

/// See the module.
#[derive(Default)]
pub struct RecentOrders {
    inner: Mutex<Inner>,
}

impl RecentOrders {
    /// What the shop's fold shows its outcomes to.
    pub fn watch(self: &Arc<Self>) -> Watch<Shop> {
        let recent = self.clone();
        Box::new(move |decision| recent.see(decision))
    }

    /// An order, if it is recent.
    pub fn find(&self, id: OrderId) -> Option<RecentOrder> {
        self.inner.lock().orders.get(&id).map(|(order, _)| order.clone())
    }

    /// The recent orders of a user.
    pub fn of_user(&self, user: UserId) -> OfUser {
        let inner = self.inner.lock();
        let ids = inner.of_user.get(&user).into_iter().flatten().rev();
        let orders = ids.filter_map(|id| inner.orders.get(id)).map(|(order, _)| order.clone()).collect();
        OfUser { orders, since: inner.since }
    }

    /// How many orders are held.
    pub fn len(&self) -> usize {
        self.inner.lock().orders.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets go of what MySQL has; `projected` is the order projection's next offset.
    pub fn let_go(&self, projected: u64) {
        let mut inner = self.inner.lock();
        // Also before anything of it was folded: a long log would fill the memory at the start.
        inner.since = inner.since.max(projected);
        while inner.touched.front().is_some_and(|oldest| oldest.offset < projected) {
            inner.drop_oldest();
        }
    }

    fn see(&self, decision: &Decision<ShopOutcome>) {
        let Verdict::Decided(outcome) = &decision.verdict else { return };
        let offset = decision.at.offset;
        if outcome.expired.is_empty()
            && !matches!(outcome.result, ShopResult::Placed(_) | ShopResult::Paid(_))
        {
            return;
        }
        let mut inner = self.inner.lock();
        for order in &outcome.expired {
            inner.touch(order, Fate::Expired, offset);
        }
        match &outcome.result {
            ShopResult::Placed(order) => inner.touch(order, Fate::Open, offset),
            ShopResult::Paid(payment) => inner.touch(&payment.order, Fate::Paid(payment.clone()), offset),
            _ => {}
        }
    }
}

impl Inner {
    fn touch(&mut self, order: &Arc<Order>, fate: Fate, offset: u64) {
        if offset < self.since {
            return;
        }
        self.of_user.entry(order.user_id).or_default().insert(order.order_id);
        self.orders.insert(order.order_id, (RecentOrder { order: order.clone(), fate }, offset));
        self.touched.push_back(Touch { order_id: order.order_id, offset });
        if self.touched.len() > limits::MAX_RECENT_TOUCHES {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(Touch { order_id, offset }) = self.touched.pop_front() else { return };
        self.since = self.since.max(offset + 1);
        // Touched again since: a later entry answers for it.
        if self.orders.get(&order_id).is_none_or(|(_, last)| *last != offset) {
            return;
        }
        let Some((recent, _)) = self.orders.remove(&order_id) else { return };
        let user = recent.order.user_id;
        if let Some(ids) = self.of_user.get_mut(&user) {
            ids.remove(&order_id);
            if ids.is_empty() {
                self.of_user.remove(&user);
            }
        }
    }
}

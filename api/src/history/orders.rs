//! Older orders. The newest of a user are kept in Redis as they were read; the fold, which knows owner and status of
//! every order ever, says whether a copy still tells all of it. So how old a copy is does not matter, and a table that is
//! behind is found out.

use super::{History, HistoryError, copies::OrderCopy};
use crate::{
    limits, metric,
    recent_orders::{Fate, RecentOrder},
};
use domain::{
    Fold, Slot,
    shop::{FoundOrder, Order, OrderStatus, Shop},
};
use migrations::entity::orders;
use schemas::{OrderId, UserId};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};

const ONE: &str = "order";
const MANY: &str = "orders";
/// The lowest order id.
const FIRST: u64 = 1;
/// Above every order id.
const NEWEST: u64 = u64::MAX >> 1;
/// The tables may change between two looks at them: what did not fit then is read once more. Where they are paused or far
/// behind, more has to be looked at than is good for others.
const ATTEMPTS: [u64; 2] = [limits::ORDERS_LOOKED_AT, limits::ORDERS_LOOKED_AT_WITHOUT_MYSQL];

/// An order as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// As it was placed; its lines' ids follow from their place.
    pub order: Order,
    /// Where it stood.
    pub status: OrderStatus,
    /// Taken off the total, in minor units; 0 unless paid.
    pub discount: u64,
    /// Taken from the balance, in minor units; 0 unless paid.
    pub paid: u64,
    /// The coupon that was redeemed.
    pub user_coupon_id: Option<u64>,
    /// When paid or expired, in ms since the epoch.
    pub closed_at_ms: Option<i64>,
}

impl StoredOrder {
    /// Which order.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        self.order.order_id
    }

    /// Where it stood.
    #[must_use]
    pub const fn status(&self) -> OrderStatus {
        self.status
    }
}

/// A closed order as the log knows it.
#[derive(Clone, Copy, Debug)]
pub struct ClosedOrder {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub owner: UserId,
    /// How it ended.
    pub status: OrderStatus,
}

impl ClosedOrder {
    /// Whether what was read is this order: a copy or a table that was made from another log may hold one of the same
    /// number.
    fn is(&self, read: &StoredOrder) -> bool {
        (read.order.order_id, read.order.user_id, read.status) == (self.id, self.owner, self.status)
    }
}

/// Which orders of a user.
#[derive(Clone, Copy, Debug)]
pub struct WhichOrders {
    /// Whose.
    pub user: UserId,
    /// Only those that stand so.
    pub status: Option<OrderStatus>,
    /// So many of the newest.
    pub limit: usize,
}

/// A user's orders, in no order: each once, as the log has it. More than was asked for may be among them.
#[derive(Debug, Default)]
pub struct UserOrders {
    /// Those in memory.
    pub recent: Vec<RecentOrder>,
    /// The closed ones that are not.
    pub stored: Vec<StoredOrder>,
}

/// The newest orders of a user, as they are kept in Redis.
#[derive(Serialize, Deserialize)]
struct Head {
    /// All orders with lower ids were in the tables.
    below: u64,
    /// Whether the user had no others.
    whole: bool,
    orders: Vec<OrderCopy>,
}

impl History {
    /// A closed order that is in memory no more; `None` where the tables do not have it, or not as the log does: then
    /// they are behind, for an order leaves the memory only when they have it.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn order(&self, closed: ClosedOrder) -> Result<Option<StoredOrder>, HistoryError> {
        let name = format!("order:{}", closed.id.get());
        // A closed order never changes again, so any copy of this one is true.
        let copy: Option<OrderCopy> = self.store.cached(&name).await;
        let copy = copy.and_then(|copy| StoredOrder::try_from(copy).ok());
        if let Some(order) = copy.filter(|order| closed.is(order)) {
            hit(ONE);
            return Ok(Some(order));
        }
        let row = async { orders::find(&self.reader.db(), closed.id.get()).await?.map(stored).transpose() };
        let order = self.reader.read(ONE, row).await?.filter(|order| closed.is(order));
        if let Some(order) = &order {
            self.store.keep(&name, &OrderCopy::from(order), limits::CACHE_LIFE).await;
        }
        Ok(order)
    }

    /// The newest orders of a user, from memory, copies and tables: all of them, or an error.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn orders_of(&self, which: WhichOrders) -> Result<UserOrders, HistoryError> {
        let name = format!("orders:{}", which.user.get());
        let copy: Option<Head> = self.store.cached(&name).await;
        let by_copy = |most| copy.as_ref().and_then(|head| self.told_by(head, &which, most));
        if let Some(found) = by_copy(limits::ORDERS_LOOKED_AT) {
            hit(MANY);
            return Ok(found);
        }
        let error = match self.read_orders_of(which, &name).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let most = limits::ORDERS_LOOKED_AT_WITHOUT_MYSQL;
        // Somebody whose orders are all recent needs nothing else.
        by_copy(most).or_else(|| self.remembered(&which, most)).ok_or(error)
    }

    /// The newest orders of a user from memory alone, where all that was asked for is there: what is older does not matter
    /// then, and so neither do tables that are away, paused or far behind.
    fn remembered(&self, which: &WhichOrders, most: u64) -> Option<UserOrders> {
        self.shop.only().look(|fold| {
            let (placed, clock_ms) = (fold.header().next_seq, fold.header().clock_ms);
            if placed > most {
                return None;
            }
            let mut held = recent_by_id(self.recent.of_user(which.user).orders);
            let ids: Vec<OrderId> = fold.state().owned_from(which.user, OrderId::new(FIRST)?).collect();
            let (mut recent, mut wanted) = (Vec::new(), 0);
            for id in ids.into_iter().rev() {
                let order = match (held.remove(&id), fold.state().order(id, placed)) {
                    (Some(order), _) => order,
                    (None, Slot::Loaded(FoundOrder::Open(order))) => still_open(order),
                    _ => return None,
                };
                let order = order.at(clock_ms);
                wanted += usize::from(which.status.is_none_or(|wanted| wanted == order.status()));
                recent.push(order);
                if wanted == which.limit {
                    break;
                }
            }
            Some(UserOrders { recent, stored: Vec::new() })
        })
    }

    async fn read_orders_of(&self, which: WhichOrders, name: &str) -> Result<UserOrders, HistoryError> {
        for most in ATTEMPTS {
            let head = self.reader.read(MANY, self.head(which.user)).await?;
            let judged = head.orders().and_then(|rows| self.judged(which.user, head.below, rows, most));
            let Some(found) = judged else { continue };
            self.store.keep(name, &head, limits::CACHE_LIFE).await;
            if head.holds(&which, &found) {
                return Ok(found);
            }
            let rows = self.reader.read(MANY, self.beyond_head(which)).await?;
            if let Some(found) = self.judged(which.user, head.below, rows, most) {
                return Ok(found);
            }
        }
        Err(HistoryError::Away)
    }

    fn told_by(&self, head: &Head, which: &WhichOrders, most: u64) -> Option<UserOrders> {
        let found = self.judged(which.user, head.below, head.orders()?, most)?;
        head.holds(which, &found).then_some(found)
    }

    async fn head(&self, user: UserId) -> Result<Head, DbErr> {
        let snapshot = self.reader.snapshot().await?;
        let below = newest(&snapshot).await? + 1;
        let limit = limits::ORDERS_CACHED as u64;
        let rows = orders::of_user(&snapshot, user.get(), None, below, limit).await?;
        snapshot.commit().await?;
        let whole = rows.len() < limits::ORDERS_CACHED;
        Ok(Head { below, whole, orders: rows.into_iter().map(OrderCopy::from).collect() })
    }

    /// For somebody with more orders than a copy holds, who wants those of one status.
    async fn beyond_head(&self, which: WhichOrders) -> Result<Vec<StoredOrder>, DbErr> {
        let status = which.status.map(OrderStatus::number);
        let limit = which.limit as u64;
        let rows = orders::of_user(&self.reader.db(), which.user.get(), status, NEWEST, limit).await?;
        rows.into_iter().map(stored).collect()
    }

    /// What memory and rows together say, where that is what the log says; `below`: the rows may be complete only for
    /// lower ids; at most `most` orders placed since are looked at.
    fn judged(&self, user: UserId, below: u64, rows: Vec<StoredOrder>, most: u64) -> Option<UserOrders> {
        // Under the fold's lock: what is not folded is not in memory, and what is folded is, or was.
        self.shop.only().look(|fold| {
            if fold.header().next_seq.saturating_sub(below) > most {
                return None;
            }
            let recent = recent_by_id(self.recent.of_user(user).orders);
            judge(fold, user, below, (recent, rows))
        })
    }
}

type Recent = HashMap<OrderId, RecentOrder>;

fn recent_by_id(orders: Vec<RecentOrder>) -> Recent {
    orders.into_iter().map(|recent| (recent.order.order_id, recent)).collect()
}

fn still_open(order: &Arc<Order>) -> RecentOrder {
    RecentOrder { order: order.clone(), fate: Fate::Open }
}

fn judge(
    fold: &Fold<Shop>,
    user: UserId,
    below: u64,
    (mut recent, rows): (Recent, Vec<StoredOrder>),
) -> Option<UserOrders> {
    let placed = fold.header().next_seq;
    let find = |id: OrderId| fold.state().order(id, placed);
    for id in fold.state().owned_from(user, OrderId::new(below)?) {
        if recent.contains_key(&id) {
            continue;
        }
        // Placed after the rows were read, and not in memory any more.
        let Slot::Loaded(FoundOrder::Open(order)) = find(id) else { return None };
        recent.insert(id, still_open(order));
    }
    let mut stored = Vec::with_capacity(rows.len());
    for row in rows {
        if recent.contains_key(&row.order_id()) {
            continue;
        }
        match find(row.order_id()) {
            Slot::Loaded(FoundOrder::Open(order)) => {
                recent.insert(row.order_id(), still_open(order));
            }
            Slot::Loaded(FoundOrder::Closed { owner, status }) => {
                if (owner, status) != (user, row.status) {
                    return None;
                }
                stored.push(row);
            }
            // Placed after what this process has folded: nobody was told of it here.
            Slot::Absent | Slot::NotLoaded => {}
        }
    }
    let clock_ms = fold.header().clock_ms;
    Some(UserOrders { recent: recent.into_values().map(|recent| recent.at(clock_ms)).collect(), stored })
}

impl Head {
    fn orders(&self) -> Option<Vec<StoredOrder>> {
        self.orders.iter().map(|copy| StoredOrder::try_from(copy.clone()).ok()).collect()
    }

    /// Whether nothing older can be among what was asked for.
    fn holds(&self, which: &WhichOrders, found: &UserOrders) -> bool {
        let oldest = self.orders.last().map_or(0, OrderCopy::id);
        let recent = found.recent.iter().map(|recent| (recent.order.order_id, recent.status()));
        let all = recent.chain(found.stored.iter().map(|stored| (stored.order_id(), stored.status)));
        let wanted = all
            .filter(|(id, status)| id.get() >= oldest && which.status.is_none_or(|wanted| wanted == *status));
        self.whole || wanted.count() >= which.limit
    }
}

/// The newest order in the tables; ids have no gap, so all before it are there too.
async fn newest<C: ConnectionTrait>(db: &C) -> Result<u64, DbErr> {
    use orders::Column::Id;
    let query = orders::Entity::find().select_only().column(Id).order_by_desc(Id);
    Ok(query.into_tuple::<u64>().one(db).await?.unwrap_or(0))
}

fn stored(row: orders::WithItems) -> Result<StoredOrder, DbErr> {
    let id = row.0.id;
    StoredOrder::try_from(OrderCopy::from(row))
        .map_err(|()| DbErr::Custom(format!("order {id} is none of ours")))
}

fn hit(what: &'static str) {
    metrics::counter!(metric::CACHE_HITS, "what" => what).increment(1);
}

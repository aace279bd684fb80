//! The shop's tables as the order projection keeps them, with their keys and checks.

use crate::store::Rows;
use domain::{
    Scope,
    shop::{
        BalanceCause, BalanceChange, Decline, Due, MAX_AMOUNT, MAX_EXPIRIES, MAX_ITEMS, Order, OrderStatus,
        Payment, Product, Shop, ShopChange, ShopKey, ShopOption,
    },
};
use schemas::{OptionId, OrderId, ProductId, Record, UserId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An order with its lines, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderRow {
    pub(crate) order: Order,
    pub(crate) status: OrderStatus,
    pub(crate) paid: u64,
    pub(crate) discount: u64,
    pub(crate) user_coupon_id: Option<u64>,
    pub(crate) closed_at_ms: Option<i64>,
}

/// A row for the relay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OutboxRow {
    Captured(OrderId, u64, i64),
    Declined(Decline, i64),
}

/// All rows, and how many open orders are read at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShopTable {
    pub(crate) products: BTreeMap<ProductId, Product>,
    pub(crate) options: BTreeMap<OptionId, ShopOption>,
    pub(crate) orders: BTreeMap<OrderId, OrderRow>,
    pub(crate) redemptions: BTreeMap<u64, (OrderId, UserId, i64)>,
    pub(crate) balances: BTreeMap<UserId, u64>,
    pub(crate) balance_logs: BTreeMap<u64, (BalanceChange, i64)>,
    pub(crate) outbox: BTreeMap<u64, OutboxRow>,
    pub(crate) page: usize,
}

impl Default for ShopTable {
    fn default() -> Self {
        Self::paged(MAX_EXPIRIES + 1)
    }
}

impl ShopTable {
    /// Reads so many open orders at once; few make a state ask often.
    pub(crate) const fn paged(page: usize) -> Self {
        Self {
            products: BTreeMap::new(),
            options: BTreeMap::new(),
            orders: BTreeMap::new(),
            redemptions: BTreeMap::new(),
            balances: BTreeMap::new(),
            balance_logs: BTreeMap::new(),
            outbox: BTreeMap::new(),
            page,
        }
    }

    fn option(&self, id: OptionId) -> Option<(ShopOption, Arc<Product>)> {
        let option = self.options.get(&id)?;
        Some((option.clone(), Arc::new(self.products[&option.product_id].clone())))
    }

    /// `ORDER BY expires_at_ms, id LIMIT page`; fewer rows than the limit are all.
    fn open_after(&self, after: Due) -> (Vec<Arc<Order>>, bool) {
        let pending = self.orders.values().filter(|row| row.status == OrderStatus::Pending);
        let later: BTreeMap<Due, &Order> =
            pending.map(|row| (Due::of(&row.order), &row.order)).filter(|(due, _)| *due > after).collect();
        let rows: Vec<_> = later.into_values().take(self.page).cloned().map(Arc::new).collect();
        let all = rows.len() < self.page;
        (rows, all)
    }

    fn close(&mut self, id: OrderId, status: OrderStatus, at_ms: i64) -> &mut OrderRow {
        let row = self.orders.get_mut(&id).expect("a closed order is there");
        assert_eq!(row.status, OrderStatus::Pending, "order {id} ends twice");
        (row.status, row.closed_at_ms) = (status, Some(at_ms));
        row
    }

    fn place(&mut self, order: &Order) {
        let row = OrderRow {
            order: order.clone(),
            status: OrderStatus::Pending,
            paid: 0,
            discount: 0,
            user_coupon_id: None,
            closed_at_ms: None,
        };
        let sum: u128 =
            order.lines.iter().map(|line| u128::from(line.price) * u128::from(line.quantity)).sum();
        assert_eq!(sum, u128::from(order.total));
        assert!(order.total <= MAX_AMOUNT && (1..=MAX_ITEMS).contains(&order.lines.len()));
        let options: BTreeSet<_> = order.lines.iter().map(|line| line.option_id).collect();
        assert_eq!(options.len(), order.lines.len(), "an option stands in one line only");
        assert!(order.lines.iter().all(|line| line.quantity >= 1));
        assert_eq!(order.order_id.get(), self.orders.len() as u64 + 1, "order ids have no gap");
        assert!(self.orders.insert(order.order_id, row).is_none());
    }

    fn pay(&mut self, payment: &Payment, offset: u64, at_ms: i64) {
        assert_eq!(payment.paid_at_ms, at_ms);
        let order = &payment.order;
        let row = self.close(order.order_id, OrderStatus::Paid, at_ms);
        assert_eq!(&row.order, order.as_ref());
        (row.paid, row.discount, row.user_coupon_id) =
            (payment.paid, payment.discount, payment.user_coupon_id);
        assert_eq!(payment.paid + payment.discount, order.total);
        if let Some(coupon) = payment.user_coupon_id {
            let before = self.redemptions.insert(coupon, (order.order_id, order.user_id, at_ms));
            assert_eq!(before, None, "coupon {coupon} is redeemed twice");
        }
        self.publish(offset, OutboxRow::Captured(order.order_id, payment.paid, at_ms));
    }

    fn publish(&mut self, offset: u64, row: OutboxRow) {
        assert!(self.outbox.insert(offset, row).is_none(), "one row per record");
    }

    fn keep_balance(&mut self, change: BalanceChange, offset: u64, at_ms: i64) {
        assert!(change.balance <= MAX_AMOUNT);
        if let Some(before) = self.balances.insert(change.user_id, change.balance) {
            assert_eq!(before.checked_add_signed(change.amount), Some(change.balance));
        }
        assert!(self.balance_logs.insert(offset * 128, (change, at_ms)).is_none());
    }
}

impl Rows for Shop {
    type Table = ShopTable;

    fn load(&mut self, table: &ShopTable, keys: &[ShopKey]) {
        for key in keys {
            match *key {
                ShopKey::CatalogueEnd => {
                    self.load_end(table.products.len() as u64, table.options.len() as u64);
                }
                ShopKey::Option(id) => self.load_option(id, table.option(id)),
                ShopKey::Balance(user) => self.load_balance(user, table.balances.get(&user).copied()),
                ShopKey::Order(id) => {
                    let row = table.orders.get(&id);
                    self.load_order(id, row.map(|row| (Arc::new(row.order.clone()), row.status)));
                }
                ShopKey::Redemption(coupon) => {
                    self.load_redemption(coupon, table.redemptions.contains_key(&coupon));
                }
                ShopKey::OpenOrdersAfter(after) => {
                    let (rows, all) = table.open_after(after);
                    self.load_open_after(after, rows, all);
                }
            }
        }
    }

    fn write(table: &mut ShopTable, change: ShopChange) {
        match change {
            ShopChange::Listed { listing, at_ms } => {
                assert_eq!(listing.product.listed_at_ms, at_ms);
                assert_eq!(listing.product_id.get(), table.products.len() as u64 + 1, "without a gap");
                table.products.insert(listing.product_id, listing.product.as_ref().clone());
                for (id, option) in &listing.options {
                    assert_eq!(id.get(), table.options.len() as u64 + 1, "without a gap");
                    table.options.insert(*id, option.clone());
                }
            }
            ShopChange::Option(id, option) => {
                let sums = option.stock + option.sold == option.listed && option.listed <= MAX_AMOUNT;
                assert!(sums && option.reserved <= option.stock, "{option:?}");
                let before = table.options.insert(id, option.clone()).expect("a changed option is there");
                assert_eq!(before.product_id, option.product_id);
            }
            ShopChange::Balance { change, offset, at_ms } => table.keep_balance(change, offset, at_ms),
            ShopChange::Placed(order) => table.place(&order),
            ShopChange::Expired { order_id, at_ms } => {
                table.close(order_id, OrderStatus::Expired, at_ms);
            }
            ShopChange::Paid { payment, offset, at_ms } => table.pay(&payment, offset, at_ms),
            ShopChange::Declined { decline, offset, at_ms } => {
                table.publish(offset, OutboxRow::Declined(decline.as_ref().clone(), at_ms));
            }
        }
    }

    fn partial() -> Self {
        Self::new(Scope::Partial)
    }

    fn wanted(&self, record: &Record) -> Vec<ShopKey> {
        self.keys_of(record)
    }

    fn settle(&mut self) {
        Self::settle(self);
    }

    fn without_offsets(mut table: ShopTable) -> ShopTable {
        table.balance_logs = (0..).zip(table.balance_logs.into_values()).collect();
        table.outbox = (0..).zip(table.outbox.into_values()).collect();
        table
    }
}

/// What a log of balances says: it must lead to the balances.
impl ShopTable {
    pub(crate) fn assert_logs_lead_to_balances(&self) {
        let mut last = BTreeMap::new();
        for (change, _) in self.balance_logs.values() {
            last.insert(change.user_id, change.balance);
        }
        assert_eq!(last, self.balances);
        for (change, at_ms) in self.balance_logs.values() {
            if let BalanceCause::Payment(id) = change.cause {
                let row = &self.orders[&id];
                assert_eq!((row.status, row.closed_at_ms), (OrderStatus::Paid, Some(*at_ms)));
                assert_eq!(-(row.paid as i64), change.amount);
            }
        }
    }
}

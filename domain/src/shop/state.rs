//! What the shop's fold remembers.

use super::{
    Catalogue, Due, MAX_ITEMS, Order, OrderStatus, Orders, Product, Sales, ShopKey, ShopOption,
    orders::FoundOrder,
};
use crate::slot::{Scope, Slot};
use schemas::{OptionId, OrderId, ProductId, Record, UserId};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// State of the shop.
#[derive(Debug)]
pub struct Shop {
    scope: Scope,
    pub(super) catalogue: Catalogue,
    pub(super) orders: Orders,
    /// Balances once touched; every other user has the opening balance.
    pub(super) balances: HashMap<UserId, Slot<u64>>,
    /// Coupons redeemed (full), or looked up (partial).
    pub(super) redeemed: HashSet<u64>,
    /// Coupons that are known not to be redeemed (partial state only).
    pub(super) unredeemed: HashSet<u64>,
    pub(super) sales: Sales,
}

impl Shop {
    /// Nothing known yet.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            catalogue: Catalogue::new(scope),
            orders: Orders::new(scope),
            balances: HashMap::new(),
            redeemed: HashSet::new(),
            unredeemed: HashSet::new(),
            sales: Sales::default(),
        }
    }

    /// How much of the state this is.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// All products and options.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// A product.
    #[must_use]
    pub fn product(&self, id: ProductId) -> Slot<&Arc<Product>> {
        self.catalogue.product(id)
    }

    /// An option.
    #[must_use]
    pub fn option(&self, id: OptionId) -> Slot<&ShopOption> {
        self.catalogue.option(id)
    }

    /// The options of a product, by id (full state only).
    pub fn options_of(&self, id: ProductId) -> impl Iterator<Item = (OptionId, &ShopOption)> {
        self.catalogue.options_of(id)
    }

    /// An order, where `count` orders were placed so far (the header's sequence).
    #[must_use]
    pub fn order(&self, id: OrderId, count: u64) -> Slot<FoundOrder<'_>> {
        self.orders.find(id, count)
    }

    /// The orders of a user from an id on, by id (full state only). Looks at every order from there on.
    pub fn owned_from(&self, user: UserId, from: OrderId) -> impl Iterator<Item = OrderId> {
        self.orders.owned_from(user, from)
    }

    /// Open orders, in no order.
    pub fn open_orders(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.orders.open()
    }

    /// A balance; absent where it was never touched.
    #[must_use]
    pub fn balance(&self, user: UserId) -> Slot<u64> {
        self.balances.get(&user).copied().unwrap_or_else(|| self.scope.unknown())
    }

    /// Every touched balance, in no order (full state only).
    pub fn balances(&self) -> impl Iterator<Item = (UserId, u64)> {
        self.balances.iter().filter_map(|(user, slot)| slot.loaded().map(|balance| (*user, balance)))
    }

    /// Whether a coupon was redeemed.
    #[must_use]
    pub fn redemption(&self, user_coupon_id: u64) -> Slot<()> {
        if self.redeemed.contains(&user_coupon_id) {
            Slot::Loaded(())
        } else if self.scope == Scope::Full || self.unredeemed.contains(&user_coupon_id) {
            Slot::Absent
        } else {
            Slot::NotLoaded
        }
    }

    /// What sells best (full state only).
    #[must_use]
    pub const fn sales(&self) -> &Sales {
        &self.sales
    }

    /// Keeps at most so many open orders between batches instead of [`super::MAX_OPEN_KEPT`]; decides nothing.
    #[must_use]
    pub const fn keeping(mut self, open_orders: usize) -> Self {
        self.orders.keep_at_most(open_orders);
        self
    }

    /// Says how many products and options there are (projection only). Of this and all that is loaded below: what is
    /// known already is newer than any table and stays.
    pub fn load_end(&mut self, products: u64, options: u64) {
        self.catalogue.load_end(products, options);
    }

    /// Puts a stored option and its product where `Missing` asked for them (projection only).
    pub fn load_option(&mut self, id: OptionId, row: Option<(ShopOption, Arc<Product>)>) {
        self.catalogue.load_option(id, row);
    }

    /// Puts a stored order where `Missing` asked for it (projection only).
    pub fn load_order(&mut self, id: OrderId, row: Option<(Arc<Order>, OrderStatus)>) {
        self.orders.load(id, row);
    }

    /// Puts the stored open orders that fall due after a place, sorted so; `all` where there are no more (projection only).
    pub fn load_open_after(&mut self, after: Due, rows: Vec<Arc<Order>>, all: bool) {
        self.orders.load_open_after(after, rows, all);
    }

    /// Puts a stored balance where `Missing` asked for it (projection only).
    pub fn load_balance(&mut self, user: UserId, balance: Option<u64>) {
        self.balances.entry(user).or_insert(balance.map_or(Slot::Absent, Slot::Loaded));
    }

    /// Says whether a coupon was redeemed where `Missing` asked for it (projection only).
    pub fn load_redemption(&mut self, user_coupon_id: u64, redeemed: bool) {
        let known = if redeemed { &mut self.redeemed } else { &mut self.unredeemed };
        known.insert(user_coupon_id);
    }

    /// Drops what only a batch needed, so that memory stays bounded (projection only). The catalogue stays. Only for a
    /// batch whose changes the tables hold: what is dropped is read from there again.
    pub fn settle(&mut self) {
        self.balances.clear();
        self.redeemed.clear();
        self.unredeemed.clear();
        self.catalogue.settle();
        self.orders.settle();
    }

    /// What judging a record will surely need and is not loaded, so that a batch can be loaded in one go.
    #[must_use]
    pub fn keys_of(&self, record: &Record) -> Vec<ShopKey> {
        let mut keys = Vec::new();
        match record {
            Record::ProductListed(_) => {
                keys.extend(self.catalogue.end().is_none().then_some(ShopKey::CatalogueEnd))
            }
            Record::StockAdjusted(record) => self.want_option(record.product_option_id, &mut keys),
            Record::BalanceSet(record) => self.want_balance(record.user_id, &mut keys),
            Record::BalanceCharged(record) => self.want_balance(record.user_id, &mut keys),
            Record::OrderPlaced(record) => {
                let items = record.items.iter().take(MAX_ITEMS);
                items.for_each(|item| self.want_option(item.product_option_id, &mut keys));
            }
            Record::PaymentRequested(record) => {
                self.want_balance(record.user_id, &mut keys);
                // An order of this very batch is absent by any count but the header's: asking twice costs little.
                if let Some(id) = OrderId::from_wire(record.order_id)
                    && self.orders.find(id, u64::MAX) == Slot::NotLoaded
                {
                    keys.push(ShopKey::Order(id));
                }
                let coupon = record.proof.as_ref().and_then(|proof| u64::try_from(proof.user_coupon_id).ok());
                if let Some(id) = coupon.filter(|id| self.redemption(*id) == Slot::NotLoaded) {
                    keys.push(ShopKey::Redemption(id));
                }
            }
            _ => {}
        }
        keys
    }

    fn want_option(&self, id: i64, keys: &mut Vec<ShopKey>) {
        if let Some(id) = OptionId::from_wire(id)
            && self.option(id) == Slot::NotLoaded
        {
            keys.push(ShopKey::Option(id));
        }
    }

    fn want_balance(&self, user: i64, keys: &mut Vec<ShopKey>) {
        if let Some(user) = UserId::from_wire(user)
            && self.balance(user) == Slot::NotLoaded
        {
            keys.push(ShopKey::Balance(user));
        }
    }
}

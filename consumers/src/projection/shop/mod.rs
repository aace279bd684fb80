//! `order-projection`: tables `products`, `product_options`, `orders`, `order_items`, `coupon_redemptions`, `balances`,
//! `balance_logs` and `outbox`, all of a batch in one transaction.

mod rows;
mod tables;

pub use tables::Tables;

use super::Projection;
use domain::{
    Scope, Slot,
    shop::{Due, MAX_EXPIRIES, Order, Shop, ShopChange, ShopKey},
};
use migrations::entity::{
    Numbered, balances, coupon_redemptions,
    orders::{self, WithItems},
    product_options, products,
};
use schemas::{OptionId, OrderId, Record, UserId};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Open orders that are loaded at once: as many as one record may expire, and the one that falls due after them.
const OPEN_ORDERS: usize = MAX_EXPIRIES + 1;

impl Projection for Shop {
    const GROUP: &'static str = schemas::groups::ORDER;

    fn empty(scope: Scope) -> Self {
        Self::new(scope)
    }

    fn wanted(&self, records: &[&Record]) -> Vec<ShopKey> {
        let keys: BTreeSet<ShopKey> = records.iter().flat_map(|record| self.keys_of(record)).collect();
        keys.into_iter().collect()
    }

    async fn load(&mut self, db: &DatabaseConnection, keys: &[ShopKey]) -> Result<(), DbErr> {
        let Wanted { end, options, balances, orders, redemptions, after } = Wanted::of(self, keys);
        if end {
            let (products, options) =
                (products::Entity::last_id(db).await?, product_options::Entity::last_id(db).await?);
            self.load_end(products, options);
        }
        let mut lines = load_orders(self, db, &orders).await?;
        for due in after {
            lines.extend(load_open_orders(self, db, due).await?);
        }
        load_options(self, db, options, lines).await?;
        if !balances.is_empty() {
            let ids: Vec<u64> = balances.iter().map(|user| user.get()).collect();
            let found = balances::Entity::find_by_ids(db, &ids).await?;
            let found: HashMap<u64, u64> = found.into_iter().map(|row| (row.user_id, row.balance)).collect();
            balances.iter().for_each(|user| self.load_balance(*user, found.get(&user.get()).copied()));
        }
        if !redemptions.is_empty() {
            let found = coupon_redemptions::Entity::find_by_ids(db, &redemptions).await?;
            let found: HashSet<u64> = found.into_iter().map(|row| row.user_coupon_id).collect();
            redemptions.iter().for_each(|id| self.load_redemption(*id, found.contains(id)));
        }
        Ok(())
    }

    async fn write(transaction: &DatabaseTransaction, changes: &[ShopChange]) -> Result<(), DbErr> {
        let mut tables = Tables::default();
        changes.iter().for_each(|change| tables.take(change));
        tables.write(transaction).await
    }

    fn settle(&mut self) {
        Self::settle(self);
    }
}

/// Keys by kind, without those that are loaded: what a batch made of a row is newer than the table.
#[derive(Default)]
struct Wanted {
    end: bool,
    options: BTreeSet<OptionId>,
    balances: Vec<UserId>,
    orders: Vec<OrderId>,
    redemptions: Vec<u64>,
    after: Vec<Due>,
}

impl Wanted {
    fn of(shop: &Shop, keys: &[ShopKey]) -> Self {
        let mut wanted = Self::default();
        for key in keys {
            match *key {
                ShopKey::CatalogueEnd => wanted.end = shop.catalogue().end().is_none(),
                ShopKey::Option(id) => wanted.options.extend([id]),
                ShopKey::Balance(user) if shop.balance(user) == Slot::NotLoaded => wanted.balances.push(user),
                ShopKey::Redemption(id) if shop.redemption(id) == Slot::NotLoaded => {
                    wanted.redemptions.push(id);
                }
                ShopKey::Balance(_) | ShopKey::Redemption(_) => {}
                ShopKey::Order(id) => wanted.orders.push(id),
                ShopKey::OpenOrdersAfter(due) => wanted.after.push(due),
            }
        }
        wanted
    }
}

/// Loads orders and returns the options that closing them needs.
async fn load_orders(
    shop: &mut Shop,
    db: &DatabaseConnection,
    ids: &[OrderId],
) -> Result<Vec<OptionId>, DbErr> {
    let mut lines = Vec::new();
    if ids.is_empty() {
        return Ok(lines);
    }
    let raw: Vec<u64> = ids.iter().map(|id| id.get()).collect();
    let found = orders::Entity::find_by_ids(db, &raw).await?;
    let found = orders::with_items(db, found).await?;
    let mut found: HashMap<u64, WithItems> = found.into_iter().map(|row| (row.0.id, row)).collect();
    for id in ids {
        let row = found.remove(&id.get()).map(|row| rows::order_of(row).ok_or_else(|| unreadable(id.get())));
        let row = row.transpose()?;
        lines.extend(row.iter().flat_map(|(order, _)| options_of(order)));
        shop.load_order(*id, row);
    }
    Ok(lines)
}

/// Loads the open orders that fall due next and returns the options that closing them needs.
async fn load_open_orders(
    shop: &mut Shop,
    db: &DatabaseConnection,
    after: Due,
) -> Result<Vec<OptionId>, DbErr> {
    let place = (after.expires_at_ms, after.order_id);
    let found = orders::pending_after(db, place, OPEN_ORDERS as u64).await?;
    let all = found.len() < OPEN_ORDERS;
    let mut open: Vec<Arc<Order>> = Vec::with_capacity(found.len());
    for row in found {
        let id = row.0.id;
        open.push(rows::order_of(row).ok_or_else(|| unreadable(id))?.0);
    }
    let lines = open.iter().flat_map(|order| options_of(order)).collect();
    shop.load_open_after(after, open, all);
    Ok(lines)
}

fn options_of(order: &Order) -> impl Iterator<Item = OptionId> {
    order.lines.iter().map(|line| line.option_id)
}

fn unreadable(order_id: u64) -> DbErr {
    DbErr::RecordNotFound(format!("order {order_id} in MySQL is none that this binary can have written"))
}

/// Loads options with their products; those of orders must be there.
async fn load_options(
    shop: &mut Shop,
    db: &DatabaseConnection,
    asked: BTreeSet<OptionId>,
    of_orders: Vec<OptionId>,
) -> Result<(), DbErr> {
    let must_be_there: BTreeSet<OptionId> = of_orders.into_iter().collect();
    let wanted: Vec<OptionId> =
        asked.union(&must_be_there).copied().filter(|id| shop.option(*id) == Slot::NotLoaded).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let raw: Vec<u64> = wanted.iter().map(|id| id.get()).collect();
    let found = product_options::Entity::find_by_ids(db, &raw).await?;
    let product_ids: Vec<u64> = found.iter().map(|row| row.product_id).collect();
    let products = products::Entity::find_by_ids(db, &product_ids).await?;
    let products: HashMap<u64, Arc<_>> =
        products.into_iter().map(|row| (row.id, Arc::new(rows::product_of(row)))).collect();
    let mut found: HashMap<OptionId, _> = found.into_iter().filter_map(rows::option_of).collect();
    for id in wanted {
        let row = found.remove(&id).map(|option| {
            let product = products.get(&option.product_id.get()).cloned();
            (option, product)
        });
        let row = match row {
            Some((option, Some(product))) => Some((option, product)),
            None if !must_be_there.contains(&id) => None,
            _ => return Err(DbErr::RecordNotFound(format!("MySQL lost option {id} or its product"))),
        };
        shop.load_option(id, row);
    }
    Ok(())
}

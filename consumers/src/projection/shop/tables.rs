//! What changes of the shop come to, table by table: what several changes of one row leave is one row.

use super::rows;
use domain::shop::ShopChange;
use migrations::entity::{
    balance_logs, balances, coupon_redemptions, order_items,
    orders::{self, Closing},
    outbox,
    product_options::{self, Levels},
    products,
};
use sea_orm::{DatabaseTransaction, DbErr};
use std::collections::BTreeMap;

/// Rows by primary key: new ones in full, and what becomes of those that are there already.
///
/// Changes from the beginning of the log on leave new ones only, which is what the audit compares with.
#[derive(Debug, Default)]
pub struct Tables {
    /// New products.
    pub products: BTreeMap<u64, products::Model>,
    /// New options.
    pub options: BTreeMap<u64, product_options::Model>,
    /// New levels of options that are there.
    pub levels: BTreeMap<u64, Levels>,
    /// New orders.
    pub orders: BTreeMap<u64, orders::Model>,
    /// Their lines.
    pub items: BTreeMap<u64, order_items::Model>,
    /// Orders that are there and are closed.
    pub closings: BTreeMap<u64, Closing>,
    /// Redeemed coupons. A list: one that is redeemed twice must meet the table's key, not vanish here.
    pub redemptions: Vec<coupon_redemptions::Model>,
    /// Balances, new or not.
    pub balances: BTreeMap<u64, balances::Model>,
    /// New changes of balances.
    pub logs: BTreeMap<u64, balance_logs::Model>,
    /// Decided payments that others must hear of.
    pub outbox: BTreeMap<u64, outbox::Model>,
}

impl Tables {
    /// Takes a change in; in the order of the log.
    pub fn take(&mut self, change: &ShopChange) {
        match change {
            ShopChange::Listed { listing, at_ms: _ } => {
                let product = rows::product_row(listing.product_id, &listing.product);
                self.products.insert(product.id, product);
                let options = listing.options.iter().map(|(id, option)| rows::option_row(*id, option));
                self.options.extend(options.map(|row| (row.id, row)));
            }
            ShopChange::Option(id, option) => {
                let row = rows::option_row(*id, option);
                match self.options.get_mut(&row.id) {
                    Some(fresh) => *fresh = row,
                    None => {
                        self.levels.insert(row.id, row.levels());
                    }
                }
            }
            ShopChange::Balance { change, offset, at_ms } => {
                let log = rows::log_row(change, *offset, *at_ms);
                let balance = balances::Model { user_id: log.user_id, balance: log.balance };
                self.balances.insert(balance.user_id, balance);
                self.logs.insert(log.id, log);
            }
            ShopChange::Placed(order) => {
                let row = rows::order_row(order);
                self.orders.insert(row.id, row);
                self.items.extend(rows::item_rows(order).map(|row| (row.id, row)));
            }
            ShopChange::Expired { order_id, at_ms } => self.close(rows::expired(*order_id, *at_ms)),
            ShopChange::Paid { payment, offset, at_ms } => {
                self.close(rows::paid(payment, *at_ms));
                self.redemptions.extend(rows::redemption_row(payment, *at_ms));
                self.outbox.insert(*offset, rows::captured_row(payment, *offset, *at_ms));
            }
            ShopChange::Declined { decline, offset, at_ms } => {
                let row = rows::declined_row(decline, *offset, *at_ms);
                self.outbox.extend(row.map(|row| (*offset, row)));
            }
        }
    }

    fn close(&mut self, closing: Closing) {
        match self.orders.get_mut(&closing.id) {
            Some(fresh) => rows::closed(fresh, closing),
            None => {
                self.closings.insert(closing.id, closing);
            }
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// The database's own; a row that should be there and is not.
    pub async fn write(mut self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        products::insert_many(transaction, &values(self.products)).await?;
        product_options::insert_many(transaction, &values(self.options)).await?;
        let levels = values(self.levels);
        let found = product_options::set_levels(transaction, &levels).await?;
        all_there("options", found, &levels)?;
        orders::insert_many(transaction, &values(self.orders)).await?;
        order_items::insert_many(transaction, &values(self.items)).await?;
        let closings = values(self.closings);
        let found = orders::close(transaction, &closings).await?;
        all_there("pending orders", found, &closings)?;
        self.redemptions.sort_unstable_by_key(|row| row.user_coupon_id);
        coupon_redemptions::insert_many(transaction, &self.redemptions).await?;
        balances::upsert_many(transaction, &values(self.balances)).await?;
        balance_logs::insert_many(transaction, &values(self.logs)).await?;
        outbox::insert_many(transaction, &values(self.outbox)).await
    }
}

fn values<V>(rows: BTreeMap<u64, V>) -> Vec<V> {
    rows.into_values().collect()
}

fn all_there<T: std::fmt::Debug>(what: &str, found: u64, rows: &[T]) -> Result<(), DbErr> {
    if found == rows.len() as u64 {
        return Ok(());
    }
    let lost = format!(
        "MySQL lost {what}: {found} of {} are there, the first of them {:?}",
        rows.len(),
        rows.first()
    );
    Err(DbErr::RecordNotFound(lost))
}

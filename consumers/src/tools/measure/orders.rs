//! The same for the shop: orders that are paid at once, and the rows they come to.

use super::{Appender, Measured};
use crate::{config::Config, limits};
use migrations::{
    bulk::{self, Row},
    entity::{balance_logs, balances, order_items, orders, outbox},
};
use schemas::{
    Topic, Uuid,
    records::{OrderItem, OrderPlaced, PaymentRequested, ProductListed, ProductOption},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, Value};
use std::time::Instant;

/// Options of the one product, ordered in turn.
const OPTIONS: i64 = 8;
/// Units of each: more than anybody orders here.
const STOCK: i64 = 1 << 40;
/// Minor units of a piece.
const PRICE: i64 = 1_000;
/// Time to pay, in ms; nobody waits for it.
const TTL_MS: i64 = 600_000;

/// Lists a product and appends orders of distinct users, each followed by its payment; blocking. The log must hold no
/// product and no order yet: ids are dense, so they are known beforehand.
///
/// # Errors
/// A service that does not answer.
pub fn backlog(config: &Config, count: u64) -> anyhow::Result<Measured> {
    let log = Appender::to(Topic::Order, config)?;
    let option = |n: i64| ProductOption { color: "black".into(), size: n.to_string(), stock: STOCK };
    let listed = ProductListed {
        event_id: Uuid::new_v4(),
        fingerprint: None,
        name: "bench".into(),
        category: "BENCH".into(),
        description: String::new(),
        price: PRICE,
        available: true,
        options: (1..=OPTIONS).map(option).collect(),
    };
    let began = Instant::now();
    log.append(&listed.into())?;
    for order_id in 1..=count as i64 {
        let user_id = order_id;
        let items = vec![OrderItem { product_option_id: order_id % OPTIONS + 1, quantity: 1 }];
        let placed = OrderPlaced { event_id: Uuid::new_v4(), fingerprint: None, user_id, items };
        log.append(&placed.into())?;
        let requested = PaymentRequested {
            event_id: Uuid::new_v4(),
            fingerprint: None,
            order_id,
            user_id,
            coupon_id: None,
            proof: None,
        };
        log.append(&requested.into())?;
    }
    log.finish()?;
    Ok(Measured { count, seconds: began.elapsed().as_secs_f64() })
}

/// A row in a table like its own that no projection owns.
struct Raw<R>(R);

macro_rules! raw {
    ($($model:ty => $table:literal from $original:literal;)*) => {
        $(impl Row for Raw<$model> {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = <$model as Row>::COLUMNS;
            type Key<'a> = u64;

            fn key(&self) -> u64 {
                self.0.key()
            }

            fn values(&self, to: &mut Vec<Value>) {
                self.0.values(to);
            }
        })*

        /// Tables that are written, and the ones they are like.
        const TABLES: &[(&str, &str)] = &[$(($table, $original)),*];
    };
}

raw! {
    orders::Model => "orders_raw" from "orders";
    order_items::Model => "order_items_raw" from "order_items";
    balances::Model => "balances_raw" from "balances";
    balance_logs::Model => "balance_logs_raw" from "balance_logs";
    outbox::Model => "outbox_raw" from "outbox";
}

/// Inserts the rows of so many paid orders over one connection, as the one partition of orders has one: no offsets, no
/// checks, no second statement for the payment. Counts rows.
///
/// # Errors
/// The database's own.
pub async fn raw_inserts(config: &Config, count: u64) -> anyhow::Result<Measured> {
    let db = config.writer_pool().await?;
    for (table, original) in TABLES {
        db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
        db.execute_unprepared(&format!("CREATE TABLE {table} LIKE {original}")).await?;
    }
    let began = Instant::now();
    let ids: Vec<u64> = (1..=count).collect();
    for ids in ids.chunks(limits::MAX_BATCH_RECORDS / 2) {
        insert(&db, ids).await?;
    }
    Ok(Measured { count: count * TABLES.len() as u64, seconds: began.elapsed().as_secs_f64() })
}

async fn insert(db: &DatabaseConnection, ids: &[u64]) -> anyhow::Result<()> {
    bulk::insert(db, &rows(ids, order)).await?;
    bulk::insert(db, &rows(ids, item)).await?;
    bulk::insert(db, &rows(ids, |user_id| balances::Model { user_id, balance: 0 })).await?;
    bulk::insert(db, &rows(ids, balance_log)).await?;
    Ok(bulk::insert(db, &rows(ids, decided)).await?)
}

fn rows<R>(ids: &[u64], row: fn(u64) -> R) -> Vec<Raw<R>> {
    ids.iter().map(|id| Raw(row(*id))).collect()
}

fn order(id: u64) -> orders::Model {
    orders::Model {
        id,
        user_id: id,
        status: orders::PAID,
        total: PRICE.unsigned_abs(),
        discount: 0,
        paid: PRICE.unsigned_abs(),
        user_coupon_id: None,
        placed_at_ms: 0,
        expires_at_ms: TTL_MS,
        closed_at_ms: Some(0),
    }
}

fn item(order_id: u64) -> order_items::Model {
    order_items::Model {
        id: order_id * order_items::IDS_PER_ORDER,
        order_id,
        product_option_id: order_id % OPTIONS.unsigned_abs() + 1,
        product_id: 1,
        product_name: "bench".into(),
        price: PRICE.unsigned_abs(),
        quantity: 1,
    }
}

/// Of the payment's record: the product stands before all orders, and each order before its payment.
fn balance_log(order_id: u64) -> balance_logs::Model {
    balance_logs::Model {
        id: (2 * order_id + 1) * balance_logs::IDS_PER_OFFSET,
        user_id: order_id,
        code: balance_logs::PAYMENT,
        amount: -PRICE,
        balance: 0,
        ref_id: Some(order_id),
        at_ms: 0,
    }
}

fn decided(order_id: u64) -> outbox::Model {
    outbox::Model {
        source_offset: 2 * order_id + 1,
        kind: outbox::CAPTURED,
        order_id,
        user_id: order_id,
        total: PRICE.unsigned_abs(),
        discount: 0,
        paid: PRICE.unsigned_abs(),
        user_coupon_id: None,
        reason: None,
        at_ms: 0,
    }
}

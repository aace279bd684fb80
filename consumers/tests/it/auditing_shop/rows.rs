//! Whatever is wrong in the tables of the shop and of the dispatches.

use super::{audit_of, in_busy_world, none_of, unnamed};
use crate::world::World;
use consumers::{audit, config::Config};
use futures_util::{StreamExt, stream};
use schemas::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};

/// An audit mostly waits.
const COPIES: usize = 6;

/// What is done to MySQL, and what the audit must say.
type Corruption = (&'static str, &'static str);

const CATALOGUE: [Corruption; 14] = [
    ("UPDATE products SET price = price + 1 WHERE id = 1", "products 1: the log says"),
    ("UPDATE products SET name = 'shoe ' WHERE id = 1", "products 1: the log says"),
    ("UPDATE products SET available = TRUE WHERE id = 2", "products 2: the log says"),
    ("DELETE FROM products WHERE id = 2", "products 2: MySQL lacks"),
    ("INSERT INTO products VALUES (9, 'x', 'y', '', 1, 1, 1)", "products 9: the log knows nothing of"),
    ("INSERT INTO products VALUES (0, 'x', 'y', '', 1, 1, 1)", "products 0: the log knows nothing of"),
    ("UPDATE product_options SET stock = stock - 1 WHERE id = 1", "stock of option 1 does not add up"),
    ("UPDATE product_options SET sold = sold + 1 WHERE id = 2", "stock of option 2 does not add up"),
    (
        "UPDATE product_options SET sold = sold + 1, stock = stock - 1 WHERE id = 2",
        "stock of option 2 does not add up",
    ),
    ("UPDATE product_options SET reserved = 0 WHERE id = 2", "stock of option 2 does not add up"),
    (
        "UPDATE product_options SET listed = listed + 5, stock = stock + 5 WHERE id = 4",
        "product_options 4: the log says",
    ),
    ("UPDATE product_options SET stock = ~0, sold = ~0 WHERE id = 4", "stock of option 4 does not add up"),
    ("UPDATE product_options SET product_id = 2 WHERE id = 3", "product_options 3: the log says"),
    ("DELETE FROM product_options WHERE id = 3", "product_options 3: MySQL lacks"),
];

const ORDERS: [Corruption; 17] = [
    ("DELETE FROM orders WHERE id = 1", "orders 1: MySQL lacks"),
    ("DELETE FROM orders WHERE id = 5", "money does not add up"),
    ("UPDATE orders SET paid = paid - 1, discount = discount + 1 WHERE id = 1", "money does not add up"),
    ("UPDATE orders SET total = total + 1 WHERE id = 7", "orders 7: the log says"),
    ("UPDATE orders SET user_id = 2 WHERE id = 1", "orders 1: the log says"),
    ("UPDATE orders SET closed_at_ms = closed_at_ms + 1 WHERE id = 6", "orders 6: the log says"),
    ("UPDATE orders SET expires_at_ms = expires_at_ms + 1 WHERE id = 8", "orders 8: the log says"),
    // Expired and open again; open and expired; paid and never paid; cancelled, which nobody can.
    ("UPDATE orders SET status = 0, closed_at_ms = NULL WHERE id = 3", "stock of option 1 does not add up"),
    ("UPDATE orders SET status = 2, closed_at_ms = 1 WHERE id = 7", "orders 7: the log says"),
    ("UPDATE orders SET status = 1, closed_at_ms = 1, paid = total WHERE id = 8", "orders 8: the log says"),
    ("UPDATE orders SET status = 3, closed_at_ms = 1 WHERE id = 8", "orders 8: the log says"),
    ("INSERT INTO orders VALUES (99, 1, 1, 0, 0, 0, NULL, 1, 2, 1)", "orders 99: the log knows nothing of"),
    (
        "UPDATE order_items SET quantity = quantity + 1 WHERE order_id = 7",
        "stock of option 2 does not add up",
    ),
    ("UPDATE order_items SET quantity = ~0 WHERE product_option_id = 1", "stock of option 1 does not add up"),
    (
        "UPDATE order_items SET price = 1 WHERE order_id = 2 AND product_option_id = 1",
        "order_items 256: the log",
    ),
    ("DELETE FROM order_items WHERE id = 257", "order_items 257: MySQL lacks"),
    (
        "INSERT INTO order_items VALUES (129, 1, 3, 1, 'shoe', 1000, 1)",
        "order_items 129: the log knows nothing of",
    ),
];

/// User 2 redeemed piece 2 of coupon 1 with order 2; piece 5 is user 5's and nobody used it; there is no coupon 7.
const REDEMPTIONS: [Corruption; 10] = [
    (
        "DELETE FROM coupon_redemptions WHERE order_id = 2",
        "order 2 was paid with a coupon that is not redeemed with it",
    ),
    (
        "UPDATE coupon_redemptions SET at_ms = at_ms + 1 WHERE order_id = 2",
        "coupon_redemptions 4294967298: the log",
    ),
    ("UPDATE coupon_redemptions SET user_id = 3 WHERE order_id = 2", "order 2, which says otherwise"),
    ("UPDATE coupon_redemptions SET order_id = 7 WHERE order_id = 2", "with order 7, which is not paid"),
    ("UPDATE coupon_redemptions SET order_id = 3 WHERE order_id = 2", "with order 3, which is not paid"),
    (
        "INSERT INTO coupon_redemptions VALUES ((7 << 32) + 1, 1, 1, 1)",
        "coupon 30064771073 was redeemed with order 1, which says otherwise",
    ),
    (
        "UPDATE coupon_redemptions r JOIN orders o ON o.id = r.order_id \
         SET r.user_coupon_id = (7 << 32) + 1, o.user_coupon_id = (7 << 32) + 1 WHERE o.id = 2",
        "coupon 30064771073 was redeemed by user 2, and nobody won it",
    ),
    (
        "UPDATE coupon_redemptions r JOIN orders o ON o.id = r.order_id \
         SET r.user_coupon_id = (1 << 32) + 5, o.user_coupon_id = (1 << 32) + 5 WHERE o.id = 2",
        "coupon 4294967301 was redeemed by user 2, and user 5 won it",
    ),
    (
        "UPDATE orders SET discount = discount + 100, paid = paid - 100 WHERE id = 2",
        "coupon 4294967298 was redeemed for 300 off order 2, and its rate gives 200",
    ),
    ("UPDATE orders SET user_coupon_id = (1 << 32) + 2 WHERE id = 5", "order 5 was paid with a coupon"),
];

const MONEY: [Corruption; 13] = [
    ("UPDATE balances SET balance = balance + 1 WHERE user_id = 1", "money does not add up"),
    (
        "UPDATE balances SET balance = IF(user_id = 1, balance + 1, balance - 1) WHERE user_id IN (1, 2)",
        "balances 2: the log says",
    ),
    ("DELETE FROM balances WHERE user_id = 4", "balances 4: MySQL lacks"),
    ("INSERT INTO balances VALUES (77, 0)", "balances 77: the log knows nothing of"),
    ("INSERT INTO balances VALUES (0, 0)", "balances 0: the log knows nothing of"),
    ("DELETE FROM balance_logs WHERE ref_id = 1", "MySQL lacks Model { id: "),
    ("DELETE FROM balance_logs WHERE code = 2 AND user_id = 2", "MySQL lacks Model { id: "),
    ("UPDATE balance_logs SET amount = amount + 1 WHERE code = 1 AND user_id = 4", "amount: 4001"),
    ("UPDATE balance_logs SET balance = balance + 1 WHERE code = 2 AND user_id = 2", "balance: 5001"),
    ("UPDATE balance_logs SET ref_id = 5 WHERE ref_id = 1", "ref_id: Some(5)"),
    ("UPDATE balance_logs SET code = 2 WHERE code = 1 AND user_id = 1", "code: 2, amount: 10000"),
    ("UPDATE balance_logs SET user_id = 9 WHERE ref_id = 6", "user_id: 9"),
    (
        "INSERT INTO balance_logs VALUES (77, 1, 2, 5, 5, NULL, 1)",
        "balance_logs 77: the log knows nothing of",
    ),
];

const OUTBOX: [Corruption; 6] = [
    (
        "INSERT INTO outbox VALUES (99999, 1, 7, 1, 1000, 0, 1000, NULL, NULL, 1)",
        "outbox 99999: the log knows nothing of",
    ),
    // Where the log's rules stand: no payment was decided there, and the relay would publish it.
    (
        "INSERT INTO outbox VALUES (0, 1, 7, 1, 1000, 0, 1000, NULL, NULL, 1)",
        "outbox 0: the log knows nothing of",
    ),
    (
        "INSERT INTO outbox SELECT source_offset, 1, order_id, user_id, total, discount, paid + 1, NULL, NULL, \
         paid_at_ms FROM external_dispatches WHERE order_id = 1",
        "the log says Model { source_offset: ",
    ),
    (
        "INSERT INTO outbox SELECT source_offset, 2, order_id, user_id, total, 0, 0, NULL, 'PAY001', paid_at_ms \
         FROM external_dispatches WHERE order_id = 1",
        "the log says Model { source_offset: ",
    ),
    (
        "INSERT INTO outbox SELECT source_offset, 1, 7, user_id, total, discount, paid, NULL, NULL, paid_at_ms \
         FROM external_dispatches WHERE order_id = 1",
        "the log says Model { source_offset: ",
    ),
    // One offset further than the payment.
    (
        "INSERT INTO outbox SELECT source_offset + 1, 1, order_id, user_id, total, discount, paid, NULL, NULL, \
         paid_at_ms FROM external_dispatches WHERE order_id = 1",
        "the log knows nothing of Model { source_offset: ",
    ),
];

/// Orders 1 and 2 were delivered, 4 was given up, 5 was and is tried again, 6 was never tried.
const DISPATCHES: [Corruption; 17] = [
    ("DELETE FROM external_dispatches WHERE order_id = 6", "external_dispatches 6: MySQL lacks it"),
    (
        "UPDATE external_dispatches SET state = 1, delivered_at_ms = 1 WHERE order_id = 6",
        "external_dispatches 6: the topic says state 0",
    ),
    // It would be told twice.
    (
        "UPDATE external_dispatches SET state = 0, delivered_at_ms = NULL WHERE order_id = 1",
        "external_dispatches 1: the topic says state 1",
    ),
    (
        "UPDATE external_dispatches SET state = 2, failed_at_ms = 2005 WHERE order_id = 5",
        "external_dispatches 5: the topic says state 0",
    ),
    (
        "INSERT INTO external_dispatches SELECT 3, 2, state, source_offset, user_id, total, discount, paid, \
         paid_at_ms, 0, 0, 0, NULL, NULL, NULL, NULL FROM external_dispatches WHERE order_id = 6",
        "external_dispatches 3: the topic knows nothing of",
    ),
    (
        "UPDATE external_dispatches SET paid = paid - 1 WHERE order_id = 6",
        "external_dispatches 6: the topic asks",
    ),
    (
        "UPDATE external_dispatches SET user_id = 3 WHERE order_id = 6",
        "external_dispatches 6: the topic asks",
    ),
    (
        "UPDATE external_dispatches SET source_offset = source_offset + 1 WHERE order_id = 6",
        "external_dispatches 6: the topic asks",
    ),
    (
        "UPDATE external_dispatches SET paid_at_ms = paid_at_ms + 1 WHERE order_id = 6",
        "external_dispatches 6: the topic asks",
    ),
    (
        "UPDATE external_dispatches SET delivered_at_ms = delivered_at_ms + 1 WHERE order_id = 2",
        "external_dispatches 2: the topic says [",
    ),
    (
        "UPDATE external_dispatches SET failed_at_ms = failed_at_ms + 1 WHERE order_id = 4",
        "external_dispatches 4: the topic says [",
    ),
    // Nobody would ever look at it.
    (
        "UPDATE external_dispatches SET partition_id = 0 WHERE order_id = 6",
        "external_dispatches 6: it belongs to",
    ),
    ("DELETE FROM platform_events WHERE event_id = 'event'", "platform_events \"event\": the topic says"),
    (
        "UPDATE platform_events SET order_id = 2 WHERE event_id = 'event'",
        "platform_events \"event\": the topic says",
    ),
    (
        "UPDATE platform_events SET occurred_at_ms = 1 WHERE event_id = 'event'",
        "platform_events \"event\": the topic says",
    ),
    (
        "UPDATE platform_events SET received_at_ms = received_at_ms + 1 WHERE event_id = 'event'",
        "platform_events \"event\": the topic says",
    ),
    (
        "INSERT INTO platform_events VALUES ('made up', 1, 'LOST', 1, 1)",
        "platform_events \"made up\": the topic knows nothing of",
    ),
];

const PLACES: [Corruption; 8] = [
    (
        "UPDATE projection_offset SET digest = X'0123456789abcdef' WHERE group_name = 'order-projection'",
        "order-0: MySQL's digest at offset",
    ),
    (
        "UPDATE projection_offset SET clock_ms = clock_ms - 1 WHERE group_name = 'order-projection'",
        "order-0: MySQL's clock_ms at offset",
    ),
    // Orders that are due would stay open.
    (
        "UPDATE projection_offset SET earliest_due_ms = NULL WHERE group_name = 'order-projection'",
        "order-0: MySQL's earliest_due_ms at offset",
    ),
    (
        "UPDATE projection_offset SET next_seq = next_seq + 1 WHERE group_name = 'order-projection'",
        "order-0: MySQL's next_seq at offset",
    ),
    (
        "UPDATE projection_offset SET dead_lettered = 1 WHERE group_name = 'order-projection'",
        "order-0: 0 records are malformed, 1 became dead letters",
    ),
    // As if it had been applied: rows of it are missing.
    (
        "UPDATE projection_offset SET next_offset = next_offset - 1 WHERE group_name = 'order-projection'",
        "order-0: MySQL's digest at offset",
    ),
    (
        "UPDATE projection_offset SET next_offset = 1000 \
         WHERE group_name = 'external-platform' AND partition_id = 5",
        "external-platform-5: MySQL waits for offset 1000",
    ),
    (
        "DELETE FROM projection_offset WHERE group_name = 'order-projection'",
        "orders 1: the log knows nothing of",
    ),
];

/// A copy of the database that forbids nothing.
struct Copy<'a> {
    world: &'a World,
    schema: String,
    config: Config,
    db: DatabaseConnection,
}

impl<'a> Copy<'a> {
    async fn of(world: &'a World) -> anyhow::Result<Self> {
        let (host, _) = world.config.database_url.rsplit_once('/').unwrap_or_default();
        let schema = format!("tidemark_test_{}", Uuid::new_v4().simple());
        world.sql(&format!("CREATE DATABASE {schema}")).await?;
        let config = Config { database_url: format!("{host}/{schema}"), ..world.config.clone() };
        let db = config.writer_pool().await?;
        let copy = Self { world, schema, config, db };
        for table in world.tables().await? {
            let Self { schema, .. } = &copy;
            world.sql(&format!("CREATE TABLE {schema}.{table} SELECT * FROM {table}")).await?;
        }
        Ok(copy)
    }

    /// Does one thing wrong and mends it. Returns what the audit did not say in between.
    async fn try_out(&self, (sql, expected): Corruption) -> anyhow::Result<Option<String>> {
        let touched = self.db.execute_unprepared(sql).await?.rows_affected();
        anyhow::ensure!(touched > 0, "{sql} touched no row");
        let report = audit_of(&self.config).await;
        let unseen = match &report {
            Ok(report) => unnamed(sql, expected, report),
            Err(error) => Some(format!("{sql}: the audit failed: {error:#}")),
        };
        self.mend().await?;
        Ok(unseen)
    }

    async fn mend(&self) -> anyhow::Result<()> {
        let tables = self.world.tables().await?;
        let transaction = self.world.db.begin().await?;
        for table in tables {
            let Self { schema, .. } = self;
            transaction.execute_unprepared(&format!("DELETE FROM {schema}.{table}")).await?;
            let put = format!("INSERT INTO {schema}.{table} SELECT * FROM {table}");
            transaction.execute_unprepared(&put).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn remove(self) -> anyhow::Result<()> {
        self.db.close().await?;
        self.world.sql(&format!("DROP DATABASE {}", self.schema)).await.map(drop)
    }
}

async fn try_all(copy: &Copy<'_>, corruptions: &[Corruption]) -> anyhow::Result<Vec<String>> {
    let mut unseen = Vec::new();
    for corruption in corruptions {
        unseen.extend(copy.try_out(*corruption).await?);
    }
    let mended: audit::Report = audit_of(&copy.config).await?;
    anyhow::ensure!(mended.clean, "all is mended: {mended}");
    Ok(unseen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_the_shop_in_mysql_is_found() -> anyhow::Result<()> {
    in_busy_world(async |world| {
        let all = [&CATALOGUE[..], &ORDERS, &REDEMPTIONS, &MONEY, &OUTBOX, &DISPATCHES, &PLACES].concat();
        let lists = all.chunks(all.len().div_ceil(COPIES));
        let tried = stream::iter(lists).map(async |corruptions| {
            let copy = Copy::of(world).await?;
            let unseen = try_all(&copy, corruptions).await;
            copy.remove().await?;
            unseen
        });
        let tried: Vec<anyhow::Result<Vec<String>>> = tried.buffer_unordered(COPIES).collect().await;
        let unseen: anyhow::Result<Vec<Vec<String>>> = tried.into_iter().collect();
        none_of(unseen?.concat())?;
        world.clean_audit().await?;
        Ok(())
    })
    .await
}

//! All rows of a database, to be compared, emptied, kept and put back.

use crate::world::World;
use migrations::entity::{
    Numbered, balance_logs, balances, campaigns, coupon_redemptions, coupons, order_items, orders,
    product_options, products, projection_offset, user_coupons, users,
};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryOrder, Statement, TransactionTrait};

/// Everything that the log decides; epochs are not among it.
#[derive(Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) users: Vec<users::Model>,
    pub(crate) coupons: Vec<coupons::Model>,
    pub(crate) campaigns: Vec<campaigns::Model>,
    pub(crate) claims: Vec<user_coupons::Model>,
    pub(crate) shop: ShopRows,
    pub(crate) places: Vec<(String, i32, projection_offset::Progress)>,
}

/// What the log decides of the shop; the outbox is emptied by the relay, so it is not among it.
#[derive(Debug, PartialEq)]
pub(crate) struct ShopRows {
    pub(crate) products: Vec<products::Model>,
    pub(crate) options: Vec<product_options::Model>,
    pub(crate) orders: Vec<orders::Model>,
    pub(crate) items: Vec<order_items::Model>,
    pub(crate) redemptions: Vec<coupon_redemptions::Model>,
    pub(crate) balances: Vec<balances::Model>,
    pub(crate) logs: Vec<balance_logs::Model>,
}

/// More rows than any test has.
const ALL: u64 = u64::MAX >> 1;

impl World {
    async fn shop_rows(&self) -> anyhow::Result<ShopRows> {
        let db = &self.db;
        Ok(ShopRows {
            products: products::Entity::page(db, 0, ALL).await?,
            options: product_options::Entity::page(db, 0, ALL).await?,
            orders: orders::Entity::page(db, 0, ALL).await?,
            items: order_items::Entity::page(db, 0, ALL).await?,
            redemptions: coupon_redemptions::Entity::page(db, 0, ALL).await?,
            balances: balances::Entity::page(db, 0, ALL).await?,
            logs: balance_logs::Entity::page(db, 0, ALL).await?,
        })
    }

    /// Every row there is.
    pub(crate) async fn rows(&self) -> anyhow::Result<Rows> {
        use projection_offset::Column;
        let places = projection_offset::Entity::find().order_by_asc(Column::Topic);
        let places = places.order_by_asc(Column::PartitionId).all(&self.db).await?;
        Ok(Rows {
            users: users::Entity::page(&self.db, 0, ALL).await?,
            coupons: coupons::all(&self.db).await?,
            campaigns: campaigns::all(&self.db).await?,
            claims: user_coupons::Entity::page(&self.db, 0, ALL).await?,
            shop: self.shop_rows().await?,
            places: places.into_iter().map(|p| (p.topic.clone(), p.partition_id, p.progress())).collect(),
        })
    }

    /// Tables that a group writes.
    pub(crate) async fn tables(&self) -> anyhow::Result<Vec<String>> {
        let sql = r"SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
                    AND TABLE_NAME NOT LIKE 'kept\_%' AND TABLE_NAME <> 'seaql_migrations' ORDER BY TABLE_NAME";
        let rows = self.db.query_all_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
        rows.iter().map(|row| Ok(row.try_get("", "name")?)).collect()
    }

    /// Drops every table and makes them anew.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        let tables = self.tables().await?;
        self.sql(&format!("DROP TABLE {}, seaql_migrations", tables.join(", "))).await?;
        Ok(migrations::up(&self.db).await?)
    }

    /// Keeps a copy of every row.
    pub(crate) async fn keep_copy(&self) -> anyhow::Result<()> {
        for table in self.tables().await? {
            self.sql(&format!("CREATE TABLE kept_{table} SELECT * FROM {table}")).await?;
        }
        Ok(())
    }

    /// Puts the copy in the place of what is there, at once, as a restore of an older backup would.
    pub(crate) async fn put_back_copy(&self) -> anyhow::Result<()> {
        let transaction = self.db.begin().await?;
        for table in self.tables().await? {
            transaction.execute_unprepared(&format!("DELETE FROM {table}")).await?;
            let put = format!("INSERT INTO {table} SELECT * FROM kept_{table}");
            transaction.execute_unprepared(&put).await?;
        }
        Ok(transaction.commit().await?)
    }
}

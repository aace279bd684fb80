//! All rows of a database, to be compared, emptied, kept and put back.

use crate::world::World;
use migrations::entity::{campaigns, coupons, projection_offset, user_coupons, users};
use sea_orm::ConnectionTrait;
use sea_orm::{EntityTrait, QueryOrder, TransactionTrait};

/// Tables that a projection writes.
pub(crate) const TABLES: [&str; 5] = ["users", "coupons", "campaigns", "user_coupons", "projection_offset"];

/// Everything that the log decides; epochs are not among it.
#[derive(Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) users: Vec<users::Model>,
    pub(crate) coupons: Vec<coupons::Model>,
    pub(crate) campaigns: Vec<campaigns::Model>,
    pub(crate) claims: Vec<user_coupons::Model>,
    pub(crate) places: Vec<(String, i32, projection_offset::Progress)>,
}

impl World {
    /// Every row there is.
    pub(crate) async fn rows(&self) -> anyhow::Result<Rows> {
        use projection_offset::Column;
        let places = projection_offset::Entity::find().order_by_asc(Column::Topic);
        let places = places.order_by_asc(Column::PartitionId).all(&self.db).await?;
        Ok(Rows {
            users: users::page(&self.db, 0, u64::MAX >> 1).await?,
            coupons: coupons::all(&self.db).await?,
            campaigns: campaigns::all(&self.db).await?,
            claims: user_coupons::page(&self.db, 0, u64::MAX >> 1).await?,
            places: places.into_iter().map(|p| (p.topic.clone(), p.partition_id, p.progress())).collect(),
        })
    }

    /// Drops every table and makes them anew.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        self.sql(&format!("DROP TABLE {}, seaql_migrations", TABLES.join(", "))).await?;
        Ok(migrations::up(&self.db).await?)
    }

    /// Keeps a copy of every row.
    pub(crate) async fn keep_copy(&self) -> anyhow::Result<()> {
        for table in TABLES {
            self.sql(&format!("CREATE TABLE kept_{table} SELECT * FROM {table}")).await?;
        }
        Ok(())
    }

    /// Puts the copy in the place of what is there, at once, as a restore of an older backup would.
    pub(crate) async fn put_back_copy(&self) -> anyhow::Result<()> {
        let transaction = self.db.begin().await?;
        for table in TABLES {
            transaction.execute_unprepared(&format!("DELETE FROM {table}")).await?;
            let put = format!("INSERT INTO {table} SELECT * FROM kept_{table}");
            transaction.execute_unprepared(&put).await?;
        }
        Ok(transaction.commit().await?)
    }
}

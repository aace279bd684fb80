//! Table `balances`: one row per user whose balance was ever touched; all others have the opening balance.

use crate::bulk::{self, Row, StateRow};
use sea_orm::Value;
use sea_orm::entity::prelude::*;

/// A user's balance.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "balances")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: u64,
    /// Minor units, below 2^53.
    pub balance: u64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "balances";
    const COLUMNS: &'static [&'static str] = &["user_id", "balance"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.user_id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([self.user_id.into(), self.balance.into()]);
    }
}

impl StateRow for Model {
    const REPLACED: &'static [&'static str] = &["balance"];
}

/// Inserts or replaces balances, sorted by user.
///
/// # Errors
/// 3819 if one is 2^53 or more.
pub async fn upsert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::upsert(db, rows).await
}

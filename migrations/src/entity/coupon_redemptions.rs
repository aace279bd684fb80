//! Table `coupon_redemptions`: which order a coupon was redeemed with. A row is a fact: it is inserted once and never
//! changed.

use crate::bulk::{self, Row};
use sea_orm::Value;
use sea_orm::entity::prelude::*;

/// A coupon that was redeemed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "coupon_redemptions")]
pub struct Model {
    /// `coupon id * 2^32 + winner number`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_coupon_id: u64,
    /// The order that it was redeemed with; one coupon an order.
    pub order_id: u64,
    /// Who paid.
    pub user_id: u64,
    /// When, in ms since the epoch.
    pub at_ms: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "coupon_redemptions";
    const COLUMNS: &'static [&'static str] = &["user_coupon_id", "order_id", "user_id", "at_ms"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.user_coupon_id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([self.user_coupon_id.into(), self.order_id.into(), self.user_id.into(), self.at_ms.into()]);
    }
}

/// Inserts redemptions, sorted by coupon.
///
/// # Errors
/// 1062 if the coupon, or another one with this order, was redeemed before.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

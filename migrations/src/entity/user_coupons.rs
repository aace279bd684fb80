//! Table `user_coupons`: one row per winner. A row is a fact: it is inserted once and never changed.

use crate::bulk::{self, Row};
use sea_orm::Value;
use sea_orm::entity::prelude::*;

/// A coupon that a user won.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_coupons")]
pub struct Model {
    /// `coupon_id` * 2^32 + `number`; the table checks it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// The coupon.
    pub coupon_id: u64,
    /// The winner's number, from 1.
    pub number: u64,
    /// The winner.
    pub user_id: u64,
    /// When won, in ms since the epoch.
    pub issued_at_ms: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "user_coupons";
    const COLUMNS: &'static [&'static str] = &["id", "coupon_id", "number", "user_id", "issued_at_ms"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.coupon_id.into(),
            self.number.into(),
            self.user_id.into(),
            self.issued_at_ms.into(),
        ]);
    }
}

/// Inserts winners, sorted by id.
///
/// # Errors
/// 1062 if the id, or this coupon for this user, is there already; 3819 if the id does not follow from coupon and number.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// What these (coupon id, user id) won, sorted by coupon id: one statement per coupon and 256 users.
///
/// # Errors
/// The database's own.
pub async fn find_claims<C: ConnectionTrait>(db: &C, claims: &[(u64, u64)]) -> Result<Vec<Model>, DbErr> {
    let mut claims = claims.to_vec();
    claims.sort_unstable();
    let mut found = Vec::new();
    for of_coupon in claims.chunk_by(|a, b| a.0 == b.0) {
        let coupon_id = of_coupon[0].0;
        for users in bulk::lookups(of_coupon.iter().map(|claim| claim.1).collect()) {
            let rows =
                Entity::find().filter(Column::CouponId.eq(coupon_id)).filter(Column::UserId.is_in(users));
            found.extend(rows.all(db).await?);
        }
    }
    Ok(found)
}

//! Table `coupons`: one row per coupon, saying how many were issued.

use crate::bulk::{self, Row, StateRow};
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, QueryOrder, Statement, Value};

/// The longest name, in characters.
pub const NAME_MAX_CHARS: usize = 255;

/// A coupon.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "coupons")]
pub struct Model {
    /// Proposed by the administrator.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// At most [`NAME_MAX_CHARS`].
    pub name: String,
    /// How many may be issued; below 2^32.
    pub total: u64,
    /// How many were; never above `total`.
    pub issued: u64,
    /// Discount in basis points, 0 to 10,000.
    pub rate_bp: u32,
    /// End of its life, in ms since the epoch.
    pub expires_at_ms: i64,
    /// When opened, in ms since the epoch.
    pub opened_at_ms: i64,
    /// When closed, in ms since the epoch.
    pub closed_at_ms: Option<i64>,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "coupons";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "total", "issued", "rate_bp", "expires_at_ms", "opened_at_ms", "closed_at_ms"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.name.as_str().into(),
            self.total.into(),
            self.issued.into(),
            self.rate_bp.into(),
            self.expires_at_ms.into(),
            self.opened_at_ms.into(),
            self.closed_at_ms.into(),
        ]);
    }
}

impl StateRow for Model {
    const REPLACED: &'static [&'static str] =
        &["name", "total", "issued", "rate_bp", "expires_at_ms", "opened_at_ms", "closed_at_ms"];
}

/// Inserts or replaces coupons, sorted by id.
///
/// # Errors
/// 3819 if more are issued than there are.
pub async fn upsert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::upsert(db, rows).await
}

/// Sets how many were issued, by coupon id: one statement for up to 256 coupons. Returns how many of these coupons
/// exist, which the caller compares. Of two entries for one id the smaller counts, so pass none twice.
///
/// # Errors
/// 3819 if more are issued than there are.
pub async fn set_issued<C: ConnectionTrait>(db: &C, issued: &[(u64, u64)]) -> Result<u64, DbErr> {
    let mut matched = 0;
    for list in bulk::lookups(issued.to_vec()) {
        // ELSE gives the placeholders their type; padding repeats a WHEN that has been met already.
        let sql = format!(
            "UPDATE coupons SET issued = CASE id {} ELSE issued END WHERE id IN ({})",
            vec!["WHEN ? THEN ?"; list.len()].join(" "),
            bulk::placeholders(list.len()),
        );
        let cases = list.iter().flat_map(|(id, issued)| [Value::from(*id), Value::from(*issued)]);
        let values = cases.chain(list.iter().map(|(id, _)| Value::from(*id)));
        let done = db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
        matched += done.rows_affected();
    }
    Ok(matched)
}

/// All coupons, sorted by id.
///
/// # Errors
/// The database's own.
pub async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Id).all(db).await
}

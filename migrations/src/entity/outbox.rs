//! Table `outbox`: decided payments that other systems have not heard of yet. A row is inserted with the payment's
//! other effects, and deleted once it is published.

use crate::bulk::{self, Row};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Value};

/// `kind` of a payment that was made.
pub const CAPTURED: u8 = 1;
/// `kind` of a payment that was refused.
pub const DECLINED: u8 = 2;
/// The longest reason, in characters.
pub const REASON_MAX_CHARS: usize = 32;

/// A decided payment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Offset of the record that decided it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_offset: u64,
    /// [`CAPTURED`] or [`DECLINED`].
    pub kind: u8,
    /// Which order.
    pub order_id: u64,
    /// Who asked.
    pub user_id: u64,
    /// Minor units before the discount.
    pub total: u64,
    /// Minor units; 0 if declined.
    pub discount: u64,
    /// Minor units; 0 if declined.
    pub paid: u64,
    /// The coupon, if there was one.
    pub user_coupon_id: Option<u64>,
    /// Why declined, at most [`REASON_MAX_CHARS`].
    pub reason: Option<String>,
    /// When, in ms since the epoch.
    pub at_ms: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "outbox";
    const COLUMNS: &'static [&'static str] = &[
        "source_offset",
        "kind",
        "order_id",
        "user_id",
        "total",
        "discount",
        "paid",
        "user_coupon_id",
        "reason",
        "at_ms",
    ];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.source_offset
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.source_offset.into(),
            self.kind.into(),
            self.order_id.into(),
            self.user_id.into(),
            self.total.into(),
            self.discount.into(),
            self.paid.into(),
            self.user_coupon_id.into(),
            self.reason.as_deref().into(),
            self.at_ms.into(),
        ]);
    }
}

/// Inserts decided payments, sorted by offset.
///
/// # Errors
/// 1062 if an offset is there already.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// Deletes what was published, by offset. Returns how many there were.
///
/// # Errors
/// The database's own.
pub async fn delete_many<C: ConnectionTrait>(db: &C, source_offsets: &[u64]) -> Result<u64, DbErr> {
    let mut deleted = 0;
    // By single keys, never by a range: a range would lock the gap behind the last row, where the projection inserts.
    for list in bulk::lookups(source_offsets.to_vec()) {
        let gone = Entity::delete_many().filter(Column::SourceOffset.is_in(list)).exec(db).await?;
        deleted += gone.rows_affected;
    }
    Ok(deleted)
}

/// At most `limit` rows with an offset of at least `from_offset`, sorted by offset. An empty page is the end.
///
/// # Errors
/// The database's own.
pub async fn page<C: ConnectionTrait>(db: &C, from_offset: u64, limit: u64) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find().filter(Column::SourceOffset.gte(from_offset));
    rows.order_by_asc(Column::SourceOffset).limit(limit).all(db).await
}

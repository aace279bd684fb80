//! Table `balance_logs`: every change of every balance. A row is a fact: it is inserted once and never changed.

use crate::bulk::{self, Row};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Select, Value};

/// Ids kept for the changes of one record of the log: `id = offset * 128`.
pub const IDS_PER_OFFSET: u64 = 128;

/// `code` of a balance that an administrator set.
pub const SET: u8 = 1;
/// `code` of a charge.
pub const CHARGE: u8 = 2;
/// `code` of a payment.
pub const PAYMENT: u8 = 3;

/// A change of a balance.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "balance_logs")]
pub struct Model {
    /// Offset of the record * [`IDS_PER_OFFSET`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// Whose.
    pub user_id: u64,
    /// [`SET`], [`CHARGE`] or [`PAYMENT`].
    pub code: u8,
    /// Minor units more, or less where negative.
    pub amount: i64,
    /// Minor units afterwards.
    pub balance: u64,
    /// The order of a payment.
    pub ref_id: Option<u64>,
    /// When, in ms since the epoch.
    pub at_ms: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "balance_logs";
    const COLUMNS: &'static [&'static str] =
        &["id", "user_id", "code", "amount", "balance", "ref_id", "at_ms"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.user_id.into(),
            self.code.into(),
            self.amount.into(),
            self.balance.into(),
            self.ref_id.into(),
            self.at_ms.into(),
        ]);
    }
}

/// Which changes of a user's balance; what is absent does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on, in ms since the epoch.
    pub from_ms: Option<i64>,
    /// Before this time, in ms since the epoch.
    pub to_ms: Option<i64>,
    /// Of this code.
    pub code: Option<u8>,
    /// Of this order.
    pub ref_id: Option<u64>,
}

fn of_user(user_id: u64, filter: Filter) -> Select<Entity> {
    let Filter { from_ms, to_ms, code, ref_id } = filter;
    let conditions = [
        from_ms.map(|from| Column::AtMs.gte(from)),
        to_ms.map(|to| Column::AtMs.lt(to)),
        code.map(|code| Column::Code.eq(code)),
        ref_id.map(|order_id| Column::RefId.eq(order_id)),
    ];
    let all = Entity::find().filter(Column::UserId.eq(user_id));
    conditions.into_iter().flatten().fold(all, |rows, condition| rows.filter(condition))
}

/// Inserts changes, sorted by id.
///
/// # Errors
/// 1062 if an id is there already; 3819 if something but a payment names an order.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// At most `limit` changes of a user's balance after the first `offset` of them, newest first.
///
/// # Errors
/// The database's own.
pub async fn page_of_user<C: ConnectionTrait>(
    db: &C,
    user_id: u64,
    filter: Filter,
    offset: u64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    of_user(user_id, filter).order_by_desc(Column::Id).offset(offset).limit(limit).all(db).await
}

/// How many changes [`page_of_user`] has in all.
///
/// # Errors
/// The database's own.
pub async fn count_of_user<C: ConnectionTrait>(db: &C, user_id: u64, filter: Filter) -> Result<u64, DbErr> {
    of_user(user_id, filter).count(db).await
}

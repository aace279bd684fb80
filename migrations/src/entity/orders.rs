//! Table `orders`: one row per order, saying where it stands. (Its column `written_at` is for measuring only.)

use super::order_items;
use crate::bulk::{self, Row};
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, ExprTrait, QueryOrder, QuerySelect, Statement, Value};

/// `status` of an order that may still be paid.
pub const PENDING: u8 = 0;
/// `status` of an order that was paid.
pub const PAID: u8 = 1;
/// `status` of an order that was not paid in time.
pub const EXPIRED: u8 = 2;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// Given by the log, without a gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// Whose.
    pub user_id: u64,
    /// [`PENDING`], [`PAID`], [`EXPIRED`]; 3 is kept for orders that are cancelled.
    pub status: u8,
    /// Minor units before the discount.
    pub total: u64,
    /// Minor units; 0 unless paid. The table checks `paid + discount = total`.
    pub discount: u64,
    /// Minor units; 0 unless paid.
    pub paid: u64,
    /// The coupon that was redeemed.
    pub user_coupon_id: Option<u64>,
    /// When placed, in ms since the epoch.
    pub placed_at_ms: i64,
    /// From when on it cannot be paid, in ms since the epoch.
    pub expires_at_ms: i64,
    /// When paid or expired, in ms since the epoch.
    pub closed_at_ms: Option<i64>,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "user_id",
        "status",
        "total",
        "discount",
        "paid",
        "user_coupon_id",
        "placed_at_ms",
        "expires_at_ms",
        "closed_at_ms",
    ];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.user_id.into(),
            self.status.into(),
            self.total.into(),
            self.discount.into(),
            self.paid.into(),
            self.user_coupon_id.into(),
            self.placed_at_ms.into(),
            self.expires_at_ms.into(),
            self.closed_at_ms.into(),
        ]);
    }
}

/// An order with its lines, sorted by id.
pub type WithItems = (Model, Vec<order_items::Model>);

/// What becomes of a pending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closing {
    /// Which.
    pub id: u64,
    /// [`PAID`] or [`EXPIRED`].
    pub status: u8,
    /// See [`Model`].
    pub discount: u64,
    /// See [`Model`].
    pub paid: u64,
    /// See [`Model`].
    pub user_coupon_id: Option<u64>,
    /// When, in ms since the epoch.
    pub closed_at_ms: i64,
}

/// Inserts orders, sorted by id.
///
/// # Errors
/// 1062 if an id is there already; 3819 if the amounts contradict the status.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// Closes pending orders, each at most once in the list. Returns how many of them were there and pending, which the
/// caller compares.
///
/// # Errors
/// 3819 if the amounts contradict the status.
pub async fn close<C: ConnectionTrait>(db: &C, closings: &[Closing]) -> Result<u64, DbErr> {
    let mut closings = closings.to_vec();
    closings.sort_unstable();
    let mut matched = 0;
    for list in closings.chunks(bulk::CASE_ROWS).flat_map(|some| bulk::lookups(some.to_vec())) {
        // ELSE gives the placeholders their type; padding repeats a WHEN that has been met already.
        let cases = "WHEN ? THEN ? ".repeat(list.len());
        let set = |column: &str| format!("{column} = CASE id {cases}ELSE {column} END");
        let columns = ["status", "discount", "paid", "user_coupon_id", "closed_at_ms"].map(set).join(", ");
        let ids = bulk::placeholders(list.len());
        let sql = format!("UPDATE orders SET {columns} WHERE id IN ({ids}) AND status = {PENDING}");
        let mut values: Vec<Value> = Vec::new();
        let mut case = |of: fn(&Closing) -> Value| {
            values.extend(list.iter().flat_map(|closing| [closing.id.into(), of(closing)]));
        };
        case(|closing| closing.status.into());
        case(|closing| closing.discount.into());
        case(|closing| closing.paid.into());
        case(|closing| closing.user_coupon_id.into());
        case(|closing| closing.closed_at_ms.into());
        values.extend(list.iter().map(|closing| Value::from(closing.id)));
        let done = db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
        matched += done.rows_affected();
    }
    Ok(matched)
}

/// An order with its lines.
///
/// # Errors
/// The database's own.
pub async fn find<C: ConnectionTrait>(db: &C, id: u64) -> Result<Option<WithItems>, DbErr> {
    match Entity::find_by_id(id).one(db).await? {
        Some(order) => Ok(Some((order, order_items::of_orders(db, &[id]).await?))),
        None => Ok(None),
    }
}

/// At most `limit` orders of a user, those of one status if one is given, with ids below `before_id`; newest first.
/// Start with `u64::MAX >> 1`.
///
/// # Errors
/// The database's own.
pub async fn of_user<C: ConnectionTrait>(
    db: &C,
    user_id: u64,
    status: Option<u8>,
    before_id: u64,
    limit: u64,
) -> Result<Vec<WithItems>, DbErr> {
    let mut query = Entity::find().filter(Column::UserId.eq(user_id)).filter(Column::Id.lt(before_id));
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status));
    }
    let orders = query.order_by_desc(Column::Id).limit(limit).all(db).await?;
    with_items(db, orders).await
}

/// At most `limit` pending orders that fall due after the place (`expires_at_ms`, `id`), in the order in which they do.
///
/// # Errors
/// The database's own.
pub async fn pending_after<C: ConnectionTrait>(
    db: &C,
    (expires_at_ms, id): (i64, u64),
    limit: u64,
) -> Result<Vec<WithItems>, DbErr> {
    // Not a comparison of pairs: MySQL makes no range of that.
    let later = Column::ExpiresAtMs.gt(expires_at_ms).or(Column::Id.gt(id));
    let orders = Entity::find()
        .filter(Column::Status.eq(PENDING))
        .filter(Column::ExpiresAtMs.gte(expires_at_ms))
        .filter(later)
        .order_by_asc(Column::ExpiresAtMs)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    with_items(db, orders).await
}

/// Orders with their lines, in the same order.
///
/// # Errors
/// The database's own.
pub async fn with_items<C: ConnectionTrait>(db: &C, orders: Vec<Model>) -> Result<Vec<WithItems>, DbErr> {
    let ids: Vec<u64> = orders.iter().map(|order| order.id).collect();
    let items = order_items::of_orders(db, &ids).await?;
    let items_of = |id: u64| {
        let from = items.partition_point(|item| item.order_id < id);
        items[from..].iter().take_while(|item| item.order_id == id).cloned().collect()
    };
    Ok(orders
        .into_iter()
        .map(|order| (items_of(order.id), order))
        .map(|(items, order)| (order, items))
        .collect())
}

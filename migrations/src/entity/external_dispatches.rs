//! Table `external_dispatches`: what the external platform is to be told, and how far that is.
//!
//! The topic says what was asked and how it ended ([`request`], [`redrive`], [`deliver`], [`fail`]): each may come
//! again, in any order, and a delivery is never taken back. What lies between (attempts, leases) is only here, and may
//! be lost: then an order is told once more, under the same key. Times of leases and attempts are this server's clock,
//! so that the clocks of several instances do not matter.

use crate::bulk::{self, Row};
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, QueryOrder, QuerySelect, Statement, Value};

/// `state` of a dispatch that is to be tried.
pub const PENDING: u8 = 0;
/// `state` of a dispatch that the platform took.
pub const DELIVERED: u8 = 1;
/// `state` of a dispatch that nobody tries any more, until an operator says so.
pub const FAILED: u8 = 2;

/// The longest name of who holds a lease, in characters.
pub const OWNER_MAX_CHARS: usize = 128;
/// The longest error, in characters.
pub const ERROR_MAX_CHARS: usize = 255;

/// The server's clock, in ms since the epoch.
const NOW_MS: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// A dispatch.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "external_dispatches")]
pub struct Model {
    /// Which order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: u64,
    /// The partition of the topic that it stands in.
    pub partition_id: i32,
    /// [`PENDING`], [`DELIVERED`], [`FAILED`].
    pub state: u8,
    /// Offset of the payment; unknown, as all that was asked, where only the end is known.
    pub source_offset: Option<u64>,
    /// Who paid.
    pub user_id: Option<u64>,
    /// Minor units before the discount.
    pub total: Option<u64>,
    /// Minor units.
    pub discount: Option<u64>,
    /// Minor units.
    pub paid: Option<u64>,
    /// When paid, in ms since the epoch.
    pub paid_at_ms: Option<i64>,
    /// Calls made since it was last requested.
    pub attempts: u32,
    /// Not before, in ms since the epoch; 0 at once.
    pub next_attempt_at_ms: i64,
    /// Somebody is at it until then, in ms since the epoch.
    pub lease_until_ms: i64,
    /// Who, at most [`OWNER_MAX_CHARS`].
    pub lease_owner: Option<String>,
    /// What the last call came to, at most [`ERROR_MAX_CHARS`].
    pub last_error: Option<String>,
    /// When delivered, in ms since the epoch.
    pub delivered_at_ms: Option<i64>,
    /// When given up, in ms since the epoch.
    pub failed_at_ms: Option<i64>,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "external_dispatches";
    const COLUMNS: &'static [&'static str] = &[
        "order_id",
        "partition_id",
        "state",
        "source_offset",
        "user_id",
        "total",
        "discount",
        "paid",
        "paid_at_ms",
        "attempts",
        "next_attempt_at_ms",
        "lease_until_ms",
        "lease_owner",
        "last_error",
        "delivered_at_ms",
        "failed_at_ms",
    ];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.order_id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.order_id.into(),
            self.partition_id.into(),
            self.state.into(),
            self.source_offset.into(),
            self.user_id.into(),
            self.total.into(),
            self.discount.into(),
            self.paid.into(),
            self.paid_at_ms.into(),
            self.attempts.into(),
            self.next_attempt_at_ms.into(),
            self.lease_until_ms.into(),
            self.lease_owner.as_deref().into(),
            self.last_error.as_deref().into(),
            self.delivered_at_ms.into(),
            self.failed_at_ms.into(),
        ]);
    }
}

/// What was asked is learnt once. MySQL assigns from left to right, so `state` comes last in every list below.
const LEARN: &str = "user_id = COALESCE(external_dispatches.user_id, new.user_id), \
    total = COALESCE(external_dispatches.total, new.total), \
    discount = COALESCE(external_dispatches.discount, new.discount), \
    paid = COALESCE(external_dispatches.paid, new.paid), \
    paid_at_ms = COALESCE(external_dispatches.paid_at_ms, new.paid_at_ms), \
    source_offset = COALESCE(external_dispatches.source_offset, new.source_offset)";

/// Only of a row that is not delivered.
fn unless_delivered(columns: &[&str]) -> String {
    let assign = |column: &&str| {
        format!(
            "`{column}` = IF(external_dispatches.state = {DELIVERED}, external_dispatches.`{column}`, new.`{column}`)"
        )
    };
    columns.iter().map(assign).collect::<Vec<_>>().join(", ")
}

/// Takes in requests, sorted by order; one that is there already stays as it is.
///
/// # Errors
/// The database's own.
pub async fn request<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::write(db, rows, &format!(" AS new ON DUPLICATE KEY UPDATE {LEARN}")).await
}

/// Takes in requests to try again, sorted by order: whatever is not delivered begins anew.
///
/// # Errors
/// The database's own.
pub async fn redrive<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    let anew = ["attempts", "next_attempt_at_ms", "last_error", "failed_at_ms", "state"];
    let tail = format!(" AS new ON DUPLICATE KEY UPDATE {LEARN}, {}", unless_delivered(&anew));
    bulk::write(db, rows, &tail).await
}

/// Takes in deliveries, sorted by order: final, whatever was known.
///
/// # Errors
/// The database's own.
pub async fn deliver<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    let ended =
        ["attempts", "lease_until_ms", "lease_owner", "last_error", "delivered_at_ms", "failed_at_ms"];
    let ended = ended.map(|column| format!("`{column}` = new.`{column}`")).join(", ");
    bulk::write(db, rows, &format!(" AS new ON DUPLICATE KEY UPDATE {ended}, state = new.state")).await
}

/// Takes in failures, sorted by order; a delivery stays one.
///
/// # Errors
/// The database's own.
pub async fn fail<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    let ended = ["attempts", "lease_until_ms", "lease_owner", "last_error", "failed_at_ms", "state"];
    bulk::write(db, rows, &format!(" AS new ON DUPLICATE KEY UPDATE {}", unless_delivered(&ended))).await
}

/// What makes a row due, by the server's clock.
fn is_due() -> String {
    format!("state = {PENDING} AND next_attempt_at_ms <= {NOW_MS} AND lease_until_ms <= {NOW_MS}")
}

/// At most `limit` dispatches of these partitions that are due and that nobody is at, the longest due first: order and
/// partition. Nothing is locked; see [`lock_due`].
///
/// Each partition is looked at by itself, along the index: asked of all at once, MySQL sorts everything that is due, and
/// locks it, which after an hour without the partner is all there is.
///
/// # Errors
/// The database's own.
pub async fn longest_due<C: ConnectionTrait>(
    db: &C,
    partitions: &[i32],
    limit: u64,
) -> Result<Vec<(u64, i32)>, DbErr> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let ends = format!("ORDER BY next_attempt_at_ms, order_id LIMIT {limit}");
    let of_one = format!(
        "(SELECT order_id, partition_id, next_attempt_at_ms FROM external_dispatches \
         WHERE partition_id = ? AND {} {ends})",
        is_due()
    );
    let of_each = vec![of_one; partitions.len()].join(" UNION ALL ");
    let sql = format!("SELECT order_id, partition_id FROM ({of_each}) AS due {ends}");
    let values = partitions.iter().map(|partition| Value::from(*partition));
    let rows = db.query_all_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
    rows.iter().map(|row| Ok((row.try_get("", "order_id")?, row.try_get("", "partition_id")?))).collect()
}

/// Those of these dispatches that are still due, the longest due first; locked for the caller's transaction, those that
/// another one has locked left out.
///
/// # Errors
/// The database's own.
pub async fn lock_due<C: ConnectionTrait>(db: &C, order_ids: Vec<u64>) -> Result<Vec<Model>, DbErr> {
    let mut due = Vec::new();
    for ids in bulk::lookups(order_ids) {
        let sql = format!(
            "SELECT * FROM external_dispatches WHERE order_id IN ({}) AND {} FOR UPDATE SKIP LOCKED",
            bulk::placeholders(ids.len()),
            is_due(),
        );
        let values = ids.into_iter().map(Value::from);
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        due.extend(Entity::find().from_raw_sql(statement).all(db).await?);
    }
    due.sort_unstable_by_key(|row: &Model| (row.next_attempt_at_ms, row.order_id));
    Ok(due)
}

/// Leases dispatches for `lease_ms`.
///
/// # Errors
/// The database's own.
pub async fn lease<C: ConnectionTrait>(
    db: &C,
    order_ids: &[u64],
    owner: &str,
    lease_ms: u64,
) -> Result<(), DbErr> {
    for list in bulk::lookups(order_ids.to_vec()) {
        let sql = format!(
            "UPDATE external_dispatches SET lease_until_ms = {NOW_MS} + ?, lease_owner = ? \
             WHERE order_id IN ({}) AND state = {PENDING}",
            bulk::placeholders(list.len()),
        );
        let values = [Value::from(lease_ms), owner.into()].into_iter();
        let values = values.chain(list.into_iter().map(Value::from));
        db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
    }
    Ok(())
}

/// When and why a dispatch is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again<'a> {
    /// Which.
    pub order_id: u64,
    /// Who has leased it.
    pub owner: &'a str,
    /// Calls made so far.
    pub attempts: u32,
    /// Until it is due again.
    pub delay_ms: u64,
    /// Why, at most [`ERROR_MAX_CHARS`].
    pub error: &'a str,
}

/// Gives a leased dispatch back, to be tried later. Returns whether the lease was still the owner's.
///
/// # Errors
/// The database's own.
pub async fn give_back<C: ConnectionTrait>(db: &C, again: &Again<'_>) -> Result<bool, DbErr> {
    let sql = format!(
        "UPDATE external_dispatches SET attempts = ?, next_attempt_at_ms = {NOW_MS} + ?, last_error = ?, \
         lease_until_ms = 0, lease_owner = NULL WHERE order_id = ? AND lease_owner = ? AND state = {PENDING}"
    );
    let values = [
        Value::from(again.attempts),
        again.delay_ms.into(),
        again.error.into(),
        again.order_id.into(),
        again.owner.into(),
    ];
    let done = db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
    Ok(done.rows_affected() == 1)
}

/// One dispatch.
///
/// # Errors
/// The database's own.
pub async fn find<C: ConnectionTrait>(db: &C, order_id: u64) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(order_id).one(db).await
}

/// How many dispatches are in a state.
///
/// # Errors
/// The database's own.
pub async fn count<C: ConnectionTrait>(db: &C, state: u8) -> Result<u64, DbErr> {
    Entity::find().filter(Column::State.eq(state)).count(db).await
}

/// At most `limit` dispatches of a state, or of all, with an order after `after_id`, sorted by order. Start with 0; an
/// empty page is the end.
///
/// # Errors
/// The database's own.
pub async fn page<C: ConnectionTrait>(
    db: &C,
    state: Option<u8>,
    after_id: u64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut rows = Entity::find().filter(Column::OrderId.gt(after_id));
    if let Some(state) = state {
        rows = rows.filter(Column::State.eq(state));
    }
    rows.order_by_asc(Column::OrderId).limit(limit).all(db).await
}

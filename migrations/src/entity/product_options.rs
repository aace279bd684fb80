//! Table `product_options`: one row per option of a product, saying what is in stock, promised and sold.

use crate::bulk::{self, Row};
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, Statement, Value};

/// The longest color and the longest size, in characters.
pub const LABEL_MAX_CHARS: usize = 64;

/// An option of a product.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product_options")]
pub struct Model {
    /// Given by the log, without a gap over all products.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// Its product.
    pub product_id: u64,
    /// At most [`LABEL_MAX_CHARS`].
    pub color: String,
    /// At most [`LABEL_MAX_CHARS`].
    pub size: String,
    /// Units ever put in stock, less those taken away by an administrator; the table checks `stock + sold = listed`.
    pub listed: u64,
    /// Units in stock, reserved ones included.
    pub stock: u64,
    /// Units promised to open orders; the table checks that they are in stock.
    pub reserved: u64,
    /// Units sold.
    pub sold: u64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "product_options";
    const COLUMNS: &'static [&'static str] =
        &["id", "product_id", "color", "size", "listed", "stock", "reserved", "sold"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.product_id.into(),
            self.color.as_str().into(),
            self.size.as_str().into(),
            self.listed.into(),
            self.stock.into(),
            self.reserved.into(),
            self.sold.into(),
        ]);
    }
}

/// How much there is of an option; the fields are those of [`Model`].
#[expect(missing_docs, reason = "field by field the documented ones of Model")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Levels {
    pub id: u64,
    pub listed: u64,
    pub stock: u64,
    pub reserved: u64,
    pub sold: u64,
}

impl Model {
    /// This row's levels.
    #[must_use]
    pub const fn levels(&self) -> Levels {
        let Self { id, listed, stock, reserved, sold, .. } = *self;
        Levels { id, listed, stock, reserved, sold }
    }
}

/// Inserts options, sorted by id.
///
/// # Errors
/// 1062 if an id is there already; 3819 if the levels contradict each other.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// Sets the levels of options, each at most once in the list. Returns how many of them exist, which the caller compares.
///
/// # Errors
/// 3819 if the levels contradict each other.
pub async fn set_levels<C: ConnectionTrait>(db: &C, levels: &[Levels]) -> Result<u64, DbErr> {
    let mut levels = levels.to_vec();
    levels.sort_unstable();
    let mut matched = 0;
    for list in levels.chunks(bulk::CASE_ROWS).flat_map(|some| bulk::lookups(some.to_vec())) {
        // ELSE gives the placeholders their type; padding repeats a WHEN that has been met already.
        let cases = "WHEN ? THEN ? ".repeat(list.len());
        let set = |column: &str| format!("{column} = CASE id {cases}ELSE {column} END");
        let columns = ["listed", "stock", "reserved", "sold"].map(set).join(", ");
        let ids = bulk::placeholders(list.len());
        let sql = format!("UPDATE product_options SET {columns} WHERE id IN ({ids})");
        let mut values: Vec<Value> = Vec::new();
        let mut case = |of: fn(&Levels) -> u64| {
            values.extend(list.iter().flat_map(|levels| [levels.id.into(), Value::from(of(levels))]));
        };
        case(|levels| levels.listed);
        case(|levels| levels.stock);
        case(|levels| levels.reserved);
        case(|levels| levels.sold);
        values.extend(list.iter().map(|levels| Value::from(levels.id)));
        let done = db.execute_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
        matched += done.rows_affected();
    }
    Ok(matched)
}

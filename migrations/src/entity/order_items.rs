//! Table `order_items`: the lines of the orders. A row is a fact: it is inserted once and never changed.

use crate::bulk::{self, Row};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, Value};

/// Ids kept for the lines of one order: `id = order_id * 128 + i`, so no index but the primary key is needed.
pub const IDS_PER_ORDER: u64 = 128;

/// A line of an order, as it was placed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_items")]
pub struct Model {
    /// `order_id` * [`IDS_PER_ORDER`] + the line's number from 0; the table checks it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// Its order.
    pub order_id: u64,
    /// What was ordered.
    pub product_option_id: u64,
    /// Its product.
    pub product_id: u64,
    /// The product's name.
    pub product_name: String,
    /// Minor units each.
    pub price: u64,
    /// Units, at least one.
    pub quantity: u64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "order_items";
    const COLUMNS: &'static [&'static str] =
        &["id", "order_id", "product_option_id", "product_id", "product_name", "price", "quantity"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.order_id.into(),
            self.product_option_id.into(),
            self.product_id.into(),
            self.product_name.as_str().into(),
            self.price.into(),
            self.quantity.into(),
        ]);
    }
}

/// Inserts lines, sorted by id.
///
/// # Errors
/// 1062 if an id is there already; 3819 if the id does not follow from the order, or a line is empty.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// The lines of these orders, sorted by id.
///
/// # Errors
/// The database's own.
pub async fn of_orders<C: ConnectionTrait>(db: &C, order_ids: &[u64]) -> Result<Vec<Model>, DbErr> {
    let mut found = Vec::with_capacity(order_ids.len());
    for list in bulk::lookups(order_ids.to_vec()) {
        // Ranges of the primary key; MySQL merges those that the padding repeats.
        let ranges = list.into_iter().fold(Condition::any(), |any, order_id| {
            let first = order_id * IDS_PER_ORDER;
            any.add(Column::Id.between(first, first + IDS_PER_ORDER - 1))
        });
        found.extend(Entity::find().filter(ranges).order_by_asc(Column::Id).all(db).await?);
    }
    Ok(found)
}

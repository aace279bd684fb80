//! Table `products`: one row per product. A row is a fact: it is inserted once and never changed.

use crate::bulk::{self, Row};
use sea_orm::Value;
use sea_orm::entity::prelude::*;

/// The longest name, in characters.
pub const NAME_MAX_CHARS: usize = 255;
/// The longest category, in characters.
pub const CATEGORY_MAX_CHARS: usize = 64;
/// The longest description, in characters.
pub const DESCRIPTION_MAX_CHARS: usize = 2_000;

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub struct Model {
    /// Given by the log, without a gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// At most [`NAME_MAX_CHARS`].
    pub name: String,
    /// At most [`CATEGORY_MAX_CHARS`].
    pub category: String,
    /// At most [`DESCRIPTION_MAX_CHARS`].
    pub description: String,
    /// In minor units.
    pub price: u64,
    /// Whether it may be ordered.
    pub available: bool,
    /// When listed, in ms since the epoch.
    pub listed_at_ms: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "products";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "category", "description", "price", "available", "listed_at_ms"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.name.as_str().into(),
            self.category.as_str().into(),
            self.description.as_str().into(),
            self.price.into(),
            self.available.into(),
            self.listed_at_ms.into(),
        ]);
    }
}

/// Inserts products, sorted by id.
///
/// # Errors
/// 1062 if an id is there already.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

//! Table `campaigns`: which coupon a campaign's name stands for.

use crate::bulk::{self, Row, StateRow};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, Value};

/// The longest name, in characters.
pub const NAME_MAX_CHARS: usize = 64;

/// A campaign.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaigns")]
pub struct Model {
    /// At most [`NAME_MAX_CHARS`], compared byte by byte, trailing blanks included.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Its coupon.
    pub coupon_id: u64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "campaigns";
    const COLUMNS: &'static [&'static str] = &["name", "coupon_id"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([self.name.as_str().into(), self.coupon_id.into()]);
    }
}

impl StateRow for Model {
    const REPLACED: &'static [&'static str] = &["coupon_id"];
}

/// Inserts or replaces campaigns, sorted by name.
///
/// # Errors
/// The database's own.
pub async fn upsert<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::upsert(db, rows).await
}

/// The campaigns of these names that exist, sorted by name.
///
/// # Errors
/// The database's own.
pub async fn find_by_names<C: ConnectionTrait>(db: &C, names: &[&str]) -> Result<Vec<Model>, DbErr> {
    let mut found = Vec::with_capacity(names.len());
    for list in bulk::lookups(names.to_vec()) {
        found.extend(
            Entity::find().filter(Column::Name.is_in(list)).order_by_asc(Column::Name).all(db).await?,
        );
    }
    Ok(found)
}

/// All campaigns, sorted by name.
///
/// # Errors
/// The database's own.
pub async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Name).all(db).await
}

//! Table `platform_events`: what the external platform told us, one row per event of the partner's.

use crate::bulk::{self, Row, StateRow};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Value};

/// The longest event id, in characters.
pub const EVENT_ID_MAX_CHARS: usize = 128;
/// The longest kind, in characters.
pub const KIND_MAX_CHARS: usize = 64;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "platform_events")]
pub struct Model {
    /// The partner's, at most [`EVENT_ID_MAX_CHARS`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: String,
    /// Which order it is about.
    pub order_id: u64,
    /// The partner's word for it, at most [`KIND_MAX_CHARS`].
    pub kind: String,
    /// When it happened, in ms since the epoch, by the partner.
    pub occurred_at_ms: i64,
    /// When it was recorded, in ms since the epoch.
    pub received_at_ms: i64,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "platform_events";
    const COLUMNS: &'static [&'static str] =
        &["event_id", "order_id", "kind", "occurred_at_ms", "received_at_ms"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.event_id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.event_id.as_str().into(),
            self.order_id.into(),
            self.kind.as_str().into(),
            self.occurred_at_ms.into(),
            self.received_at_ms.into(),
        ]);
    }
}

impl StateRow for Model {
    const REPLACED: &'static [&'static str] = &["order_id", "kind", "occurred_at_ms", "received_at_ms"];
}

/// Inserts events, sorted by id; of one that is there already the later telling counts, as it does for a compacted log.
///
/// # Errors
/// The database's own.
pub async fn upsert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::upsert(db, rows).await
}

/// At most `limit` events with an id after `after_id`, sorted by id. Start with an empty one; an empty page is the end.
///
/// # Errors
/// The database's own.
pub async fn page<C: ConnectionTrait>(db: &C, after_id: &str, limit: u64) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find().filter(Column::EventId.gt(after_id));
    rows.order_by_asc(Column::EventId).limit(limit).all(db).await
}

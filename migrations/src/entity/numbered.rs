//! What every table has whose key is one whole number: pages by key, look-ups by keys, the largest key.

use crate::bulk;
use sea_orm::entity::prelude::*;
use sea_orm::{Iterable, QueryOrder, QuerySelect};

/// A table whose key is one whole number.
pub trait Numbered: EntityTrait<PrimaryKey: PrimaryKeyTrait<ValueType = u64>> {
    /// At most `limit` rows with a key above `after`, sorted by key. Start with 0; an empty page is the end.
    ///
    /// # Errors
    /// The database's own.
    fn page<C: ConnectionTrait>(
        db: &C,
        after: u64,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Self::Model>, DbErr>> + Send {
        let key = key::<Self>();
        Self::find().filter(key.gt(after)).order_by_asc(key).limit(limit).all(db)
    }

    /// The rows of these keys that exist, sorted by key.
    ///
    /// # Errors
    /// The database's own.
    fn find_by_ids<C: ConnectionTrait>(
        db: &C,
        ids: &[u64],
    ) -> impl Future<Output = Result<Vec<Self::Model>, DbErr>> + Send {
        async {
            let key = key::<Self>();
            let mut found = Vec::with_capacity(ids.len());
            for list in bulk::lookups(ids.to_vec()) {
                found.extend(Self::find().filter(key.is_in(list)).order_by_asc(key).all(db).await?);
            }
            Ok(found)
        }
    }

    /// The largest key; 0 where there is none.
    ///
    /// # Errors
    /// The database's own.
    fn last_id<C: ConnectionTrait>(db: &C) -> impl Future<Output = Result<u64, DbErr>> + Send {
        let last = Self::find().select_only().column_as(key::<Self>().max(), "last");
        async { Ok(last.into_tuple::<Option<u64>>().one(db).await?.flatten().unwrap_or_default()) }
    }
}

impl<E: EntityTrait<PrimaryKey: PrimaryKeyTrait<ValueType = u64>>> Numbered for E {}

#[expect(clippy::expect_used, reason = "a key of one value has a column")]
fn key<E: EntityTrait>() -> E::Column {
    E::PrimaryKey::iter().next().expect("a key of one value has a column").into_column()
}

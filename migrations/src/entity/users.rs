//! Table `users`. Holds no e-mail and no password hash, ever: the HMAC finds, the account names where they are.

use super::Bytes;
use crate::bulk::{self, Row};
use sea_orm::Value;
use sea_orm::entity::prelude::*;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Given by the log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: u64,
    /// HMAC of the e-mail; none for a guest, and none once erased.
    pub email_hmac: Option<Bytes<16>>,
    /// Key of the credentials in the private topic; none for a guest.
    pub account: Option<Bytes<16>>,
    /// When signed up, in ms since the epoch.
    pub created_at_ms: i64,
    /// When erased, in ms since the epoch.
    pub erased_at_ms: Option<i64>,
}

/// None.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Model {
    const TABLE: &'static str = "users";
    const COLUMNS: &'static [&'static str] =
        &["id", "email_hmac", "account", "created_at_ms", "erased_at_ms"];
    type Key<'a> = u64;

    fn key(&self) -> u64 {
        self.id
    }

    fn values(&self, to: &mut Vec<Value>) {
        to.extend([
            self.id.into(),
            self.email_hmac.into(),
            self.account.into(),
            self.created_at_ms.into(),
            self.erased_at_ms.into(),
        ]);
    }
}

/// Inserts users, sorted by id.
///
/// # Errors
/// 1062 if an id or an e-mail is there already.
pub async fn insert_many<C: ConnectionTrait>(db: &C, rows: &[Model]) -> Result<(), DbErr> {
    bulk::insert(db, rows).await
}

/// The users of these e-mails that exist, in no order.
///
/// # Errors
/// The database's own.
pub async fn find_by_email_hmacs<C: ConnectionTrait>(
    db: &C,
    hmacs: &[Bytes<16>],
) -> Result<Vec<Model>, DbErr> {
    let mut found = Vec::with_capacity(hmacs.len());
    for list in bulk::lookups(hmacs.to_vec()) {
        found.extend(Entity::find().filter(Column::EmailHmac.is_in(list)).all(db).await?);
    }
    Ok(found)
}

/// Frees the e-mail of user `id` and forgets its credential. Says whether that user exists.
///
/// # Errors
/// The database's own.
pub async fn erase<C: ConnectionTrait>(db: &C, id: u64, at_ms: i64) -> Result<bool, DbErr> {
    let erased = Entity::update_many()
        .col_expr(Column::EmailHmac, Expr::value(Option::<Bytes<16>>::None))
        .col_expr(Column::Account, Expr::value(Option::<Bytes<16>>::None))
        .col_expr(Column::ErasedAtMs, Expr::value(at_ms))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(erased.rows_affected == 1)
}

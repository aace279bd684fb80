//! `signup-projection`: table `users`.

use super::Projection;
use domain::{
    Scope,
    accounts::{AccountChange, AccountKey, Accounts, UserRow},
};
use migrations::entity::{Bytes, Numbered, users};
use schemas::{AccountId, EmailHmac, Record, UserId};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use std::collections::BTreeMap;

impl Projection for Accounts {
    const GROUP: &'static str = schemas::groups::SIGNUP;

    fn empty(scope: Scope) -> Self {
        Self::new(scope)
    }

    fn wanted(&self, records: &[&Record]) -> Vec<AccountKey> {
        let hmacs = records.iter().filter_map(|record| match record {
            Record::SignedUp(record) => record.email_hmac,
            _ => None,
        });
        hmacs.map(AccountKey::Email).collect()
    }

    async fn load(&mut self, db: &DatabaseConnection, keys: &[AccountKey]) -> Result<(), DbErr> {
        let (mut ids, mut hmacs) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                AccountKey::User(id) => ids.push(id.get()),
                AccountKey::Email(hmac) => hmacs.push(Bytes(hmac.0)),
            }
        }
        let mut rows = Vec::new();
        if !ids.is_empty() {
            rows.extend(users::Entity::find_by_ids(db, &ids).await?);
        }
        if !hmacs.is_empty() {
            rows.extend(users::find_by_email_hmacs(db, &hmacs).await?);
        }
        let rows: Vec<UserRow> = rows.into_iter().filter_map(|row| row_of(&row)).collect();
        for key in keys {
            let row = rows.iter().find(|row| match key {
                AccountKey::User(id) => row.user_id == *id,
                AccountKey::Email(hmac) => row.email.is_some_and(|(taken, _)| taken == *hmac),
            });
            Self::load(self, *key, row);
        }
        Ok(())
    }

    async fn write(transaction: &DatabaseTransaction, changes: &[AccountChange]) -> Result<(), DbErr> {
        let mut fresh: BTreeMap<UserId, UserRow> = BTreeMap::new();
        let mut erased = Vec::new();
        for change in changes {
            match change {
                AccountChange::Registered(row) => {
                    fresh.insert(row.user_id, row.clone());
                }
                AccountChange::Erased { user_id, at_ms } => match fresh.get_mut(user_id) {
                    Some(row) => (row.email, row.erased_at_ms) = (None, Some(*at_ms)),
                    None => erased.push((*user_id, *at_ms)),
                },
            }
        }
        // First what frees an address, then who may have taken it.
        erased.sort_unstable();
        for (user_id, at_ms) in erased {
            if !users::erase(transaction, user_id.get(), at_ms).await? {
                return Err(DbErr::RecordNotFound(format!("MySQL lost user {user_id}")));
            }
        }
        let rows: Vec<users::Model> = fresh.values().map(model_of).collect();
        users::insert_many(transaction, &rows).await
    }

    fn settle(&mut self) {
        self.forget_loaded();
    }
}

/// The table's row of a user.
#[must_use]
pub fn model_of(row: &UserRow) -> users::Model {
    users::Model {
        id: row.user_id.get(),
        email_hmac: row.email.map(|(hmac, _)| Bytes(hmac.0)),
        account: row.email.map(|(_, account)| Bytes(account.0)),
        created_at_ms: row.created_at_ms,
        erased_at_ms: row.erased_at_ms,
    }
}

fn row_of(model: &users::Model) -> Option<UserRow> {
    let email = model.email_hmac.zip(model.account);
    Some(UserRow {
        user_id: UserId::new(model.id)?,
        email: email.map(|(hmac, account)| (EmailHmac(hmac.0), AccountId(account.0))),
        created_at_ms: model.created_at_ms,
        erased_at_ms: model.erased_at_ms,
    })
}

//! What each projection reads and writes; one file each.

pub mod accounts;
pub mod coupons;
pub mod shop;

use domain::{Scope, fold::State};
use schemas::Record;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use std::future::Future;

/// A fold's state that is projected into tables of its own.
pub trait Projection: State + Send + Sync + Sized + 'static {
    /// The consumer group, which is also the owner of the tables.
    const GROUP: &'static str;

    /// An empty state of either scope.
    fn empty(scope: Scope) -> Self;

    /// Rows that these records will surely need and that are not loaded, so that a batch is loaded at once.
    fn wanted(&self, records: &[&Record]) -> Vec<Self::Key>;

    /// Loads rows.
    fn load(
        &mut self,
        db: &DatabaseConnection,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<(), DbErr>> + Send;

    /// Writes the changes of a batch, sorted by primary key.
    fn write(
        transaction: &DatabaseTransaction,
        changes: &[Self::Change],
    ) -> impl Future<Output = Result<(), DbErr>> + Send;

    /// Drops what only the last batch needed.
    fn settle(&mut self);
}

//! One file per step of the schema. A released step is never edited; a change is a new step.
//!
//! Names are `utf8mb4_0900_bin`: binary and NO PAD. `utf8mb4_bin` is PAD SPACE, so 'a' and 'a ' would be one
//! key there but are two to a fold.

use sea_orm::ConnectionTrait;
use sea_orm_migration::{MigrationTrait, SchemaManager, prelude::DbErr};

mod m20261120_000001_users;
mod m20261120_000002_coupons;
mod m20261120_000003_projection_offset;
mod m20261121_000001_products;
mod m20261121_000002_orders;
mod m20261121_000003_balances;
mod m20261121_000004_outbox;
mod m20261121_000010_external_platform;

pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261120_000001_users::Migration),
        Box::new(m20261120_000002_coupons::Migration),
        Box::new(m20261120_000003_projection_offset::Migration),
        Box::new(m20261121_000001_products::Migration),
        Box::new(m20261121_000002_orders::Migration),
        Box::new(m20261121_000003_balances::Migration),
        Box::new(m20261121_000004_outbox::Migration),
        Box::new(m20261121_000010_external_platform::Migration),
    ]
}

async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for sql in statements {
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}

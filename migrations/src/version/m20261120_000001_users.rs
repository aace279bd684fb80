//! Table `users`: one row per winner of an e-mail, and per guest.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[USERS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS users"]).await
    }
}

const USERS: &str = "
CREATE TABLE IF NOT EXISTS users (
  id            BIGINT UNSIGNED NOT NULL,
  email_hmac    BINARY(16)      NULL,
  account       BINARY(16)      NULL,
  created_at_ms BIGINT          NOT NULL,
  erased_at_ms  BIGINT          NULL,
  PRIMARY KEY (id),
  CONSTRAINT users_email_hmac UNIQUE (email_hmac)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

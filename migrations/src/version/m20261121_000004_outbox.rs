//! Table `outbox`: decided payments that other systems have not heard of yet.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[OUTBOX]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS outbox"]).await
    }
}

const OUTBOX: &str = "
CREATE TABLE IF NOT EXISTS outbox (
  source_offset  BIGINT UNSIGNED  NOT NULL,
  kind           TINYINT UNSIGNED NOT NULL,
  order_id       BIGINT UNSIGNED  NOT NULL,
  user_id        BIGINT UNSIGNED  NOT NULL,
  total          BIGINT UNSIGNED  NOT NULL,
  discount       BIGINT UNSIGNED  NOT NULL,
  paid           BIGINT UNSIGNED  NOT NULL,
  user_coupon_id BIGINT UNSIGNED  NULL,
  reason         VARCHAR(32)      NULL,
  at_ms          BIGINT           NOT NULL,
  PRIMARY KEY (source_offset),
  CONSTRAINT outbox_kind CHECK (kind BETWEEN 1 AND 2),
  CONSTRAINT outbox_reason CHECK ((kind = 2) = (reason IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

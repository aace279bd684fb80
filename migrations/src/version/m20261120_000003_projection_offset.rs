//! Table `projection_offset`: how far each projection is, and who may move it on.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[PROJECTION_OFFSET]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS projection_offset"]).await
    }
}

const PROJECTION_OFFSET: &str = "
CREATE TABLE IF NOT EXISTS projection_offset (
  group_name       VARCHAR(64)     NOT NULL,
  topic            VARCHAR(200)    NOT NULL,
  partition_id     INT             NOT NULL,
  next_offset      BIGINT UNSIGNED NOT NULL,
  epoch            BIGINT UNSIGNED NOT NULL,
  digest           BINARY(8)       NOT NULL,
  last_record_hash BINARY(8)       NOT NULL,
  clock_ms         BIGINT          NOT NULL,
  rules            INT UNSIGNED    NOT NULL,
  active_rules     VARBINARY(4096) NOT NULL,
  next_seq         BIGINT UNSIGNED NOT NULL,
  earliest_due_ms  BIGINT          NULL,
  dead_lettered    BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (group_name, topic, partition_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

//! Tables `external_dispatches` and `platform_events`.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[EXTERNAL_DISPATCHES, PLATFORM_EVENTS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS platform_events, external_dispatches"]).await
    }
}

/// What was asked may be unknown of a dispatch that is over: compaction can leave its end before its beginning.
const EXTERNAL_DISPATCHES: &str = "
CREATE TABLE IF NOT EXISTS external_dispatches (
  order_id           BIGINT UNSIGNED  NOT NULL,
  partition_id       INT              NOT NULL,
  state              TINYINT UNSIGNED NOT NULL,
  source_offset      BIGINT UNSIGNED  NULL,
  user_id            BIGINT UNSIGNED  NULL,
  total              BIGINT UNSIGNED  NULL,
  discount           BIGINT UNSIGNED  NULL,
  paid               BIGINT UNSIGNED  NULL,
  paid_at_ms         BIGINT           NULL,
  attempts           INT UNSIGNED     NOT NULL,
  next_attempt_at_ms BIGINT           NOT NULL,
  lease_until_ms     BIGINT           NOT NULL,
  lease_owner        VARCHAR(128)     NULL,
  last_error         VARCHAR(255)     NULL,
  delivered_at_ms    BIGINT           NULL,
  failed_at_ms       BIGINT           NULL,
  PRIMARY KEY (order_id),
  INDEX external_dispatches_due (state, partition_id, next_attempt_at_ms, order_id),
  CONSTRAINT external_dispatches_state CHECK (state <= 2),
  CONSTRAINT external_dispatches_request CHECK (state <> 0 OR source_offset IS NOT NULL),
  CONSTRAINT external_dispatches_whole CHECK (
    (source_offset IS NULL) = (user_id IS NULL) AND (source_offset IS NULL) = (total IS NULL)
    AND (source_offset IS NULL) = (discount IS NULL) AND (source_offset IS NULL) = (paid IS NULL)
    AND (source_offset IS NULL) = (paid_at_ms IS NULL)),
  CONSTRAINT external_dispatches_delivered CHECK ((state = 1) = (delivered_at_ms IS NOT NULL)),
  CONSTRAINT external_dispatches_failed CHECK ((state = 2) = (failed_at_ms IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const PLATFORM_EVENTS: &str = "
CREATE TABLE IF NOT EXISTS platform_events (
  event_id       VARCHAR(128)    NOT NULL,
  order_id       BIGINT UNSIGNED NOT NULL,
  kind           VARCHAR(64)     NOT NULL,
  occurred_at_ms BIGINT          NOT NULL,
  received_at_ms BIGINT          NOT NULL,
  PRIMARY KEY (event_id),
  INDEX platform_events_order (order_id, occurred_at_ms)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

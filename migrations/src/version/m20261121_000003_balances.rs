//! Tables `balances` and `balance_logs`.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[BALANCES, BALANCE_LOGS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS balance_logs, balances"]).await
    }
}

const BALANCES: &str = "
CREATE TABLE IF NOT EXISTS balances (
  user_id BIGINT UNSIGNED NOT NULL,
  balance BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (user_id),
  CONSTRAINT balances_balance CHECK (balance < 9007199254740992)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const BALANCE_LOGS: &str = "
CREATE TABLE IF NOT EXISTS balance_logs (
  id      BIGINT UNSIGNED  NOT NULL,
  user_id BIGINT UNSIGNED  NOT NULL,
  code    TINYINT UNSIGNED NOT NULL,
  amount  BIGINT           NOT NULL,
  balance BIGINT UNSIGNED  NOT NULL,
  ref_id  BIGINT UNSIGNED  NULL,
  at_ms   BIGINT           NOT NULL,
  PRIMARY KEY (id),
  INDEX balance_logs_user (user_id, id),
  CONSTRAINT balance_logs_code CHECK (code BETWEEN 1 AND 3),
  CONSTRAINT balance_logs_ref CHECK ((code = 3) = (ref_id IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

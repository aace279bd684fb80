//! Tables `coupons`, `campaigns` and `user_coupons`.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[COUPONS, CAMPAIGNS, USER_COUPONS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS user_coupons, campaigns, coupons"]).await
    }
}

const COUPONS: &str = "
CREATE TABLE IF NOT EXISTS coupons (
  id            BIGINT UNSIGNED NOT NULL,
  name          VARCHAR(255)    NOT NULL,
  total         BIGINT UNSIGNED NOT NULL,
  issued        BIGINT UNSIGNED NOT NULL,
  rate_bp       INT UNSIGNED    NOT NULL,
  expires_at_ms BIGINT          NOT NULL,
  opened_at_ms  BIGINT          NOT NULL,
  closed_at_ms  BIGINT          NULL,
  PRIMARY KEY (id),
  CONSTRAINT coupons_issued CHECK (issued <= total),
  CONSTRAINT coupons_total CHECK (total < 4294967296),
  CONSTRAINT coupons_rate CHECK (rate_bp BETWEEN 0 AND 10000)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const CAMPAIGNS: &str = "
CREATE TABLE IF NOT EXISTS campaigns (
  name      VARCHAR(64)     NOT NULL,
  coupon_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const USER_COUPONS: &str = "
CREATE TABLE IF NOT EXISTS user_coupons (
  id           BIGINT UNSIGNED NOT NULL,
  coupon_id    BIGINT UNSIGNED NOT NULL,
  number       BIGINT UNSIGNED NOT NULL,
  user_id      BIGINT UNSIGNED NOT NULL,
  issued_at_ms BIGINT          NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT user_coupons_claim UNIQUE (coupon_id, user_id),
  INDEX user_coupons_user (user_id),
  CONSTRAINT user_coupons_id CHECK (id = coupon_id * 4294967296 + number),
  CONSTRAINT user_coupons_number CHECK (number >= 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

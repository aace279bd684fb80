//! Tables `products` and `product_options`.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[PRODUCTS, PRODUCT_OPTIONS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS product_options, products"]).await
    }
}

const PRODUCTS: &str = "
CREATE TABLE IF NOT EXISTS products (
  id           BIGINT UNSIGNED NOT NULL,
  name         VARCHAR(255)    NOT NULL,
  category     VARCHAR(64)     NOT NULL,
  description  VARCHAR(2000)   NOT NULL,
  price        BIGINT UNSIGNED NOT NULL,
  available    BOOL            NOT NULL,
  listed_at_ms BIGINT          NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT products_price CHECK (price < 9007199254740992)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const PRODUCT_OPTIONS: &str = "
CREATE TABLE IF NOT EXISTS product_options (
  id         BIGINT UNSIGNED NOT NULL,
  product_id BIGINT UNSIGNED NOT NULL,
  color      VARCHAR(64)     NOT NULL,
  size       VARCHAR(64)     NOT NULL,
  listed     BIGINT UNSIGNED NOT NULL,
  stock      BIGINT UNSIGNED NOT NULL,
  reserved   BIGINT UNSIGNED NOT NULL,
  sold       BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT product_options_listed CHECK (listed < 9007199254740992),
  CONSTRAINT product_options_reserved CHECK (reserved <= stock),
  CONSTRAINT product_options_sold CHECK (stock + sold = listed)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

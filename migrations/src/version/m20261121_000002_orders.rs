//! Tables `orders`, `order_items` and `coupon_redemptions`.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &[ORDERS, ORDER_ITEMS, COUPON_REDEMPTIONS]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &["DROP TABLE IF EXISTS coupon_redemptions, order_items, orders"]).await
    }
}

/// `written_at` is the server's, not the log's: only for measuring how late MySQL is. Invisible, so that no reader
/// takes it for a part of the row.
const ORDERS: &str = "
CREATE TABLE IF NOT EXISTS orders (
  id             BIGINT UNSIGNED  NOT NULL,
  user_id        BIGINT UNSIGNED  NOT NULL,
  status         TINYINT UNSIGNED NOT NULL,
  total          BIGINT UNSIGNED  NOT NULL,
  discount       BIGINT UNSIGNED  NOT NULL,
  paid           BIGINT UNSIGNED  NOT NULL,
  user_coupon_id BIGINT UNSIGNED  NULL,
  placed_at_ms   BIGINT           NOT NULL,
  expires_at_ms  BIGINT           NOT NULL,
  closed_at_ms   BIGINT           NULL,
  written_at     TIMESTAMP(3)     NOT NULL
                 DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) INVISIBLE,
  PRIMARY KEY (id),
  INDEX orders_user (user_id, id),
  INDEX orders_due (status, expires_at_ms, id),
  CONSTRAINT orders_status CHECK (status <= 3),
  CONSTRAINT orders_total CHECK (total < 9007199254740992),
  CONSTRAINT orders_paid CHECK (status = 1 AND paid + discount = total
                                OR status <> 1 AND paid = 0 AND discount = 0 AND user_coupon_id IS NULL),
  CONSTRAINT orders_closed CHECK ((status = 0) = (closed_at_ms IS NULL))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const ORDER_ITEMS: &str = "
CREATE TABLE IF NOT EXISTS order_items (
  id                BIGINT UNSIGNED NOT NULL,
  order_id          BIGINT UNSIGNED NOT NULL,
  product_option_id BIGINT UNSIGNED NOT NULL,
  product_id        BIGINT UNSIGNED NOT NULL,
  product_name      VARCHAR(255)    NOT NULL,
  price             BIGINT UNSIGNED NOT NULL,
  quantity          BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT order_items_id CHECK (id DIV 128 = order_id),
  CONSTRAINT order_items_quantity CHECK (quantity >= 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

const COUPON_REDEMPTIONS: &str = "
CREATE TABLE IF NOT EXISTS coupon_redemptions (
  user_coupon_id BIGINT UNSIGNED NOT NULL,
  order_id       BIGINT UNSIGNED NOT NULL,
  user_id        BIGINT UNSIGNED NOT NULL,
  at_ms          BIGINT          NOT NULL,
  PRIMARY KEY (user_coupon_id),
  CONSTRAINT coupon_redemptions_order UNIQUE (order_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";

//! How orders are written into Redis, and read from rows. What cannot be an order is no order, wherever it was read.

use super::StoredOrder;
use domain::shop::{Order, OrderLine, OrderStatus};
use migrations::entity::orders::WithItems;
use schemas::{OptionId, OrderId, ProductId, UserId};
use serde::{Deserialize, Serialize};

/// An order as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OrderCopy {
    id: u64,
    user: u64,
    status: u8,
    total: u64,
    discount: u64,
    paid: u64,
    coupon: Option<u64>,
    placed_at_ms: i64,
    expires_at_ms: i64,
    closed_at_ms: Option<i64>,
    lines: Vec<LineCopy>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LineCopy {
    option: u64,
    product: u64,
    name: String,
    price: u64,
    quantity: u64,
}

impl OrderCopy {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }
}

impl From<WithItems> for OrderCopy {
    fn from((order, items): WithItems) -> Self {
        let lines = items.into_iter().map(|item| LineCopy {
            option: item.product_option_id,
            product: item.product_id,
            name: item.product_name,
            price: item.price,
            quantity: item.quantity,
        });
        Self {
            id: order.id,
            user: order.user_id,
            status: order.status,
            total: order.total,
            discount: order.discount,
            paid: order.paid,
            coupon: order.user_coupon_id,
            placed_at_ms: order.placed_at_ms,
            expires_at_ms: order.expires_at_ms,
            closed_at_ms: order.closed_at_ms,
            lines: lines.collect(),
        }
    }
}

impl From<&StoredOrder> for OrderCopy {
    fn from(stored: &StoredOrder) -> Self {
        let lines = stored.order.lines.iter().map(|line| LineCopy {
            option: line.option_id.get(),
            product: line.product_id.get(),
            name: line.product_name.to_string(),
            price: line.price,
            quantity: line.quantity,
        });
        Self {
            id: stored.order.order_id.get(),
            user: stored.order.user_id.get(),
            status: stored.status.number(),
            total: stored.order.total,
            discount: stored.discount,
            paid: stored.paid,
            coupon: stored.user_coupon_id,
            placed_at_ms: stored.order.placed_at_ms,
            expires_at_ms: stored.order.expires_at_ms,
            closed_at_ms: stored.closed_at_ms,
            lines: lines.collect(),
        }
    }
}

impl TryFrom<OrderCopy> for StoredOrder {
    type Error = ();

    fn try_from(copy: OrderCopy) -> Result<Self, ()> {
        parse(copy).ok_or(())
    }
}

fn parse(copy: OrderCopy) -> Option<StoredOrder> {
    let line = |line: LineCopy| {
        Some(OrderLine {
            option_id: OptionId::new(line.option)?,
            product_id: ProductId::new(line.product)?,
            product_name: line.name.into(),
            price: line.price,
            quantity: line.quantity,
        })
    };
    let order = Order {
        order_id: OrderId::new(copy.id)?,
        user_id: UserId::new(copy.user)?,
        lines: copy.lines.into_iter().map(line).collect::<Option<Vec<OrderLine>>>()?,
        total: copy.total,
        placed_at_ms: copy.placed_at_ms,
        expires_at_ms: copy.expires_at_ms,
    };
    Some(StoredOrder {
        order,
        status: OrderStatus::of(copy.status)?,
        discount: copy.discount,
        paid: copy.paid,
        user_coupon_id: copy.coupon,
        closed_at_ms: copy.closed_at_ms,
    })
}

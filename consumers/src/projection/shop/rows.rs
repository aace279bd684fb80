//! The shop's rows in its two shapes: as the fold holds them and as the tables do.

use domain::shop::{
    BalanceCause, BalanceChange, Decline, Order, OrderLine, OrderStatus, Payment, Product, ShopOption,
};
use migrations::entity::{
    balance_logs, coupon_redemptions, order_items,
    orders::{self, Closing, WithItems},
    outbox, product_options, products,
};
use schemas::{OptionId, OrderId, ProductId, UserId, ids::ITEM_BITS};
use std::sync::Arc;

const _: () = {
    assert!(order_items::IDS_PER_ORDER == 1 << ITEM_BITS, "the table's ids are the contract's");
    assert!(balance_logs::IDS_PER_OFFSET == 1 << ITEM_BITS, "the table's ids are the contract's");
    assert!(orders::PENDING == OrderStatus::Pending.number(), "the table's numbers are the fold's");
    assert!(orders::PAID == OrderStatus::Paid.number(), "the table's numbers are the fold's");
    assert!(orders::EXPIRED == OrderStatus::Expired.number(), "the table's numbers are the fold's");
};

pub fn product_row(id: ProductId, product: &Product) -> products::Model {
    products::Model {
        id: id.get(),
        name: product.name.to_string(),
        category: product.category.to_string(),
        description: product.description.to_string(),
        price: product.price,
        available: product.available,
        listed_at_ms: product.listed_at_ms,
    }
}

pub fn product_of(row: products::Model) -> Product {
    Product {
        name: row.name.into(),
        category: row.category.into(),
        description: row.description.into(),
        price: row.price,
        available: row.available,
        listed_at_ms: row.listed_at_ms,
    }
}

pub fn option_row(id: OptionId, option: &ShopOption) -> product_options::Model {
    product_options::Model {
        id: id.get(),
        product_id: option.product_id.get(),
        color: option.color.to_string(),
        size: option.size.to_string(),
        listed: option.listed,
        stock: option.stock,
        reserved: option.reserved,
        sold: option.sold,
    }
}

pub fn option_of(row: product_options::Model) -> Option<(OptionId, ShopOption)> {
    let option = ShopOption {
        product_id: ProductId::new(row.product_id)?,
        color: row.color.into(),
        size: row.size.into(),
        listed: row.listed,
        stock: row.stock,
        reserved: row.reserved,
        sold: row.sold,
    };
    Some((OptionId::new(row.id)?, option))
}

/// As it is placed.
pub fn order_row(order: &Order) -> orders::Model {
    orders::Model {
        id: order.order_id.get(),
        user_id: order.user_id.get(),
        status: orders::PENDING,
        total: order.total,
        discount: 0,
        paid: 0,
        user_coupon_id: None,
        placed_at_ms: order.placed_at_ms,
        expires_at_ms: order.expires_at_ms,
        closed_at_ms: None,
    }
}

pub fn item_rows(order: &Order) -> impl Iterator<Item = order_items::Model> {
    let order_id = order.order_id.get();
    (order_id * order_items::IDS_PER_ORDER..).zip(&order.lines).map(move |(id, line)| order_items::Model {
        id,
        order_id,
        product_option_id: line.option_id.get(),
        product_id: line.product_id.get(),
        product_name: line.product_name.to_string(),
        price: line.price,
        quantity: line.quantity,
    })
}

pub fn order_of((row, items): WithItems) -> Option<(Arc<Order>, OrderStatus)> {
    let line = |item: order_items::Model| {
        Some(OrderLine {
            option_id: OptionId::new(item.product_option_id)?,
            product_id: ProductId::new(item.product_id)?,
            product_name: item.product_name.into(),
            price: item.price,
            quantity: item.quantity,
        })
    };
    let order = Order {
        order_id: OrderId::new(row.id)?,
        user_id: UserId::new(row.user_id)?,
        lines: items.into_iter().map(line).collect::<Option<_>>()?,
        total: row.total,
        placed_at_ms: row.placed_at_ms,
        expires_at_ms: row.expires_at_ms,
    };
    Some((Arc::new(order), OrderStatus::of(row.status)?))
}

pub fn paid(payment: &Payment, at_ms: i64) -> Closing {
    Closing {
        id: payment.order.order_id.get(),
        status: orders::PAID,
        discount: payment.discount,
        paid: payment.paid,
        user_coupon_id: payment.user_coupon_id,
        closed_at_ms: at_ms,
    }
}

pub fn expired(order_id: OrderId, at_ms: i64) -> Closing {
    Closing {
        id: order_id.get(),
        status: orders::EXPIRED,
        discount: 0,
        paid: 0,
        user_coupon_id: None,
        closed_at_ms: at_ms,
    }
}

pub fn closed(row: &mut orders::Model, closing: Closing) {
    let Closing { id: _, status, discount, paid, user_coupon_id, closed_at_ms } = closing;
    (row.status, row.discount, row.paid, row.user_coupon_id) = (status, discount, paid, user_coupon_id);
    row.closed_at_ms = Some(closed_at_ms);
}

pub fn redemption_row(payment: &Payment, at_ms: i64) -> Option<coupon_redemptions::Model> {
    let Order { order_id, user_id, .. } = &*payment.order;
    payment.user_coupon_id.map(|user_coupon_id| coupon_redemptions::Model {
        user_coupon_id,
        order_id: order_id.get(),
        user_id: user_id.get(),
        at_ms,
    })
}

pub fn log_row(change: &BalanceChange, offset: u64, at_ms: i64) -> balance_logs::Model {
    let (code, ref_id) = match change.cause {
        BalanceCause::Set => (balance_logs::SET, None),
        BalanceCause::Charge => (balance_logs::CHARGE, None),
        BalanceCause::Payment(order_id) => (balance_logs::PAYMENT, Some(order_id.get())),
    };
    balance_logs::Model {
        id: offset * balance_logs::IDS_PER_OFFSET,
        user_id: change.user_id.get(),
        code,
        amount: change.amount,
        balance: change.balance,
        ref_id,
        at_ms,
    }
}

pub fn captured_row(payment: &Payment, source_offset: u64, at_ms: i64) -> outbox::Model {
    outbox::Model {
        source_offset,
        kind: outbox::CAPTURED,
        order_id: payment.order.order_id.get(),
        user_id: payment.order.user_id.get(),
        total: payment.order.total,
        discount: payment.discount,
        paid: payment.paid,
        user_coupon_id: payment.user_coupon_id,
        reason: None,
        at_ms,
    }
}

/// None for a refusal that names no order: nobody else hears of that one.
pub fn declined_row(decline: &Decline, source_offset: u64, at_ms: i64) -> Option<outbox::Model> {
    Some(outbox::Model {
        source_offset,
        kind: outbox::DECLINED,
        order_id: decline.order_id?.get(),
        user_id: decline.user_id.get(),
        total: decline.total,
        discount: 0,
        paid: 0,
        user_coupon_id: decline.user_coupon_id,
        reason: Some(decline.refusal.code().to_owned()),
        at_ms,
    })
}

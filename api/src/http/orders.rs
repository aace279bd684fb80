//! Placing orders and reading them back.

use super::{
    ApiError, App, Code, Shared,
    body::{JsonBody, Object, canonical},
    caller::Caller,
    coupons::user,
    shop,
    spelling::{Parameters, is_number},
    wire::{WireId, WireQuantity},
};
use crate::{
    foresight::Trust,
    history::{ClosedOrder, UserOrders, WhichOrders},
    limits,
    recent_orders::{Fate, RecentOrder},
};
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use domain::{
    Slot,
    shop::{FoundOrder, MAX_ITEMS, OrderStatus, Refusal, ShopOutcome, ShopResult},
};
use schemas::{
    OrderId, UserId,
    records::{OrderItem, OrderPlaced},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Body of an order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OrderBody {
    #[serde(default)]
    user_id: Option<WireId>,
    #[serde(default)]
    items: Option<Vec<Object<ItemBody>>>,
}

/// One line of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ItemBody {
    product_option_id: WireId,
    quantity: WireQuantity,
}

/// `POST /api/orders`.
pub async fn place(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(body): JsonBody<OrderBody>,
) -> Result<Response, ApiError> {
    let user_id = user(body.user_id)?;
    let principal = caller.act_for(&app, user_id).await?;
    let envelope = app.identity.envelope(principal, caller.target(), caller.key(), &canonical(&body));
    let (event_id, fingerprint) = envelope;
    let items = body.items.unwrap_or_default();
    if !(1..=MAX_ITEMS).contains(&items.len()) {
        return Err(ApiError::invalid(format!("items must be a list of 1 to {MAX_ITEMS} lines")));
    }
    let item = |Object(item): &Object<ItemBody>| OrderItem {
        product_option_id: item.product_option_id.0 as i64,
        quantity: item.quantity.0,
    };
    let items = items.iter().map(item).collect();
    let record = OrderPlaced { event_id, fingerprint, user_id: user_id.to_wire(), items };
    shop::answered(&shop::submit(&app, record.into(), trust).await?)
}

fn trust(outcome: &ShopOutcome) -> Option<Trust> {
    let ShopResult::OrderRefused(refusal) = &outcome.result else { return None };
    match refusal {
        // "Absent" is only ever said after asking the log itself.
        Refusal::OptionNotFound => Some(Trust::Within(Duration::ZERO)),
        // Products never change, and neither do their prices.
        Refusal::NotForSale | Refusal::WrongQuantity => Some(Trust::Final),
        Refusal::OutOfStock => Some(Trust::Within(limits::REFUSAL_FRESHNESS)),
        _ => None,
    }
}

/// `GET /api/orders/{id}`: readable on every process from the moment its 201 left.
pub async fn detail(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    // Before the lookup: whoever has no session must not learn which orders exist, nor cost a read index.
    let own = caller.stands_for(&app).await?;
    let id = order_id(&id)?;
    let log = &app.ingress.shop;
    app.ingress.read_index(log, 0).await?;
    let found = log.only().look(|fold| match fold.state().order(id, fold.header().next_seq) {
        Slot::Loaded(FoundOrder::Open(order)) => {
            let open = RecentOrder { order: order.clone(), fate: Fate::Open };
            Some((order.user_id, Ok(open.at(fold.header().clock_ms))))
        }
        Slot::Loaded(FoundOrder::Closed { owner, status }) => Some((owner, Err(status))),
        Slot::Absent | Slot::NotLoaded => None,
    });
    let Some((owner, order)) = found else { return Err(Code::O002.into()) };
    // Somebody else's order is none of the caller's business, not even that it is there.
    if own.is_some_and(|own| own != owner) {
        return Err(Code::O002.into());
    }
    let body = match order {
        Ok(open) => shop::detail(&open),
        Err(status) => match app.recent.find(id) {
            Some(recent) => shop::detail(&recent),
            None => older(&app, ClosedOrder { id, owner, status }).await?,
        },
    };
    Ok(Json(json!({"orderDetail": body})))
}

/// A closed order that is in memory no more.
async fn older(app: &App, closed: ClosedOrder) -> Result<Value, ApiError> {
    let stored = app.history.order(closed).await?;
    stored.map(|stored| shop::stored_detail(&stored)).ok_or_else(|| Code::HistoryUnavailable.into())
}

/// `GET /api/users/{id}/orders?status`: newest first.
pub async fn of_user(
    State(app): State<Shared>,
    Path(id): Path<String>,
    query: Parameters,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let user_id = super::balances::user(&id)?;
    caller.act_for(&app, user_id).await?;
    let wanted = match query.get("status") {
        None => None,
        Some("PENDING") => Some(OrderStatus::Pending),
        Some("PAID") => Some(OrderStatus::Paid),
        Some("EXPIRED") => Some(OrderStatus::Expired),
        Some(_) => return Err(ApiError::invalid("status is PENDING, PAID or EXPIRED")),
    };
    app.ingress.read_index(&app.ingress.shop, 0).await?;
    let orders = merged(&app, user_id, wanted).await?;
    Ok(Json(json!({"orders": orders})))
}

/// What is in memory over what is stored.
async fn merged(app: &App, user: UserId, status: Option<OrderStatus>) -> Result<Vec<Value>, ApiError> {
    let limit = limits::MAX_ORDERS_LISTED;
    let UserOrders { recent, stored } = app.history.orders_of(WhichOrders { user, status, limit }).await?;
    let older = stored.iter().map(|stored| (stored.order_id(), stored.status(), shop::stored_detail(stored)));
    let newer = recent.iter().map(|recent| (recent.order.order_id, recent.status(), shop::detail(recent)));
    let mut orders: Vec<(OrderId, OrderStatus, Value)> = newer.chain(older).collect();
    orders.retain(|(_, stands, _)| status.is_none_or(|wanted| wanted == *stands));
    orders.sort_unstable_by_key(|(id, ..)| std::cmp::Reverse(*id));
    orders.truncate(limit);
    Ok(orders.into_iter().map(|(.., body)| body).collect())
}

/// An order id in a path: a number that no order can have names no order.
pub fn order_id(text: &str) -> Result<OrderId, ApiError> {
    if !is_number(text) {
        return Err(ApiError::invalid("an order id is a number"));
    }
    text.parse().ok().and_then(OrderId::new).ok_or_else(|| Code::O002.into())
}

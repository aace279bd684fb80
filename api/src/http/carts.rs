//! Carts: options and quantities from Redis; names, prices and stock from the fold. Nothing is reserved here, and a
//! cart never decides anything: an order is judged by the log, whatever a cart said.

use super::{
    ApiError, App, Code, Shared,
    balances::user,
    body::JsonBody,
    caller::{Caller, Keyless},
    spelling::is_number,
    wire::{WireId, WireQuantity},
};
use crate::{
    limits,
    store::{CartItem, Put, StoreError},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{Fold, shop::Shop};
use schemas::{OptionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Body of an item.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CartItemBody {
    #[serde(default)]
    product_option_id: Option<WireId>,
    #[serde(default)]
    quantity: Option<WireQuantity>,
}

impl From<StoreError> for ApiError {
    fn from(_: StoreError) -> Self {
        Code::CartUnavailable.into()
    }
}

/// `POST /api/users/{id}/cart`: puts an item in; one that is there gets this quantity, so a repeat does no harm.
pub async fn put(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Keyless(caller): Keyless,
    JsonBody(body): JsonBody<CartItemBody>,
) -> Result<Response, ApiError> {
    let user = caller_of(&app, &caller, &id).await?;
    let option = body.product_option_id.ok_or_else(|| ApiError::invalid("productOptionId is missing"))?;
    let quantity = body.quantity.ok_or_else(|| ApiError::invalid("quantity is missing"))?;
    let option_id = OptionId::new(option.0).ok_or(Code::P004)?;
    let available = available(&app, option_id, quantity.0).await?;
    let quantity = u64::try_from(quantity.0).ok().filter(|units| *units >= 1).ok_or(Code::O001)?;
    if quantity > available {
        return Err(Code::P002.into());
    }
    if quantity > limits::MAX_CART_QUANTITY {
        return Err(ApiError::invalid(format!("a line holds at most {} units", limits::MAX_CART_QUANTITY)));
    }
    let item = CartItem { option_id, quantity };
    if app.store.put_in_cart(user, item).await? == Put::Full {
        return Err(ApiError::invalid(format!("a cart holds at most {} lines", limits::MAX_CART_ITEMS)));
    }
    let line = app.ingress.shop.only().look(|fold| line(fold, item)).ok_or(Code::Internal)?;
    Ok((StatusCode::CREATED, Json(line)).into_response())
}

/// Units that may be ordered now; "absent" and "too few" only from a fold that is fresh enough to say so.
async fn available(app: &App, option: OptionId, wanted: i64) -> Result<u64, ApiError> {
    let log = &app.ingress.shop;
    let find =
        || log.only().look(|fold| fold.state().option(option).loaded().map(|option| option.available()));
    let known = find();
    let age = match known {
        Some(units) if i64::try_from(units).is_ok_and(|units| wanted > units) => limits::REFUSAL_FRESHNESS,
        Some(units) => return Ok(units),
        None => std::time::Duration::ZERO,
    };
    app.ingress.fresh(log, 0, age).await?;
    find().ok_or_else(|| Code::P004.into())
}

/// `GET /api/users/{id}/cart`.
pub async fn show(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let user = caller_of(&app, &caller, &id).await?;
    let items = app.store.cart(user).await?;
    Ok(Json(json!({"data": lines(&app, &items).await?})))
}

/// `GET /api/users/{id}/cart/{productOptionId}`.
pub async fn show_item(
    State(app): State<Shared>,
    Path((id, option)): Path<(String, String)>,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let user = caller_of(&app, &caller, &id).await?;
    let option = option_id(&option)?;
    let items = app.store.cart(user).await?;
    let item = items.into_iter().find(|item| item.option_id == option).ok_or(Code::CART001)?;
    let line = lines(&app, &[item]).await?.pop().ok_or(Code::CART001)?;
    Ok(Json(json!({"data": line})))
}

/// `DELETE /api/users/{id}/cart`: also an empty one.
pub async fn empty(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let user = caller_of(&app, &caller, &id).await?;
    app.store.empty_cart(user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/users/{id}/cart/{productOptionId}`.
pub async fn take(
    State(app): State<Shared>,
    Path((id, option)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    let user = caller_of(&app, &caller, &id).await?;
    match app.store.take_from_cart(user, option_id(&option)?).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Code::CART001.into()),
    }
}

async fn caller_of(app: &App, caller: &Caller, id: &str) -> Result<UserId, ApiError> {
    let user = user(id)?;
    caller.act_for(app, user).await?;
    Ok(user)
}

/// An option id in a path: a number that no option can have is in no cart.
fn option_id(text: &str) -> Result<OptionId, ApiError> {
    if !is_number(text) {
        return Err(ApiError::invalid("an option id is a number"));
    }
    text.parse().ok().and_then(OptionId::new).ok_or_else(|| Code::CART001.into())
}

/// The lines of a cart; of an option that was listed a moment ago this process may have to hear first.
async fn lines(app: &App, items: &[CartItem]) -> Result<Vec<Value>, ApiError> {
    let log = &app.ingress.shop;
    let look =
        || log.only().look(|fold| items.iter().map(|item| line(fold, *item)).collect::<Option<Vec<_>>>());
    if let Some(lines) = look() {
        return Ok(lines);
    }
    app.ingress.read_index(log, 0).await?;
    Ok(log.only().look(|fold| items.iter().filter_map(|item| line(fold, *item)).collect()))
}

fn line(fold: &Fold<Shop>, item: CartItem) -> Option<Value> {
    let option = fold.state().option(item.option_id).loaded()?;
    let product = fold.state().product(option.product_id).loaded()?;
    Some(json!({
        "productOptionId": item.option_id.get(),
        "productId": option.product_id.get(),
        "productName": product.name.as_ref(),
        "color": option.color.as_ref(),
        "size": option.size.as_ref(),
        "price": product.price,
        "quantity": item.quantity,
        "subtotal": subtotal(product.price, item.quantity),
        "stock": option.stock,
        "availableStock": option.available(),
        "isAvailable": product.available,
    }))
}

/// `null` beyond 2^53: no order can have such a line.
fn subtotal(price: u64, quantity: u64) -> Option<u64> {
    price.checked_mul(quantity).filter(|amount| *amount <= domain::shop::MAX_AMOUNT)
}

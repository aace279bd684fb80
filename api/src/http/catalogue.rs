//! Products for everybody, listings and stock for administrators. All of it is read from the fold.

use super::{
    ApiError, Code, Shared,
    admin::envelope,
    body::{JsonBody, Object, canonical, or_default},
    caller::Caller,
    shop,
    spelling::{Parameters, is_number},
    wire::{WireId, iso},
};
use crate::limits;
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use domain::{
    Fold,
    shop::{
        MAX_DESCRIPTION_CHARS, MAX_LABEL_CHARS, MAX_OPTIONS, MAX_PRODUCT_NAME_CHARS, MAX_SALES_DAYS, Product,
        Shop,
    },
};
use schemas::{
    OptionId, ProductId,
    records::{ProductListed, ProductOption, StockAdjusted},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::{cmp::Reverse, sync::Arc};

/// `GET /api/products?category&sortBy&page&size`.
pub async fn list(State(app): State<Shared>, query: Parameters) -> Result<Json<Value>, ApiError> {
    let category = query.get("category");
    let sort = Sort::parse(query.get("sortBy"))?;
    let page = number(&query, "page", 1, 1..=u32::MAX as usize)?;
    let size = number(&query, "size", limits::DEFAULT_PAGE_SIZE, 1..=limits::MAX_PAGE_SIZE)?;
    let mut products = app.ingress.shop.only().look(|fold| {
        let products = ids(fold).filter_map(|id| Some((id, fold.state().product(id).loaded()?)));
        let products = products.filter(|(_, p)| category.is_none_or(|wanted| p.category.as_ref() == wanted));
        let sales = fold.state().sales();
        products.map(|(id, product)| (id, product.clone(), sales.sold(id))).collect::<Vec<_>>()
    });
    match sort {
        Sort::Id => {}
        Sort::Newest => products.sort_by_key(|(id, product, _)| Reverse((product.listed_at_ms, *id))),
        Sort::PriceAscending => products.sort_by_key(|(_, product, _)| product.price),
        Sort::PriceDescending => products.sort_by_key(|(_, product, _)| Reverse(product.price)),
        Sort::Popular => products.sort_by_key(|(.., sold)| Reverse(*sold)),
    }
    let total = products.len();
    let shown = products.iter().skip((page - 1).saturating_mul(size)).take(size);
    let data: Vec<Value> = shown.map(|(id, product, _)| summary(*id, product)).collect();
    Ok(Json(json!({"data": data, "page": page, "size": size, "total": total})))
}

enum Sort {
    Id,
    Newest,
    PriceAscending,
    PriceDescending,
    Popular,
}

impl Sort {
    fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            None | Some("id") => Ok(Self::Id),
            Some("newest") => Ok(Self::Newest),
            Some("price_asc") => Ok(Self::PriceAscending),
            Some("price_desc") => Ok(Self::PriceDescending),
            Some("popular") => Ok(Self::Popular),
            Some(_) => Err(ApiError::invalid("sortBy is id, newest, price_asc, price_desc or popular")),
        }
    }
}

fn ids(fold: &Fold<Shop>) -> impl Iterator<Item = ProductId> {
    let (products, _) = fold.state().catalogue().end().unwrap_or_default();
    (1..=products).filter_map(ProductId::new)
}

fn summary(id: ProductId, product: &Product) -> Value {
    json!({
        "productId": id.get(),
        "name": product.name.as_ref(),
        "category": product.category.as_ref(),
        "description": product.description.as_ref(),
        "price": product.price,
        "isAvailable": product.available,
        "listedAt": iso(product.listed_at_ms),
    })
}

/// `GET /api/products/top?count&dateRangeDays`: whole UTC days, today among them; `countedFrom` and `countedTo` say which.
/// Where they hold no sale it counts since ever, and `countedFrom` is null.
pub async fn top(State(app): State<Shared>, query: Parameters) -> Result<Json<Value>, ApiError> {
    let count = number(&query, "count", 5, 1..=limits::MAX_TOP_PRODUCTS)?;
    let days = number(&query, "dateRangeDays", 3, 1..=MAX_SALES_DAYS as usize)?;
    let body = app.ingress.shop.only().look(|fold| {
        let (sales, now_ms) = (fold.state().sales(), fold.header().clock_ms);
        let from = sales.counted_from_ms(now_ms, days as i64).map(iso);
        let top = sales.top(now_ms, days as i64, count);
        let ranked = (1_u64..).zip(top).filter_map(|(rank, (id, sold))| {
            let product = fold.state().product(id).loaded()?;
            Some(json!({
                "rank": rank,
                "productId": id.get(),
                "name": product.name.as_ref(),
                "price": product.price,
                "category": product.category.as_ref(),
                "salesCount": sold,
            }))
        });
        let data: Vec<Value> = ranked.collect();
        json!({"data": data, "countedFrom": from, "countedTo": iso(now_ms)})
    });
    Ok(Json(body))
}

/// `GET /api/products/{id}`.
pub async fn detail(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let id = WireId::parse(&id).ok_or_else(|| ApiError::invalid("a product id is a number"))?;
    let id = ProductId::new(id.0).ok_or(Code::P001)?;
    let log = &app.ingress.shop;
    let find = || log.only().look(|fold| described(fold, id));
    if let Some(product) = find() {
        return Ok(Json(product));
    }
    app.ingress.read_index(log, 0).await?;
    find().map(Json).ok_or_else(|| Code::P001.into())
}

fn described(fold: &Fold<Shop>, id: ProductId) -> Option<Value> {
    let state = fold.state();
    let product: &Arc<Product> = state.product(id).loaded()?;
    let options = state.options_of(id).map(|(option_id, option)| {
        json!({
            "productOptionId": option_id.get(),
            "color": option.color.as_ref(),
            "size": option.size.as_ref(),
            "stock": option.stock,
            "availableStock": option.available(),
        })
    });
    let options: Vec<Value> = options.collect();
    let mut body = summary(id, product);
    body["options"] = options.into();
    Some(body)
}

/// Body of a stock change.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockBody {
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    quantity: Option<WireId>,
}

/// `PATCH /api/products/options/{id}/stock`: by an administrator.
pub async fn adjust_stock(
    State(app): State<Shared>,
    Path(id): Path<String>,
    caller: Caller,
    JsonBody(body): JsonBody<StockBody>,
) -> Result<Response, ApiError> {
    let principal = caller.administrate(&app)?;
    let id = WireId::parse(&id).ok_or_else(|| ApiError::invalid("a product option id is a number"))?;
    let option_id = OptionId::new(id.0).ok_or(Code::P004)?;
    let quantity = body.quantity.filter(|quantity| quantity.0 >= 1).map(|quantity| quantity.0 as i64);
    let range = "quantity must be a number from 1 to 9007199254740991";
    let quantity = quantity.ok_or_else(|| ApiError::invalid(range))?;
    let delta = match body.operation.as_deref() {
        Some("increase") => quantity,
        Some("decrease") => -quantity,
        _ => return Err(ApiError::invalid("operation is increase or decrease")),
    };
    let (event_id, fingerprint) =
        app.identity.envelope(principal, caller.target(), caller.key(), &canonical(&body));
    let record = StockAdjusted { event_id, fingerprint, product_option_id: option_id.to_wire(), delta };
    shop::answered(&shop::submit(&app, record.into(), shop::nothing).await?)
}

/// Body of a listing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProductBody {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    category: String,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    #[serde(default)]
    price: Option<WireId>,
    #[serde(default = "yes", deserialize_with = "or_yes")]
    available: bool,
    #[serde(default, deserialize_with = "or_default")]
    options: Vec<Object<OptionBody>>,
}

/// One option of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionBody {
    color: String,
    size: String,
    stock: WireId,
}

const fn yes() -> bool {
    true
}

fn or_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(yes))
}

/// `POST /admin/products`.
pub async fn list_product(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(body): JsonBody<ProductBody>,
) -> Result<Response, ApiError> {
    let (event_id, fingerprint) = envelope(&app, &caller, &body);
    fits("name", &body.name, 1, MAX_PRODUCT_NAME_CHARS)?;
    fits("category", &body.category, 1, MAX_LABEL_CHARS)?;
    fits("description", &body.description, 0, MAX_DESCRIPTION_CHARS)?;
    if !(1..=MAX_OPTIONS).contains(&body.options.len()) {
        return Err(ApiError::invalid(format!("options must be a list of 1 to {MAX_OPTIONS}")));
    }
    for Object(option) in &body.options {
        fits("color", &option.color, 1, MAX_LABEL_CHARS)?;
        fits("size", &option.size, 1, MAX_LABEL_CHARS)?;
    }
    let price = body.price.ok_or_else(|| ApiError::invalid("price is missing"))?;
    let options = body.options.into_iter().map(|Object(option)| ProductOption {
        color: option.color,
        size: option.size,
        stock: option.stock.0 as i64,
    });
    let record = ProductListed {
        event_id,
        fingerprint,
        name: body.name,
        category: body.category,
        description: body.description,
        price: price.0 as i64,
        available: body.available,
        options: options.collect(),
    };
    shop::answered(&shop::submit(&app, record.into(), shop::nothing).await?)
}

fn fits(field: &str, text: &str, min: usize, max: usize) -> Result<(), ApiError> {
    if (min..=max).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("{field} must have {min} to {max} characters")))
}

/// A whole number among the query's parameters.
pub fn number(
    query: &Parameters,
    name: &str,
    default: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, ApiError> {
    let Some(text) = query.get(name) else { return Ok(default) };
    let value = is_number(text).then(|| text.parse().ok()).flatten().filter(|value| range.contains(value));
    value.ok_or_else(|| {
        ApiError::invalid(format!("{name} must be a number from {} to {}", range.start(), range.end()))
    })
}

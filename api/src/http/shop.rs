//! What the shop's fold decided, as HTTP answers: one place for all routes of the shop and for `/api/requests`.

use super::{ApiError, App, Code, coupons::replayed, wire::iso};
use crate::{
    foresight::Trust,
    history::StoredOrder,
    ingress::Failure,
    log::cell::Answer,
    recent_orders::{Fate, RecentOrder},
};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    Verdict,
    shop::{
        BalanceChange, Listing, Order, OrderStatus, Payment, Refusal, ShopOutcome, ShopResult, StockLevel,
    },
};
use schemas::{Record, UserId, ids::ITEM_BITS};
use serde_json::{Value, json};

/// Appends a record of `order`, or answers from the fold where `trust` allows it.
pub async fn submit(
    app: &App,
    record: Record,
    trust: fn(&ShopOutcome) -> Option<Trust>,
) -> Result<Answer<ShopOutcome>, Failure> {
    app.ingress.answer(&app.ingress.shop, 0, &record, |_, outcome| trust(outcome)).await
}

/// Everything is appended.
pub const fn nothing(_: &ShopOutcome) -> Option<Trust> {
    None
}

/// The HTTP answer of a shop's request.
pub fn answered(answer: &Answer<ShopOutcome>) -> Result<Response, ApiError> {
    let refused = |code: Code| Err(ApiError { replayed: answer.replayed, ..code.into() });
    let outcome = match &answer.verdict {
        Verdict::Decided(outcome) => outcome,
        Verdict::KeyReused => return Err(Code::KeyReused.into()),
        other => {
            tracing::error!(?other, "a request of the shop was judged as none of ours can be");
            return Err(Code::Internal.into());
        }
    };
    let (status, body) = match &outcome.result {
        ShopResult::Listed(listing) => (StatusCode::CREATED, listed(listing)),
        ShopResult::StockAdjusted(level) => (StatusCode::OK, stock(level)),
        ShopResult::BalanceChanged(change) => (StatusCode::OK, balance(change)),
        ShopResult::Placed(order) => (StatusCode::CREATED, placed(order)),
        ShopResult::Paid(payment) => (StatusCode::CREATED, paid(payment)),
        ShopResult::BalanceRefused => return refused(Code::BalanceLimit),
        ShopResult::StockRefused(refusal) | ShopResult::OrderRefused(refusal) => {
            return refused(code(*refusal));
        }
        ShopResult::PaymentRefused(decline) => return refused(code(decline.refusal)),
        ShopResult::Ticked => return Err(Code::RequestNotFound.into()),
    };
    Ok(replayed((status, Json(body)).into_response(), answer.replayed))
}

/// Whose request it was; `None` where nobody's in particular, or an administrator's.
pub fn owner(verdict: &Verdict<ShopOutcome>) -> Option<UserId> {
    let Verdict::Decided(outcome) = verdict else { return None };
    match &outcome.result {
        ShopResult::Placed(order) => Some(order.user_id),
        ShopResult::Paid(payment) => Some(payment.order.user_id),
        ShopResult::PaymentRefused(decline) => Some(decline.user_id),
        _ => None,
    }
}

/// Whether an administrator asked for this.
pub fn is_administration(verdict: &Verdict<ShopOutcome>) -> bool {
    let Verdict::Decided(outcome) = verdict else { return false };
    use ShopResult as R;
    let results = &outcome.result;
    matches!(
        results,
        R::Listed(_) | R::StockAdjusted(_) | R::StockRefused(_) | R::BalanceChanged(_) | R::BalanceRefused
    )
}

const fn code(refusal: Refusal) -> Code {
    match refusal {
        Refusal::OptionNotFound => Code::P004,
        Refusal::NotForSale => Code::P005,
        Refusal::WrongQuantity => Code::O001,
        Refusal::OutOfStock => Code::P002,
        Refusal::OrderNotFound => Code::O002,
        Refusal::NotYours => Code::U002,
        Refusal::AlreadyPaid => Code::O004,
        Refusal::OrderExpired => Code::O003,
        Refusal::CouponInvalid => Code::C002,
        Refusal::CouponExpired => Code::C003,
        Refusal::CouponUsed => Code::C004,
        Refusal::InsufficientBalance => Code::PAY001,
    }
}

fn listed(listing: &Listing) -> Value {
    let options: Vec<u64> = listing.options.iter().map(|(id, _)| id.get()).collect();
    json!({"productId": listing.product_id.get(), "productOptionIds": options})
}

fn stock(level: &StockLevel) -> Value {
    json!({
        "productOptionId": level.option_id.get(),
        "stock": level.stock,
        "availableStock": level.stock - level.reserved,
    })
}

fn balance(change: &BalanceChange) -> Value {
    json!({"userId": change.user_id.get(), "balance": change.balance})
}

/// The lines of an order.
pub fn items(order: &Order) -> Vec<Value> {
    let line = |(at, line): (u64, &domain::shop::OrderLine)| {
        json!({
            "orderItemId": (order.order_id.get() << ITEM_BITS) + at,
            "productOptionId": line.option_id.get(),
            "productName": line.product_name.as_ref(),
            "price": line.price,
            "quantity": line.quantity,
            "subtotal": line.price * line.quantity,
        })
    };
    (0..).zip(&order.lines).map(line).collect()
}

fn placed(order: &Order) -> Value {
    json!({
        "orderId": order.order_id.get(),
        "userId": order.user_id.get(),
        "items": items(order),
        "totalAmount": order.total,
        "status": OrderStatus::Pending.name(),
        "createdAt": iso(order.placed_at_ms),
        "expiresAt": iso(order.expires_at_ms),
    })
}

fn paid(payment: &Payment) -> Value {
    json!({
        "orderId": payment.order.order_id.get(),
        "status": OrderStatus::Paid.name(),
        "paidAmount": payment.paid,
        "discountAmount": payment.discount,
        "remainingBalance": payment.balance,
        "paidAt": iso(payment.paid_at_ms),
        "requestedAt": iso(payment.paid_at_ms),
    })
}

/// An order as it stands, for details and lists.
pub fn detail(recent: &RecentOrder) -> Value {
    let order = &recent.order;
    let mut body = placed(order);
    body["status"] = recent.status().name().into();
    let payment = match &recent.fate {
        Fate::Paid(payment) => Some(payment),
        Fate::Open | Fate::Expired => None,
    };
    body["discountAmount"] = payment.map(|payment| payment.discount).into();
    body["paidAmount"] = payment.map(|payment| payment.paid).into();
    body["paidAt"] = payment.map(|payment| iso(payment.paid_at_ms)).into();
    body
}

/// The same from the tables.
pub fn stored_detail(stored: &StoredOrder) -> Value {
    let paid = stored.status() == OrderStatus::Paid;
    let mut body = placed(&stored.order);
    body["status"] = stored.status().name().into();
    body["discountAmount"] = paid.then_some(stored.discount).into();
    body["paidAmount"] = paid.then_some(stored.paid).into();
    body["paidAt"] = stored.closed_at_ms.filter(|_| paid).map(iso).into();
    body
}

//! The one place where a refusal or a failure becomes a status, a code and a text.

use crate::{history::HistoryError, ingress::Failure};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::refusal;

/// Codes of the contract; programs use these, people the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each code's texts stand in `Code::texts`")]
pub enum Code {
    P001,
    P002,
    P004,
    P005,
    O001,
    O002,
    O003,
    O004,
    O006,
    PAY001,
    CART001,
    C001,
    C002,
    C003,
    C004,
    C005,
    C006,
    U001,
    U002,
    U004,
    BalanceLimit,
    CouponExists,
    CampaignNotFound,
    RulesUnsupported,
    KeyReused,
    InvalidRequest,
    Unauthenticated,
    NotFound,
    RequestNotFound,
    MethodNotAllowed,
    PayloadTooLarge,
    UnsupportedMediaType,
    RequestTimeout,
    Internal,
    NotReady,
    Overloaded,
    OutcomeUnknown,
    Pending,
    Unavailable,
    HistoryUnavailable,
    CartUnavailable,
    SignatureInvalid,
    PartitionStopped,
}

impl Code {
    /// Name on the wire, Korean and English text.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table: one line a code")]
    pub const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::P001 => ("P001", "상품을 찾을 수 없음", "There is no such product."),
            Self::P002 => ("P002", "재고 부족", "There are not that many units left."),
            Self::P004 => ("P004", "상품 옵션을 찾을 수 없음", "There is no such product option."),
            Self::P005 => ("P005", "현재 판매중이 아닙니다.", "This product is not for sale."),
            Self::O001 => {
                ("O001", "잘못된 수량", "A quantity is a whole number from 1, and its amount below 2^53.")
            }
            Self::O002 => ("O002", "주문을 찾을 수 없음", "There is no such order."),
            Self::O003 => ("O003", "주문서 만료 (10분 초과)", "The order has expired."),
            Self::O004 => ("O004", "이미 결제된 주문", "The order is paid already."),
            Self::O006 => ("O006", "결제할 수 없는 주문입니다", "The order cannot be paid."),
            Self::PAY001 => ("PAY001", "잔액 부족", "The balance is too low."),
            Self::CART001 => ("CART001", "장바구니 항목을 찾을 수 없음", "That is not in the cart."),
            Self::C001 => ("C001", "쿠폰 품절", "The coupon is sold out."),
            Self::C002 => ("C002", "유효하지 않은 쿠폰", "You do not have this coupon."),
            Self::C003 => ("C003", "만료된 쿠폰", "The coupon has expired."),
            Self::C004 => ("C004", "이미 사용된 쿠폰", "The coupon was used before."),
            Self::C005 => ("C005", "이미 발급된 쿠폰", "You have this coupon already."),
            Self::C006 => ("C006", "쿠폰을 찾을 수 없습니다", "There is no such coupon."),
            Self::U001 => ("U001", "사용자를 찾을 수 없음", "There is no such user."),
            Self::U002 => ("U002", "권한이 없습니다", "This belongs to somebody else."),
            Self::U004 => ("U004", "로그인에 실패했습니다", "Login failed."),
            Self::BalanceLimit => (
                "BALANCE_LIMIT",
                "잔액 한도를 초과합니다",
                "A balance stays below 2^53; nothing was charged.",
            ),
            Self::CouponExists => {
                ("COUPON_EXISTS", "이미 존재하는 쿠폰입니다", "A coupon of that id exists.")
            }
            Self::CampaignNotFound => (
                "CAMPAIGN_NOT_FOUND",
                "캠페인을 찾을 수 없습니다",
                "There is no such campaign; give couponId, name, total, discountRate and expiresAt to open it.",
            ),
            Self::RulesUnsupported => (
                "RULES_UNSUPPORTED",
                "지원하지 않는 규칙 버전입니다",
                "This binary does not support that rules version; deploy a newer one first.",
            ),
            Self::KeyReused => (
                "IDEMPOTENCY_KEY_REUSED",
                "다른 요청에 사용된 Idempotency-Key입니다",
                "This Idempotency-Key was used for another request.",
            ),
            Self::InvalidRequest => ("INVALID_REQUEST", "잘못된 요청입니다", "The request is not valid."),
            Self::Unauthenticated => ("UNAUTHENTICATED", "로그인이 필요합니다", "Log in first."),
            Self::NotFound => ("NOT_FOUND", "존재하지 않는 경로입니다", "There is no such path."),
            Self::RequestNotFound => (
                "REQUEST_NOT_FOUND",
                "요청을 찾을 수 없습니다",
                "The log does not know this request; it is safe to repeat it.",
            ),
            Self::MethodNotAllowed => {
                ("METHOD_NOT_ALLOWED", "허용되지 않은 메서드입니다", "This path does not take that method.")
            }
            Self::PayloadTooLarge => {
                ("PAYLOAD_TOO_LARGE", "요청 본문이 너무 큽니다", "The body is too large.")
            }
            Self::UnsupportedMediaType => (
                "UNSUPPORTED_MEDIA_TYPE",
                "application/json만 지원합니다",
                "Send application/json or an empty body.",
            ),
            Self::RequestTimeout => (
                "REQUEST_TIMEOUT",
                "요청 본문 수신 시간이 초과되었습니다",
                "The body took too long to arrive.",
            ),
            Self::Internal => ("INTERNAL", "서버 오류", "Something went wrong on our side."),
            Self::NotReady => {
                ("NOT_READY", "서버가 준비 중입니다", "This process is still reading the log; try again.")
            }
            Self::Overloaded => (
                "OVERLOADED",
                "요청이 많습니다. 잠시 후 다시 시도해 주세요",
                "Too many requests at once; nothing was recorded, try again.",
            ),
            Self::OutcomeUnknown => (
                "OUTCOME_UNKNOWN",
                "처리 결과를 확인할 수 없습니다. 같은 요청을 다시 보내 주세요",
                "The log did not confirm in time. Repeat the same request with the same Idempotency-Key; it counts once.",
            ),
            Self::Pending => {
                ("PENDING", "처리 중입니다", "The request is recorded; its outcome will be at the Location.")
            }
            Self::Unavailable => (
                "UNAVAILABLE",
                "일시적으로 사용할 수 없습니다",
                "The log cannot be read right now; try again.",
            ),
            Self::HistoryUnavailable => (
                "HISTORY_UNAVAILABLE",
                "이전 내역을 일시적으로 조회할 수 없습니다",
                "Older history cannot be read right now; try again. Orders and payments go on.",
            ),
            Self::CartUnavailable => (
                "CART_UNAVAILABLE",
                "장바구니를 일시적으로 사용할 수 없습니다",
                "Carts cannot be reached right now; try again. Orders and payments go on.",
            ),
            Self::SignatureInvalid => (
                "SIGNATURE_INVALID",
                "서명이 올바르지 않습니다",
                "The signature, its key or its time is not good.",
            ),
            Self::PartitionStopped => (
                "PARTITION_STOPPED",
                "일시적으로 사용할 수 없습니다",
                "This part of the log waits for an operator.",
            ),
        }
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::C001 | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::P002
            | Self::P005
            | Self::O001
            | Self::O003
            | Self::O004
            | Self::O006
            | Self::PAY001
            | Self::C002
            | Self::C003
            | Self::C004
            | Self::C005
            | Self::BalanceLimit
            | Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::P001
            | Self::P004
            | Self::O002
            | Self::CART001
            | Self::C006
            | Self::U001
            | Self::NotFound
            | Self::RequestNotFound
            | Self::CampaignNotFound => StatusCode::NOT_FOUND,
            Self::U002 => StatusCode::FORBIDDEN,
            Self::U004 | Self::Unauthenticated | Self::SignatureInvalid => StatusCode::UNAUTHORIZED,
            Self::CouponExists | Self::RulesUnsupported => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Pending => StatusCode::ACCEPTED,
            Self::NotReady
            | Self::Overloaded
            | Self::OutcomeUnknown
            | Self::Unavailable
            | Self::HistoryUnavailable
            | Self::CartUnavailable
            | Self::PartitionStopped => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A refusal or failure on its way out; the edge writes its body, because only the edge knows the language.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// What it is.
    pub code: Code,
    /// Another status than the code's own (`/coupon/apply` keeps its ancestors').
    pub status: Option<StatusCode>,
    /// What exactly is wrong with the request.
    pub detail: Option<String>,
    /// Where the outcome will be.
    pub location: Option<String>,
    /// Whether an earlier record decided it.
    pub replayed: bool,
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self { code, status: None, detail: None, location: None, replayed: false }
    }
}

impl ApiError {
    /// A request that makes no sense, and why.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Code::InvalidRequest.into() }
    }

    /// The same error under another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The finished response.
    #[must_use]
    pub fn render(&self, english: bool) -> Response {
        let (name, ko, en) = self.code.texts();
        let text = if english { en } else { ko };
        let message =
            self.detail.as_ref().map_or_else(|| text.to_owned(), |detail| format!("{text}: {detail}"));
        let status = self.status.unwrap_or(self.code.status());
        let mut response = refusal::response(status, name, &message);
        let headers = response.headers_mut();
        if let Some(location) = self.location.as_ref().and_then(|location| location.parse().ok()) {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status.unwrap_or(self.code.status());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Away => Code::HistoryUnavailable.into(),
            HistoryError::Busy => Code::Overloaded.into(),
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Overloaded => Code::Overloaded.into(),
            Failure::OutcomeUnknown => Code::OutcomeUnknown.into(),
            Failure::NotFresh => Code::Unavailable.into(),
            Failure::Stopped(_) => Code::PartitionStopped.into(),
            Failure::Unwritable(reason) => {
                tracing::error!(reason, "a record could not be encoded");
                Code::Internal.into()
            }
            Failure::Pending { topic, partition, event_id } => Self {
                location: Some(format!("/api/requests/{}-{partition}-{event_id}", topic.base_name())),
                ..Code::Pending.into()
            },
        }
    }
}

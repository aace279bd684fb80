//! Records of the shop as the ingress would append them.

use crate::records::Envelope;
use schemas::{Record, records::*};

/// A product with one option for each stock.
pub(crate) fn list((event_id, fingerprint): Envelope, name: &str, price: i64, stocks: &[i64]) -> Record {
    let option = |(n, stock): (usize, &i64)| ProductOption {
        color: format!("color {n} "),
        size: "M".to_owned(),
        stock: *stock,
    };
    ProductListed {
        event_id,
        fingerprint,
        name: name.to_owned(),
        category: "SHOES".to_owned(),
        description: format!("\u{c2e0}\u{bc1c} {name}"),
        price,
        available: !name.starts_with("withdrawn"),
        options: stocks.iter().enumerate().map(option).collect(),
    }
    .into()
}

pub(crate) fn adjust((event_id, fingerprint): Envelope, product_option_id: i64, delta: i64) -> Record {
    StockAdjusted { event_id, fingerprint, product_option_id, delta }.into()
}

pub(crate) fn set((event_id, fingerprint): Envelope, user_id: i64, balance: i64) -> Record {
    BalanceSet { event_id, fingerprint, user_id, balance }.into()
}

pub(crate) fn charge((event_id, fingerprint): Envelope, user_id: i64, amount: i64) -> Record {
    BalanceCharged { event_id, fingerprint, user_id, amount }.into()
}

/// Lines are option and quantity.
pub(crate) fn order((event_id, fingerprint): Envelope, user_id: i64, lines: &[(i64, i64)]) -> Record {
    let item = |&(product_option_id, quantity): &(i64, i64)| OrderItem { product_option_id, quantity };
    OrderPlaced { event_id, fingerprint, user_id, items: lines.iter().map(item).collect() }.into()
}

pub(crate) fn pay((event_id, fingerprint): Envelope, order_id: i64, user_id: i64) -> Record {
    let (coupon_id, proof) = (None, None);
    PaymentRequested { event_id, fingerprint, order_id, user_id, coupon_id, proof }.into()
}

/// With a piece of a coupon of 10 %, as `records::open` opens it.
pub(crate) fn pay_with(
    (event_id, fingerprint): Envelope,
    order_id: i64,
    user_id: i64,
    (coupon, number): (i64, i64),
) -> Record {
    let user_coupon_id = (coupon << 32) + number;
    let proof = CouponProof { user_coupon_id, rate_bp: 1_000, expires_at_ms: crate::records::NEVER_MS };
    let (coupon_id, proof) = (Some(coupon), Some(proof));
    PaymentRequested { event_id, fingerprint, order_id, user_id, coupon_id, proof }.into()
}

pub(crate) fn tick((event_id, fingerprint): Envelope) -> Record {
    Ticked { event_id, fingerprint }.into()
}

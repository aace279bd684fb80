//! A proptest strategy for logs of the shop: mostly sensible requests with small stocks and balances, and anything.

use super::records::{listing, proof, shop};
use crate::logs::{Entry, START_MS, envelope, fold_all, number, rules, rules_record};
use domain::Scope;
use proptest::prelude::*;
use schemas::{OrderId, Record, records::*};

const TTL_MS: i64 = 600_000;

/// A record, or the payment of an order that only the log so far knows.
#[derive(Clone, Debug)]
enum Wish {
    Record(Record),
    Pay(Pay),
}

#[derive(Clone, Debug)]
struct Pay {
    /// The latest order but so many.
    back: u64,
    /// By its owner, or as the record says.
    by_owner: bool,
    /// So many ms after its end, if that is to come.
    after_end_ms: Option<i64>,
    record: PaymentRequested,
}

fn amount() -> impl Strategy<Value = i64> {
    const MAX: i64 = (1 << 53) - 1;
    prop_oneof![
        14 => 0_i64..2_000, 1 => Just(0), 1 => Just(MAX), 1 => (MAX - 2_000)..=MAX, 1 => Just(MAX + 1), 1 => any::<i64>()
    ]
}

fn user() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 1_i64..4, 1 => number()]
}

fn option_id() -> impl Strategy<Value = i64> {
    prop_oneof![30 => 1_i64..4, 6 => 4_i64..8, 1 => number()]
}

fn quantity() -> impl Strategy<Value = i64> {
    let odd = [0, -1, i64::MIN, i64::MAX, 1 << 53, (1 << 53) - 1];
    prop_oneof![20 => 1_i64..4, 1 => proptest::sample::select(odd.to_vec())]
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![20 => "[a-z쿠]{1,4}", 1 => Just(String::new()), 1 => Just("폰".repeat(300))]
}

fn listed() -> impl Strategy<Value = Record> {
    let stock = || prop_oneof![12 => 0_i64..8, 1 => amount()];
    let option =
        || (label(), label(), stock()).prop_map(|(color, size, stock)| ProductOption { color, size, stock });
    let options = prop_oneof![
        9 => proptest::collection::vec(option(), 1..3), 1 => proptest::collection::vec(option(), 0..102)
    ];
    let price = prop_oneof![6 => 1_i64..400, 1 => Just(0), 1 => amount()];
    let texts = (label(), label(), "[a-z]{0,3}");
    (envelope(), texts, price, proptest::bool::weighted(0.9), options).prop_map(
        |((event_id, fingerprint), (name, category, description), price, available, options)| {
            ProductListed { event_id, fingerprint, name, category, description, price, available, options }
                .into()
        },
    )
}

fn placed() -> impl Strategy<Value = Record> {
    let item = || {
        (option_id(), quantity())
            .prop_map(|(product_option_id, quantity)| OrderItem { product_option_id, quantity })
    };
    let items = prop_oneof![
        30 => proptest::collection::vec(item(), 1..4), 1 => proptest::collection::vec(item(), 0..104)
    ];
    (envelope(), user(), items).prop_map(|((event_id, fingerprint), user_id, items)| {
        OrderPlaced { event_id, fingerprint, user_id, items }.into()
    })
}

/// The coupon named, and what vouches for it; of a few pieces, so that one is offered again.
fn coupon() -> impl Strategy<Value = (Option<i64>, Option<CouponProof>)> {
    let expires = prop_oneof![
        6 => Just(i64::MAX), 3 => START_MS..START_MS + 3 * TTL_MS, 1 => any::<i64>()
    ];
    let rate = prop_oneof![10 => 0_i32..=10_000, 1 => -1_i32..20_000, 1 => any::<i32>()];
    let parts = (1_i64..3, 1_i64..4, rate, expires);
    let sound = (parts, any::<bool>()).prop_map(|((coupon, number, rate, expires), piece)| {
        let proof = proof(coupon, number, rate, expires);
        (Some(if piece { proof.user_coupon_id } else { coupon }), Some(proof))
    });
    let odd = (proptest::option::of(number()), number(), number(), any::<i32>(), any::<i64>()).prop_map(
        |(named, coupon, piece, rate_bp, expires_at_ms)| {
            let user_coupon_id = (coupon << 32).wrapping_add(piece);
            (named, Some(CouponProof { user_coupon_id, rate_bp, expires_at_ms }))
        },
    );
    let unproved = number().prop_map(|named| (Some(named), None));
    prop_oneof![8 => Just((None, None)), 8 => sound, 1 => unproved, 1 => odd]
}

fn payment() -> impl Strategy<Value = PaymentRequested> {
    (envelope(), number(), user(), coupon()).prop_map(
        |((event_id, fingerprint), order_id, user_id, (coupon_id, proof))| PaymentRequested {
            event_id,
            fingerprint,
            order_id,
            user_id,
            coupon_id,
            proof,
        },
    )
}

fn money() -> impl Strategy<Value = Record> {
    let set = (envelope(), user(), amount()).prop_map(|((event_id, fingerprint), user_id, balance)| {
        BalanceSet { event_id, fingerprint, user_id, balance }.into()
    });
    let charge = (envelope(), user(), amount()).prop_map(|((event_id, fingerprint), user_id, amount)| {
        BalanceCharged { event_id, fingerprint, user_id, amount }.into()
    });
    prop_oneof![set, charge]
}

fn adjusted() -> impl Strategy<Value = Record> {
    let beyond = (1_i64 << 53) - 5..1 << 53;
    let delta = prop_oneof![
        8 => -6_i64..8, 1 => beyond, 1 => amount(), 1 => amount().prop_map(i64::wrapping_neg)
    ];
    (envelope(), option_id(), delta).prop_map(|((event_id, fingerprint), product_option_id, delta)| {
        StockAdjusted { event_id, fingerprint, product_option_id, delta }.into()
    })
}

/// What has no place in this topic.
fn foreign() -> impl Strategy<Value = Record> {
    let claim = (envelope(), 1_i64..4).prop_map(|((event_id, fingerprint), coupon_id)| {
        CouponClaimed { event_id, fingerprint, coupon_id, user_id: 1 }.into()
    });
    let guest = envelope().prop_map(|(event_id, fingerprint)| {
        SignedUp { event_id, fingerprint, email_hmac: None, account: None }.into()
    });
    prop_oneof![claim, guest]
}

fn wish() -> BoxedStrategy<Wish> {
    let tick = envelope().prop_map(|(event_id, fingerprint)| Record::from(Ticked { event_id, fingerprint }));
    let around = proptest::option::weighted(0.1, proptest::sample::select(vec![-1_000, -1, 0, 1]));
    let pay = (0_u64..4, proptest::bool::weighted(0.9), around, payment()).prop_map(
        |(back, by_owner, after_end_ms, record)| Wish::Pay(Pay { back, by_owner, after_end_ms, record }),
    );
    let stray = payment().prop_map(Record::from);
    let record = |strategy: BoxedStrategy<Record>| strategy.prop_map(Wish::Record).boxed();
    // Boxed: all the branches' values together would not fit a test's stack.
    prop_oneof![
        10 => record(placed().boxed()),
        10 => pay.boxed(),
        3 => record(money().boxed()),
        2 => record(listed().boxed()),
        2 => record(adjusted().boxed()),
        1 => record(tick.boxed()),
        1 => record(stray.boxed()),
        1 => record(foreign().boxed()),
        1 => record(rules_record().boxed()),
    ]
    .boxed()
}

/// How far the broker's clock goes on, in ms: mostly little, often just before or at an order's end.
fn step() -> impl Strategy<Value = i64> {
    let far = [TTL_MS - 1_000, TTL_MS - 1, TTL_MS, TTL_MS + 1, TTL_MS / 2, 24 * 60 * 60 * 1_000];
    prop_oneof![10 => -3_000_i64..5_000, 6 => Just(0), 2 => proptest::sample::select(far.to_vec())]
}

/// Any log of the shop.
pub(crate) fn shop_log() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (proptest::option::weighted(0.95, wish()), step());
    (any::<u8>(), any::<u8>(), proptest::collection::vec(entry, 0..120)).prop_map(
        |(lawless, bare, wishes)| {
            let mut log = Vec::new();
            if lawless > 10 {
                log.push(Entry { record: Some(rules(1).into()), timestamp_ms: START_MS });
            }
            if bare > 10 {
                let goods = [listing(100, true, &[5, 3]), listing(7, true, &[8]), listing(50, false, &[4])];
                log.extend(goods.map(|l| Entry { record: Some(l.into()), timestamp_ms: START_MS }));
            }
            fulfilled(log, wishes)
        },
    )
}

/// Turns wishes into records, each knowing what the log before it led to.
fn fulfilled(mut log: Vec<Entry>, wishes: Vec<(Option<Wish>, i64)>) -> Vec<Entry> {
    let mut fold = shop(Scope::Full);
    let mut now_ms = START_MS;
    for (wish, step) in wishes {
        fold_all(&mut fold, &log);
        now_ms += step;
        let record = wish.map(|wish| match wish {
            Wish::Record(record) => record,
            Wish::Pay(Pay { back, by_owner, after_end_ms, mut record }) => {
                let count = fold.header().next_seq;
                let latest = OrderId::new(count.saturating_sub(back));
                record.order_id = latest.map_or(record.order_id, OrderId::to_wire);
                let open = fold.state().open_orders().find(|order| Some(order.order_id) == latest);
                if let Some(order) = open {
                    record.user_id = if by_owner { order.user_id.to_wire() } else { record.user_id };
                    let then = after_end_ms.map(|after| order.expires_at_ms + after);
                    now_ms = now_ms.max(then.unwrap_or(now_ms));
                }
                record.into()
            }
        });
        log.push(Entry { record, timestamp_ms: now_ms });
    }
    log
}

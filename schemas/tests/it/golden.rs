//! Golden bytes of version 1 of every record type, made by an independent Avro implementation (`golden/make.py`).

use schemas::{
    AccountId, Crc64, EmailHmac, Fingerprint, KeyCheck, LogId, Record, RecordType, SessionId, Topic, Uuid,
    catalogue::{self, Kind},
    codec::{Codec, CodecError, EncodeError, MAX_PAYLOAD_BYTES, decode_founding},
    records::*,
};

const GOLDEN: &str = include_str!("../golden/v1.txt");
const EXPIRES: i64 = 1_893_455_999_000;

/// The codec of a log whose registry numbered the schemas 1, 2, 3, ... in registration order.
pub(crate) fn codec() -> Codec {
    let listed: Vec<_> =
        (1..).zip(catalogue::all()).map(|(id, entry)| RegisteredSchema { id, crc64: entry.crc64 }).collect();
    Codec::new(&listed).expect("every schema is carried and listed")
}

/// The samples of `make.py`, in its order.
#[expect(clippy::too_many_lines, reason = "a table: one sample of each record type")]
pub(crate) fn samples() -> Vec<Record> {
    let event_id = Uuid::from_bytes(std::array::from_fn(|i| i as u8));
    let some = Some(Fingerprint(std::array::from_fn(|i| i as u8 + 16)));
    let fingerprint = None;
    let crc = catalogue::of(RecordType::RulesActivated).crc64;
    let crc_reversed = Crc64(std::array::from_fn(|i| crc.0[7 - i]));
    vec![
        RulesActivated {
            event_id,
            fingerprint,
            version: 1,
            log_id: LogId([1; 16]),
            mode: Mode::Stage,
            opening_balance: 1_000_000_000,
            order_ttl_ms: 600_000,
            email_key_check: KeyCheck([2; 16]),
            fingerprint_key_check: KeyCheck([3; 16]),
            schemas: vec![
                RegisteredSchema { id: 1, crc64: crc },
                RegisteredSchema { id: 7, crc64: crc_reversed },
            ],
        }
        .into(),
        SignedUp {
            event_id,
            fingerprint: some,
            email_hmac: Some(EmailHmac([4; 16])),
            account: Some(AccountId([5; 16])),
        }
        .into(),
        SessionRevoked {
            event_id,
            fingerprint,
            user_id: (1 << 53) - 1,
            session_id: SessionId([6; 16]),
            expires_at_ms: EXPIRES,
        }
        .into(),
        AccountErased { event_id, fingerprint: some, user_id: 5 }.into(),
        CouponOpened {
            event_id,
            fingerprint,
            coupon_id: 1,
            name: "여름 쿠폰".into(),
            total: 10_000_000,
            rate_bp: 1500,
            expires_at_ms: EXPIRES,
        }
        .into(),
        CouponExtended { event_id, fingerprint: some, coupon_id: 1, total: 20_000_000 }.into(),
        CouponClosed { event_id, fingerprint, coupon_id: 2_097_151 }.into(),
        CampaignOpened {
            event_id,
            fingerprint: some,
            campaign: "apply".into(),
            coupon_id: 9,
            name: "apply".into(),
            total: 100,
            rate_bp: 1000,
            expires_at_ms: EXPIRES,
        }
        .into(),
        CouponClaimed { event_id, fingerprint, coupon_id: 1, user_id: -1 }.into(),
        ProductListed {
            event_id,
            fingerprint: some,
            name: "셔츠".into(),
            category: "CLOTHING".into(),
            description: String::new(),
            price: 19_900,
            available: true,
            options: vec![ProductOption { color: "black".into(), size: "M".into(), stock: 100_000 }],
        }
        .into(),
        StockAdjusted { event_id, fingerprint, product_option_id: 21, delta: -3 }.into(),
        BalanceSet { event_id, fingerprint: some, user_id: 1, balance: 100_000 }.into(),
        BalanceCharged { event_id, fingerprint, user_id: 1, amount: 1 }.into(),
        OrderPlaced {
            event_id,
            fingerprint: some,
            user_id: 1,
            items: vec![
                OrderItem { product_option_id: 1, quantity: 2 },
                OrderItem { product_option_id: 2, quantity: -1 },
            ],
        }
        .into(),
        PaymentRequested {
            event_id,
            fingerprint,
            order_id: 1,
            user_id: 1,
            coupon_id: Some((1 << 32) + 1),
            proof: Some(CouponProof { user_coupon_id: (1 << 32) + 1, rate_bp: 1500, expires_at_ms: EXPIRES }),
        }
        .into(),
        Ticked { event_id, fingerprint: some }.into(),
    ]
}

pub(crate) fn topic_of(record: &Record) -> Topic {
    *Topic::ALL
        .iter()
        .find(|topic| topic.carries(record.record_type()))
        .expect("every record type has a topic")
}

#[test]
fn every_record_type_has_the_golden_bytes() {
    let codec = codec();
    let lines: Vec<_> = GOLDEN.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(lines.len(), RecordType::ALL.len());
    for (record, (name, golden)) in samples().into_iter().zip(lines) {
        assert_eq!(record.record_type().name(), name);
        let mut bytes = Vec::new();
        codec.encode(&record, &mut bytes).expect("encodes");
        assert_eq!(hex::encode(&bytes), golden, "bytes of {name}");
        let back = codec.decode(topic_of(&record), Some(&bytes));
        assert_eq!(back.as_ref(), Ok(&record), "{name} comes back");
    }
}

/// A registry numbers by the whole text, so even a changed comment would get a new id.
#[test]
fn the_texts_of_the_schemas_never_change() {
    let found: Vec<_> = RecordType::ALL
        .iter()
        .map(|kind| format!("{} {:016x}", kind.name(), xxhash_rust::xxh3::xxh3_64(kind.avsc().as_bytes())))
        .collect();
    let golden: Vec<_> = include_str!("../golden/text.v1.txt").lines().collect();
    assert_eq!(found, golden);
}

#[test]
fn a_list_with_anything_twice_is_refused() {
    let entry = &catalogue::all()[0];
    let listed = |id| RegisteredSchema { id, crc64: entry.crc64 };
    let other = RegisteredSchema { id: 1, crc64: catalogue::all()[1].crc64 };
    for list in [vec![listed(1), listed(1)], vec![listed(1), listed(2)], vec![listed(1), other]] {
        assert!(matches!(Codec::new(&list), Err(CodecError::ListedTwice { .. })));
    }
}

#[test]
fn a_record_that_is_not_listed_or_too_large_is_not_encoded() {
    let own = catalogue::of(RecordType::Ticked);
    let codec = Codec::new(&[RegisteredSchema { id: 1, crc64: own.crc64 }]).expect("a short list is fine");
    let mut out = b"before".to_vec();
    let claim = samples().swap_remove(8);
    assert!(matches!(
        codec.encode(&claim, &mut out),
        Err(EncodeError::NotListed(Kind::Record(RecordType::CouponClaimed)))
    ));

    let description = "x".repeat(MAX_PAYLOAD_BYTES);
    let Record::ProductListed(product) = samples().swap_remove(9) else {
        panic!("the tenth sample is a product")
    };
    let huge = ProductListed { description, ..product };
    assert!(matches!(self::codec().encode(&huge.into(), &mut out), Err(EncodeError::TooLarge(_))));
    assert_eq!(out, b"before", "nothing half-written is left behind");
}

#[test]
fn the_fingerprints_of_the_schemas_never_change() {
    let found: Vec<_> = catalogue::all()
        .iter()
        .map(|entry| format!("{} {}", entry.subject, hex::encode(entry.crc64.0)))
        .collect();
    let records = include_str!("../golden/crc64.v1.txt").lines();
    let golden: Vec<_> = records.chain(include_str!("../golden/crc64-facts.v1.txt").lines()).collect();
    assert_eq!(found, golden, "records first, then facts");
}

#[test]
fn a_founding_record_is_read_before_any_schema_id_is_known() {
    let codec = codec();
    let Record::RulesActivated(mut rules) = samples().remove(0) else {
        panic!("the first sample founds a log")
    };
    let own = catalogue::of(RecordType::RulesActivated);
    rules.schemas = vec![RegisteredSchema { id: 1, crc64: own.crc64 }];
    let mut bytes = Vec::new();
    codec.encode(&rules.clone().into(), &mut bytes).expect("encodes");
    assert!(matches!(decode_founding(&bytes), Ok(Some(found)) if found == rules));

    rules.schemas[0].id = 2;
    let mut renumbered = Vec::new();
    codec.encode(&rules.into(), &mut renumbered).expect("encodes");
    assert!(
        matches!(decode_founding(&renumbered), Ok(None)),
        "a record that does not list itself founds nothing"
    );
}

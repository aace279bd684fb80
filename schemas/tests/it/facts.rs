//! Facts: golden bytes made by an independent Avro implementation (`golden/make-facts.py`), the strict decoder, and
//! that records and facts are never taken for each other.

use crate::golden;
use proptest::prelude::*;
use schemas::{
    Fact, FactTopic, FactType, RecordType, Topic, catalogue,
    codec::{Codec, DecodeError, EncodeError, FactCodec, MAX_PAYLOAD_BYTES},
    facts::*,
    partition::{home_of_fact, key_of_fact},
    records::RegisteredSchema,
};

const AT_MS: i64 = 1_893_455_999_000;

fn listed() -> Vec<RegisteredSchema> {
    (1..).zip(catalogue::all()).map(|(id, entry)| RegisteredSchema { id, crc64: entry.crc64 }).collect()
}

fn codec() -> FactCodec {
    FactCodec::new(&listed()).expect("every schema is carried and listed")
}

/// The samples of `make-facts.py`, in its order.
fn samples() -> Vec<Fact> {
    vec![
        PaymentCaptured {
            source_offset: 300,
            order_id: 1,
            user_id: 1,
            total: 19_900,
            discount: 2_985,
            paid: 16_915,
            user_coupon_id: Some((1 << 32) + 1),
            at_ms: AT_MS,
        }
        .into(),
        PaymentDeclined {
            source_offset: 301,
            order_id: (1 << 46) - 1,
            user_id: (1 << 53) - 1,
            total: 19_900,
            discount: 0,
            paid: 0,
            user_coupon_id: None,
            at_ms: AT_MS,
            reason: "PAY001".into(),
        }
        .into(),
        DispatchRequested {
            source_offset: 300,
            order_id: 1,
            user_id: 1,
            total: 19_900,
            discount: 2_985,
            paid: 16_915,
            at_ms: AT_MS,
            redriven: true,
        }
        .into(),
        DispatchDelivered { order_id: 1, attempts: 3, at_ms: AT_MS }.into(),
        DispatchFailed { order_id: 1, attempts: 8, reason: "응답 500".into(), at_ms: AT_MS }.into(),
        PlatformEventReceived {
            event_id: "evt-00000001".into(),
            order_id: -1,
            kind: "SHIPPED".into(),
            occurred_at_ms: AT_MS,
        }
        .into(),
    ]
}

fn encoded() -> Vec<(FactTopic, Vec<u8>)> {
    let codec = codec();
    let encode = |fact: &Fact| {
        let mut bytes = Vec::new();
        codec.encode(fact, &mut bytes).expect("encodes");
        (FactTopic::of(fact.fact_type()), bytes)
    };
    samples().iter().map(encode).collect()
}

#[test]
fn every_fact_has_the_golden_bytes() {
    let lines: Vec<_> =
        include_str!("../golden/facts.v1.txt").lines().filter_map(|l| l.split_once(' ')).collect();
    assert_eq!(lines.len(), FactType::ALL.len());
    let codec = codec();
    for ((fact, (topic, bytes)), (name, golden)) in samples().into_iter().zip(encoded()).zip(lines) {
        assert_eq!(fact.fact_type().name(), name);
        assert_eq!(hex::encode(&bytes), golden, "bytes of {name}");
        assert_eq!(codec.decode(topic, Some(&bytes)), Ok(fact), "{name} comes back");
    }
}

/// A registry numbers by the whole text, so even a changed comment would get a new id.
#[test]
fn the_texts_of_the_facts_schemas_never_change() {
    let text = |kind: &FactType| {
        format!("{} {:016x}", kind.name(), xxhash_rust::xxh3::xxh3_64(kind.avsc().as_bytes()))
    };
    let found: Vec<_> = FactType::ALL.iter().map(text).collect();
    let golden: Vec<_> = include_str!("../golden/text-facts.v1.txt").lines().collect();
    assert_eq!(found, golden);
}

#[test]
fn the_corpus_of_odd_facts_is_judged_as_ever() {
    let corpora = [
        (FactTopic::Payment, include_str!("../golden/odd-payment.v1.txt")),
        (FactTopic::ExternalPlatform, include_str!("../golden/odd-external-platform.v1.txt")),
    ];
    let codec = codec();
    for (topic, corpus) in corpora {
        for line in corpus.lines() {
            let mut words = line.splitn(3, ' ');
            let (verdict, bytes) = (words.next(), words.next().expect("hex"));
            let found = match codec.decode(topic, Some(&hex::decode(bytes).expect("hex"))) {
                Ok(_) => "accepted",
                Err(DecodeError::Malformed(_)) => "malformed",
                Err(_) => "stops",
            };
            assert_eq!(verdict, Some(found), "{line}");
        }
    }
}

#[test]
fn a_cut_or_longer_fact_and_a_tombstone_are_malformed() {
    let codec = codec();
    for (topic, bytes) in encoded() {
        for end in 0..bytes.len() {
            let cut = codec.decode(topic, Some(&bytes[..end]));
            assert!(matches!(cut, Err(DecodeError::Malformed(_))), "{topic:?} cut at {end}: {cut:?}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(codec.decode(topic, Some(&longer)), Err(DecodeError::Malformed(_))));
        assert!(matches!(codec.decode(topic, None), Err(DecodeError::Malformed(_))));
    }
}

#[test]
fn records_and_facts_are_never_taken_for_each_other() {
    let (facts, records) = (codec(), Codec::new(&listed()).expect("the list may name facts too"));
    for (topic, bytes) in encoded() {
        for foreign in Topic::ALL {
            let decoded = records.decode(foreign, Some(&bytes));
            assert!(matches!(decoded, Err(DecodeError::ForeignType(_))), "{topic:?}: {decoded:?}");
        }
        for other in FactTopic::ALL.into_iter().filter(|other| *other != topic) {
            assert!(matches!(facts.decode(other, Some(&bytes)), Err(DecodeError::ForeignType(_))));
        }
    }
    for record in golden::samples() {
        let mut bytes = Vec::new();
        records.encode(&record, &mut bytes).expect("encodes");
        for topic in FactTopic::ALL {
            let decoded = facts.decode(topic, Some(&bytes));
            assert!(matches!(decoded, Err(DecodeError::ForeignType(_))), "{record:?}: {decoded:?}");
        }
    }
}

#[test]
fn a_log_that_lists_no_facts_reads_its_records_and_writes_no_fact() {
    let mut listed = listed();
    listed.truncate(RecordType::ALL.len());
    let codec = FactCodec::new(&listed).expect("a list of records is fine");
    Codec::new(&listed).expect("a list of records is fine");
    let mut out = b"before".to_vec();
    for fact in samples() {
        assert!(matches!(codec.encode(&fact, &mut out), Err(EncodeError::NotListed(_))));
    }
    assert_eq!(out, b"before", "nothing half-written is left behind");
    let (topic, bytes) = encoded().swap_remove(0);
    assert_eq!(codec.decode(topic, Some(&bytes)), Err(DecodeError::UnknownSchema(17)));
}

#[test]
fn a_fact_larger_than_a_record_may_be_is_not_encoded() {
    let reason = "x".repeat(MAX_PAYLOAD_BYTES);
    let huge = DispatchFailed { order_id: 1, attempts: 1, reason, at_ms: 0 };
    assert!(matches!(codec().encode(&huge.into(), &mut Vec::new()), Err(EncodeError::TooLarge(_))));
}

/// Keys and homes are for ever: compaction and readers of one user's payments go by them.
#[test]
fn keys_and_partitions_of_facts_never_change() {
    let found: Vec<_> = samples().iter().map(|fact| (key_of_fact(fact), home_of_fact(fact))).collect();
    let golden = [
        ("1", 0),
        ("9007199254740991", 6),
        ("DispatchRequested:1", 0),
        ("DispatchDelivered:1", 0),
        ("DispatchFailed:1", 0),
        ("PlatformEventReceived:evt-00000001", 6),
    ];
    assert_eq!(found, golden.map(|(key, home)| (key.to_owned(), home)));
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer_and_what_decodes_encodes_to_the_same_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..60), id in 0_u8..25,
    ) {
        let codec = codec();
        let mut framed = vec![0, 0, 0, 0, id];
        framed.extend(bytes);
        for topic in FactTopic::ALL {
            if let Ok(fact) = codec.decode(topic, Some(&framed)) {
                let mut again = Vec::new();
                codec.encode(&fact, &mut again).expect("what was decoded can be encoded");
                prop_assert_eq!(&again, &framed);
            }
        }
    }
}

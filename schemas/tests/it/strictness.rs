//! The strict decoder is part of the rules: what is malformed today must be malformed in ten years.

use crate::golden::{codec, samples, topic_of};
use proptest::prelude::*;
use schemas::{
    RecordType, Topic, Uuid,
    codec::{DecodeError, MAX_PAYLOAD_BYTES},
    records::{OrderItem, OrderPlaced},
};

fn encoded() -> Vec<(Topic, Vec<u8>)> {
    let codec = codec();
    samples()
        .iter()
        .map(|record| {
            let mut bytes = Vec::new();
            codec.encode(record, &mut bytes).expect("encodes");
            (topic_of(record), bytes)
        })
        .collect()
}

#[test]
fn cut_or_longer_bytes_are_malformed() {
    let codec = codec();
    for (topic, bytes) in encoded() {
        for end in 5..bytes.len() {
            let cut = codec.decode(topic, Some(&bytes[..end]));
            assert!(matches!(cut, Err(DecodeError::Malformed(_))), "{topic:?} cut at {end}: {cut:?}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(codec.decode(topic, Some(&longer)), Err(DecodeError::Malformed(_))));
    }
}

#[test]
fn what_is_not_framed_is_malformed_and_what_is_unknown_is_not() {
    let codec = codec();
    let decode = |bytes: Option<&[u8]>| codec.decode(Topic::Coupon, bytes);
    assert!(matches!(decode(None), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode(Some(b"")), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode(Some(b"\0\0\0\0")), Err(DecodeError::Malformed(_))));
    assert!(matches!(decode(Some(b"\x01\0\0\0\x09rest")), Err(DecodeError::Malformed(_))));
    assert_eq!(decode(Some(b"\0\0\0\x03\xe7")), Err(DecodeError::UnknownSchema(999)));
    let huge = vec![0; MAX_PAYLOAD_BYTES + 1];
    assert!(matches!(decode(Some(&huge)), Err(DecodeError::Malformed(_))));
}

#[test]
fn a_record_type_of_another_topic_is_foreign() {
    let codec = codec();
    for (topic, bytes) in encoded() {
        for other in Topic::ALL.into_iter().filter(|other| *other != topic) {
            let decoded = codec.decode(other, Some(&bytes));
            match decoded {
                Ok(record) => assert_eq!(record.record_type(), RecordType::RulesActivated),
                Err(error) => assert!(matches!(error, DecodeError::ForeignType(_)), "{error}"),
            }
        }
    }
}

/// Datums that a lenient decoder might let through, each with what must come of it (golden corpus). An accepted one
/// is canonical by the decoder's own rule, so its value is pinned too.
#[test]
fn the_corpus_of_odd_datums_is_judged_as_ever() {
    let corpora = [
        (Topic::Coupon, include_str!("../golden/odd-coupon.v1.txt")),
        (Topic::Order, include_str!("../golden/odd-order.v1.txt")),
    ];
    let codec = codec();
    for (topic, corpus) in corpora {
        for line in corpus.lines() {
            let mut words = line.splitn(3, ' ');
            let (verdict, bytes) = (words.next(), words.next().expect("hex"));
            let bytes = hex::decode(bytes).expect("hex");
            let found = match codec.decode(topic, Some(&bytes)) {
                Ok(_) => "accepted",
                Err(DecodeError::Malformed(_)) => "malformed",
                Err(_) => "stops",
            };
            assert_eq!(verdict, Some(found), "{line}");
        }
    }
}

/// How many items an order may have is the fold's to judge; the decoder must not have a limit of its own.
#[test]
fn a_list_of_70000_items_is_decoded() {
    let item = OrderItem { product_option_id: 1, quantity: 1 };
    let order =
        OrderPlaced { event_id: Uuid::nil(), fingerprint: None, user_id: 1, items: vec![item; 70_000] };
    let codec = codec();
    let mut bytes = Vec::new();
    codec.encode(&order.clone().into(), &mut bytes).expect("encodes");
    assert_eq!(codec.decode(Topic::Order, Some(&bytes)), Ok(order.into()));
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), id in 0_u8..18) {
        let codec = codec();
        let mut framed = vec![0, 0, 0, 0, id];
        framed.extend(bytes);
        for topic in Topic::ALL {
            let _ = codec.decode(topic, Some(&framed));
        }
    }

    #[test]
    fn a_flipped_byte_never_panics_and_what_decodes_encodes_again(
        which in 0_usize..16, at in 0_usize..200, flip in 1_u8..=255,
    ) {
        let codec = codec();
        let (topic, mut bytes) = encoded().swap_remove(which);
        let at = 5 + at % (bytes.len() - 5);
        bytes[at] ^= flip;
        if let Ok(record) = codec.decode(topic, Some(&bytes)) {
            let mut again = Vec::new();
            codec.encode(&record, &mut again).expect("what was decoded can be encoded");
            prop_assert_eq!(codec.decode(topic, Some(&again)), Ok(record));
        }
    }
}

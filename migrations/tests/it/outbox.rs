//! Table `outbox`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::outbox::{self, CAPTURED, DECLINED};

fn decided(source_offset: u64) -> outbox::Model {
    let declined = source_offset.is_multiple_of(3);
    outbox::Model {
        source_offset,
        kind: if declined { DECLINED } else { CAPTURED },
        order_id: source_offset + 1,
        user_id: 7,
        total: (1 << 53) - 1,
        discount: 0,
        paid: 0,
        user_coupon_id: source_offset.is_multiple_of(2).then_some((1 << 53) - 1),
        reason: declined.then(|| "PAY001".to_owned()),
        at_ms: 5,
    }
}

#[tokio::test]
async fn what_was_published_is_deleted_and_the_rest_stays() {
    in_schema(|db| async move {
        let rows: Vec<_> = (0..700).map(decided).collect();
        outbox::insert_many(&db, &rows).await.unwrap();
        assert_eq!(outbox::page(&db, 0, 300).await.unwrap(), rows[..300]);
        assert_eq!(outbox::page(&db, 690, 300).await.unwrap(), rows[690..], "from this offset on");
        let published: Vec<u64> = (0..400).rev().chain([650, 9_999]).collect();
        assert_eq!(outbox::delete_many(&db, &published).await.unwrap(), 401);
        assert_eq!(outbox::page(&db, 0, 250).await.unwrap(), rows[400..650]);
        assert_eq!(outbox::page(&db, 650, 1).await.unwrap(), rows[651..652]);
        assert_eq!(outbox::delete_many(&db, &[]).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_decision_stands_there_once_and_a_reason_belongs_to_a_refusal() {
    in_schema(|db| async move {
        outbox::insert_many(&db, &[decided(1)]).await.unwrap();
        assert_refused(outbox::insert_many(&db, &[decided(1)]).await, 1062);
        let groundless = outbox::Model { reason: None, ..decided(3) };
        assert_refused(outbox::insert_many(&db, &[groundless]).await, 3819);
        let reasoned = outbox::Model { reason: Some("C002".to_owned()), ..decided(4) };
        assert_refused(outbox::insert_many(&db, &[reasoned]).await, 3819);
        let unknown = outbox::Model { kind: 3, ..decided(4) };
        assert_refused(outbox::insert_many(&db, &[unknown]).await, 3819);
        let longest = "r".repeat(outbox::REASON_MAX_CHARS);
        outbox::insert_many(&db, &[outbox::Model { reason: Some(longest), ..decided(6) }]).await.unwrap();
    })
    .await;
}

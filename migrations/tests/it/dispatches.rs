//! Table `external_dispatches`.

use crate::server::in_schema;
use migrations::entity::external_dispatches::{self as dispatches, Model, PENDING};
use sea_orm::{ConnectionTrait, DbErr, IsolationLevel, TransactionTrait};

const PARTITIONS: [i32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// Asked for `order_id` ms after the first, in turn of the partitions.
fn asked(order_id: u64) -> Model {
    Model {
        order_id,
        partition_id: (order_id % 8) as i32,
        state: PENDING,
        source_offset: Some(order_id),
        user_id: Some(7),
        total: Some(10),
        discount: Some(0),
        paid: Some(10),
        paid_at_ms: Some(5),
        next_attempt_at_ms: order_id as i64,
        ..Model::default()
    }
}

/// What whoever tells the partner takes: looked for, then locked.
async fn due<C: ConnectionTrait>(db: &C, partitions: &[i32], limit: u64) -> Result<Vec<Model>, DbErr> {
    let due = dispatches::longest_due(db, partitions, limit).await?;
    assert!(due.iter().all(|(order, partition)| order % 8 == *partition as u64), "{due:?}");
    dispatches::lock_due(db, due.into_iter().map(|(order, _)| order).collect()).await
}

#[tokio::test]
async fn who_looks_for_what_is_due_locks_what_it_gets_and_no_more() {
    in_schema(|db| async move {
        dispatches::request(&db, &(1..=800).map(asked).collect::<Vec<_>>()).await.unwrap();
        let read_committed = Some(IsolationLevel::ReadCommitted);
        let one = db.begin_with_config(read_committed, None).await.unwrap();
        let got = due(&one, &PARTITIONS, 16).await.unwrap();
        let ids: Vec<u64> = got.iter().map(|row| row.order_id).collect();
        assert_eq!(ids, (1..=16).collect::<Vec<_>>(), "the longest due first, over all partitions");
        let other = db.begin_with_config(read_committed, None).await.unwrap();
        let rest = due(&other, &PARTITIONS, 800).await.unwrap();
        assert_eq!(rest.len(), 800 - 16, "rows were locked that nobody got");
        other.rollback().await.unwrap();

        dispatches::lease(&one, &ids, "me", 60_000).await.unwrap();
        one.commit().await.unwrap();
        let next = due(&db, &PARTITIONS[..2], 3).await.unwrap();
        assert_eq!(next.iter().map(|row| row.order_id).collect::<Vec<_>>(), [17, 24, 25]);
        assert_eq!(due(&db, &[], 16).await.unwrap(), []);
    })
    .await;
}

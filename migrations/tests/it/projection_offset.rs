//! Table `projection_offset`: the fence.

use crate::server::{in_schema, until_an_update_is_under_way};
use migrations::entity::Bytes;
use migrations::entity::projection_offset::{ACTIVE_RULES_MAX_BYTES, Expected, Key, Progress};
use migrations::entity::projection_offset::{
    advance, claim, create_if_absent, load, of_group, share_epoch, share_idle,
};
use migrations::{Failure, mysql_error_code};
use sea_orm::TransactionTrait;

fn key(partition_id: i32) -> Key {
    Key { group_name: "coupon-projection".to_owned(), topic: "shop.coupon".to_owned(), partition_id }
}

fn progress(next_offset: u64) -> Progress {
    Progress {
        next_offset,
        digest: Bytes(u64::MAX.to_le_bytes()),
        last_record_hash: Bytes([0, 1, 2, 0xff, 0xfe, 0x80, 0x20, 0]),
        clock_ms: 1_700_000_000_000,
        rules: 1,
        active_rules: vec![0xff; ACTIVE_RULES_MAX_BYTES],
        next_seq: (1 << 53) - 1,
        earliest_due_ms: Some(1_700_000_600_000),
        dead_lettered: 3,
    }
}

#[tokio::test]
async fn a_row_is_created_once_and_all_of_it_comes_back() {
    in_schema(|db| async move {
        assert_eq!(load(&db, &key(0)).await.unwrap(), None);
        assert_eq!(claim(&db, &key(0)).await.unwrap(), None);
        create_if_absent(&db, &key(0), &Progress { next_offset: 5, ..Progress::default() }).await.unwrap();
        create_if_absent(&db, &key(0), &progress(9)).await.unwrap();
        create_if_absent(&db, &key(1), &progress(9)).await.unwrap();
        let row = load(&db, &key(0)).await.unwrap().unwrap();
        assert_eq!((row.key(), row.epoch), (key(0), 0));
        assert_eq!(row.progress(), Progress { next_offset: 5, ..Progress::default() });
        let rows = of_group(&db, "coupon-projection").await.unwrap();
        assert_eq!(rows.iter().map(|row| row.progress().next_offset).collect::<Vec<_>>(), [5, 9]);
        assert_eq!(rows[1].progress(), progress(9));
        let too_long = Progress { active_rules: vec![0; ACTIVE_RULES_MAX_BYTES + 1], ..Progress::default() };
        let error = create_if_absent(&db, &key(2), &too_long).await.unwrap_err();
        assert_eq!((mysql_error_code(&error), Failure::of(&error)), (Some(1406), Failure::Contradiction));
    })
    .await;
}

#[tokio::test]
async fn a_zombie_cannot_advance_and_the_new_owner_can() {
    in_schema(|db| async move {
        create_if_absent(&db, &key(0), &Progress::default()).await.unwrap();
        let zombie = claim(&db, &key(0)).await.unwrap().unwrap();
        assert!(advance(&db, &key(0), zombie.expected(), &progress(10)).await.unwrap());
        let owner = claim(&db, &key(0)).await.unwrap().unwrap();
        assert_eq!((zombie.epoch, owner.epoch), (1, 2));
        assert_eq!(owner.progress(), progress(10));
        let as_zombie = Expected { next_offset: 10, epoch: zombie.epoch };
        assert!(!advance(&db, &key(0), as_zombie, &progress(20)).await.unwrap());
        let gap = Expected { next_offset: 11, epoch: owner.epoch };
        assert!(!advance(&db, &key(0), gap, &progress(20)).await.unwrap());
        assert!(!advance(&db, &key(1), owner.expected(), &progress(20)).await.unwrap());
        assert_eq!(load(&db, &key(0)).await.unwrap().unwrap().progress(), progress(10));
        assert!(advance(&db, &key(0), owner.expected(), &progress(20)).await.unwrap());
        let same = Expected { next_offset: 20, epoch: owner.epoch };
        assert!(advance(&db, &key(0), same, &progress(20)).await.unwrap(), "matched, not changed");
        assert_eq!(load(&db, &key(0)).await.unwrap().unwrap().progress(), progress(20));
    })
    .await;
}

#[tokio::test]
async fn a_claim_waits_for_the_transaction_that_is_advancing_and_sees_its_result() {
    in_schema(|db| async move {
        create_if_absent(&db, &key(0), &Progress::default()).await.unwrap();
        let old = claim(&db, &key(0)).await.unwrap().unwrap();
        let tx = db.begin().await.unwrap();
        assert!(advance(&tx, &key(0), old.expected(), &progress(10)).await.unwrap());
        let claiming = tokio::spawn({
            let db = db.clone();
            async move { claim(&db, &key(0)).await }
        });
        until_an_update_is_under_way(&db).await;
        assert!(!claiming.is_finished());
        tx.commit().await.unwrap();
        let new = claiming.await.unwrap().unwrap().unwrap();
        assert_eq!((new.epoch, new.progress()), (2, progress(10)));
        assert!(advance(&db, &key(0), new.expected(), &progress(20)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_claim_waits_for_whoever_writes_beside_the_projection() {
    in_schema(|db| async move {
        for partition in 0..3 {
            create_if_absent(&db, &key(partition), &Progress::default()).await.unwrap();
            claim(&db, &key(partition)).await.unwrap().unwrap();
        }
        let tx = db.begin().await.unwrap();
        assert_eq!(share_epoch(&tx, &key(9)).await.unwrap(), None);
        assert_eq!(share_epoch(&tx, &key(0)).await.unwrap(), Some(1));
        let advancing = db.begin().await.unwrap();
        let expected = Expected { next_offset: 0, epoch: 1 };
        assert!(advance(&advancing, &key(1), expected, &progress(10)).await.unwrap());
        let beside = db.begin().await.unwrap();
        let Key { group_name, topic, .. } = key(0);
        assert_eq!(share_idle(&beside, &group_name, &topic, &[]).await.unwrap(), []);
        let shared = share_idle(&beside, &group_name, &topic, &[0, 1, 2]).await.unwrap();
        let shared: Vec<_> = shared.iter().map(|row| (row.partition_id, row.epoch)).collect();
        assert_eq!(shared, [(0, 1), (2, 1)], "1 is being advanced");
        advancing.commit().await.unwrap();
        assert_eq!(claim(&db, &key(1)).await.unwrap().unwrap().epoch, 2, "this one nobody shares");
        let claiming = tokio::spawn({
            let db = db.clone();
            async move { claim(&db, &key(0)).await }
        });
        until_an_update_is_under_way(&db).await;
        tx.commit().await.unwrap();
        until_an_update_is_under_way(&db).await;
        assert!(!claiming.is_finished());
        beside.commit().await.unwrap();
        assert_eq!(claiming.await.unwrap().unwrap().unwrap().epoch, 2);
    })
    .await;
}

#[tokio::test]
async fn of_many_that_claim_at_once_only_the_last_can_advance() {
    in_schema(|db| async move {
        create_if_absent(&db, &key(0), &Progress::default()).await.unwrap();
        let claims: Vec<_> = (0..20)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { claim(&db, &key(0)).await })
            })
            .collect();
        let mut rows = Vec::new();
        for claim in claims {
            rows.push(claim.await.unwrap().unwrap().unwrap());
        }
        rows.sort_by_key(|row| row.epoch);
        assert!(rows.iter().map(|row| row.epoch).eq(1..=20), "every claim has an epoch of its own");
        for (row, is_last) in rows.iter().zip((1..=20).map(|epoch| epoch == 20)) {
            assert_eq!(advance(&db, &key(0), row.expected(), &progress(1)).await.unwrap(), is_last);
        }
    })
    .await;
}

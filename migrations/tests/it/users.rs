//! Table `users`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::{Bytes, Numbered, users};

fn hmac(id: u64) -> Bytes<16> {
    Bytes(u128::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
}

fn user(id: u64) -> users::Model {
    let account = (!id.is_multiple_of(3)).then(|| Bytes(u128::from(id).to_be_bytes()));
    users::Model {
        id,
        email_hmac: account.map(|_| hmac(id)),
        account,
        created_at_ms: 1_700_000_000_000,
        erased_at_ms: None,
    }
}

#[tokio::test]
async fn a_thousand_rows_come_back_as_they_went_in() {
    in_schema(|db| async move {
        // Up to the largest id there may be, so that no column is too narrow.
        let rows: Vec<_> = (1..=999).chain([(1 << 53) - 1]).map(user).collect();
        users::insert_many(&db, &rows).await.unwrap();
        let mut ids: Vec<u64> = rows.iter().map(|row| row.id).collect();
        ids.reverse();
        ids.push(123_456);
        assert_eq!(users::Entity::find_by_ids(&db, &ids).await.unwrap(), rows);
        let hmacs: Vec<_> = rows.iter().filter_map(|row| row.email_hmac).chain([hmac(123_456)]).collect();
        let mut found = users::find_by_email_hmacs(&db, &hmacs).await.unwrap();
        found.sort_by_key(|row| row.id);
        assert_eq!(found, rows.iter().filter(|row| row.email_hmac.is_some()).cloned().collect::<Vec<_>>());

        let (mut paged, mut after) = (Vec::new(), 0);
        while let Some(last) = {
            let page = users::Entity::page(&db, after, 300).await.unwrap();
            paged.extend(page);
            paged.last().map(|row: &users::Model| row.id).filter(|id| *id != after)
        } {
            after = last;
        }
        assert_eq!(paged, rows);
        users::insert_many(&db, &[]).await.unwrap();
        assert_eq!(users::Entity::find_by_ids(&db, &[]).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn an_id_or_an_email_is_taken_once_and_an_erased_email_is_free_again() {
    in_schema(|db| async move {
        users::insert_many(&db, &[user(1), user(2)]).await.unwrap();
        assert_refused(users::insert_many(&db, &[user(2)]).await, 1062);
        let again = users::Model { email_hmac: Some(hmac(1)), ..user(4) };
        assert_refused(users::insert_many(&db, std::slice::from_ref(&again)).await, 1062);

        assert!(users::erase(&db, 1, 77).await.unwrap());
        assert!(
            users::erase(&db, 1, 77).await.unwrap(),
            "a repeated erasure matches though it changes nothing"
        );
        assert!(!users::erase(&db, 5, 77).await.unwrap());
        users::insert_many(&db, std::slice::from_ref(&again)).await.unwrap();
        let found = users::find_by_email_hmacs(&db, &[hmac(1)]).await.unwrap();
        assert_eq!(found, [again]);
        let erased = users::Model { email_hmac: None, account: None, erased_at_ms: Some(77), ..user(1) };
        assert_eq!(users::Entity::find_by_ids(&db, &[1]).await.unwrap(), [erased]);
    })
    .await;
}

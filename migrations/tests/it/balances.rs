//! Tables `balances` and `balance_logs`.

use crate::server::{assert_refused, in_schema};
use migrations::entity::{
    Numbered,
    balance_logs::{self, CHARGE, Filter, PAYMENT, SET},
    balances,
};

/// The largest amount there may be.
const MAX_AMOUNT: u64 = (1 << 53) - 1;

fn balance(user_id: u64) -> balances::Model {
    balances::Model { user_id, balance: MAX_AMOUNT - user_id }
}

/// Users 1 to 3 take turns; set, charged and paid in turn.
fn change(n: u64) -> balance_logs::Model {
    let code = (n / 3 % 3) as u8 + 1;
    balance_logs::Model {
        id: n * balance_logs::IDS_PER_OFFSET,
        user_id: n % 3 + 1,
        code,
        amount: if code == PAYMENT { -5 } else { MAX_AMOUNT as i64 },
        balance: n,
        ref_id: (code == PAYMENT).then_some(n % 7),
        at_ms: n as i64,
    }
}

#[tokio::test]
async fn a_newer_balance_replaces_an_older_one() {
    in_schema(|db| async move {
        let mut rows: Vec<_> = (1..=600).map(balance).collect();
        balances::upsert_many(&db, &rows[..300]).await.unwrap();
        rows.iter_mut().for_each(|row| row.balance /= row.user_id);
        balances::upsert_many(&db, &rows).await.unwrap();
        assert_eq!(balances::Entity::page(&db, 0, 1_000).await.unwrap(), rows);
        assert_eq!(balances::Entity::page(&db, 597, 2).await.unwrap(), rows[597..599]);
        let found = balances::Entity::find_by_ids(&db, &[9, 3, 3, 7_000]).await.unwrap();
        assert_eq!(found, [rows[2].clone(), rows[8].clone()]);
        let rich = balances::Model { user_id: 5, balance: MAX_AMOUNT + 1 };
        assert_refused(balances::upsert_many(&db, &[rich]).await, 3819);
    })
    .await;
}

#[tokio::test]
async fn a_users_changes_are_filtered_counted_and_paged_newest_first() {
    in_schema(|db| async move {
        let rows: Vec<_> = (0..900).map(change).collect();
        balance_logs::insert_many(&db, &rows).await.unwrap();
        assert_eq!(balance_logs::Entity::page(&db, rows[9].id, 3).await.unwrap(), rows[10..13]);
        let none = Filter::default();
        for filter in [
            none,
            Filter { from_ms: Some(300), ..none },
            Filter { to_ms: Some(300), ..none },
            Filter { code: Some(SET), ..none },
            Filter { code: Some(CHARGE), from_ms: Some(7), to_ms: Some(700), ..none },
            Filter { ref_id: Some(4), ..none },
            Filter { ref_id: Some(4), code: Some(SET), ..none },
        ] {
            let expected: Vec<_> = rows
                .iter()
                .rev()
                .filter(|row| {
                    row.user_id == 2
                        && filter.from_ms.is_none_or(|from| row.at_ms >= from)
                        && filter.to_ms.is_none_or(|to| row.at_ms < to)
                        && filter.code.is_none_or(|code| row.code == code)
                        && filter.ref_id.is_none_or(|order| row.ref_id == Some(order))
                })
                .cloned()
                .collect();
            assert_eq!(balance_logs::page_of_user(&db, 2, filter, 0, 1_000).await.unwrap(), expected);
            assert_eq!(balance_logs::count_of_user(&db, 2, filter).await.unwrap(), expected.len() as u64);
            let some = balance_logs::page_of_user(&db, 2, filter, 5, 3).await.unwrap();
            assert_eq!(some, expected.into_iter().skip(5).take(3).collect::<Vec<_>>());
        }
    })
    .await;
}

#[tokio::test]
async fn only_a_payment_names_an_order() {
    in_schema(|db| async move {
        let row = |code, ref_id| balance_logs::Model { id: 1, code, ref_id, ..change(0) };
        for wrong in [row(SET, Some(1)), row(CHARGE, Some(1)), row(PAYMENT, None), row(0, None), row(4, None)]
        {
            assert_refused(balance_logs::insert_many(&db, &[wrong]).await, 3819);
        }
        balance_logs::insert_many(&db, &[row(PAYMENT, Some(1))]).await.unwrap();
        assert_refused(balance_logs::insert_many(&db, &[row(SET, None)]).await, 1062);
    })
    .await;
}

//! What nobody takes is given up after the last attempt and kept; an operator may look at it and have it told again.

use super::*;
use crate::world::in_world;
use dispatches::{DELIVERED, FAILED};
use schemas::facts::{DispatchDelivered, DispatchFailed};
use serde_json::json;
use stack::platform::Mode;

/// All attempts within two seconds.
const QUICKLY: f64 = 1e-5;
const ATTEMPTS: u32 = 8;

/// Order 1 took effect and failed, order 2 was refused, orders 3 to 5 are told.
async fn two_of_five_fail(world: &World, partner: &Platform) -> anyhow::Result<()> {
    for (order, mode) in [(1, Mode::ErrorAfterEffect), (2, Mode::Refusal { status: 400 })] {
        partner.set_mode(mode)?;
        pay(world, order as i64..=order as i64).await?;
        let row = row_when(world, order, "was given up", |row| row.state == FAILED).await?;
        let error = if order == 1 { "HTTP 500" } else { "HTTP 400" };
        assert_eq!((row.attempts, row.last_error.as_deref()), (ATTEMPTS, Some(error)));
        assert!(row.failed_at_ms.is_some() && row.delivered_at_ms.is_none() && row.lease_owner.is_none());
        assert_eq!(partner.calls_of(&order.to_string()), u64::from(ATTEMPTS));
    }
    let failed = ends(world).await?.into_iter().map(|(order, end)| match end {
        Fact::DispatchFailed(DispatchFailed { attempts, reason, .. }) => (order, attempts, reason),
        other => panic!("{other:?}"),
    });
    let expected = [(1, ATTEMPTS as i32, "HTTP 500".to_owned()), (2, ATTEMPTS as i32, "HTTP 400".to_owned())];
    assert_eq!(failed.collect::<Vec<_>>(), expected);
    partner.set_mode(Mode::Fast)?;
    pay(world, 3..=5).await?;
    row_when(world, 5, "was delivered", |row| row.state == DELIVERED).await?;
    row_when(world, 4, "was delivered", |row| row.state == DELIVERED).await?;
    row_when(world, 3, "was delivered", |row| row.state == DELIVERED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_given_up_is_told_again_when_an_operator_says_so() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, ALL, QUICKLY).await?;
        let token = Some(world.config.admin_token.as_str());
        let process = start(world, &config).await?;
        two_of_five_fail(world, &partner).await?;
        let redrive = async |order: u64, token: Option<&str>| {
            operate(&process, Method::POST, &format!("/admin/dispatches/{order}/redrive"), token).await
        };
        for stranger in [None, Some("another token")] {
            assert_eq!(redrive(1, stranger).await?.0, 401);
        }
        for (order, status, code) in [(3, 409, "NOT_FAILED"), (99, 404, "NOT_FOUND"), (0, 404, "NOT_FOUND")] {
            let (given, body) = redrive(order, token).await?;
            assert_eq!((given, &body["errorCode"]), (status, &json!(code)), "{body}");
        }
        // Nothing of that told anybody anything.
        assert_eq!(partner.calls(), 2 * u64::from(ATTEMPTS) + 3);
        for order in [1, 2] {
            let (status, body) = redrive(order, token).await?;
            assert_eq!((status, body), (202, json!({"orderId": order})));
            let row = row_when(world, order, "was delivered", |row| row.state == DELIVERED).await?;
            assert_eq!((row.attempts, row.last_error, row.failed_at_ms), (1, None, None));
            assert_eq!(redrive(order, token).await?.0, 409);
        }
        assert_one_effect_each(&partner, 1..=5);
        assert_eq!(partner.calls(), 2 * u64::from(ATTEMPTS) + 5);
        let delivered = ends(world).await?;
        let delivered = delivered.iter().filter_map(|(order, end)| match end {
            Fact::DispatchDelivered(DispatchDelivered { attempts, .. }) => Some((*order, *attempts)),
            _ => None,
        });
        assert_eq!(delivered.collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]);
        // The relay is not misled by what was asked again.
        pay(world, 6..=6).await?;
        row_when(world, 6, "was delivered", |row| row.state == DELIVERED).await?;
        assert_one_effect_each(&partner, 1..=6);
        world.clean_audit().await?;
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_dispatches_page_by_page_and_by_state() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, SHOP, QUICKLY).await?;
        let token = Some(world.config.admin_token.as_str());
        let process = start(world, &config).await?;
        two_of_five_fail(world, &partner).await?;
        let get = async |path: &str| {
            operate(&process, Method::GET, &format!("/admin/dispatches{path}"), token).await
        };
        let pages: [(&str, &[u64]); 8] = [
            ("", &[1, 2, 3, 4, 5]),
            ("?limit=1000", &[1, 2, 3, 4, 5]),
            ("?limit=2", &[1, 2]),
            ("?limit=2&after=2", &[3, 4]),
            ("?after=5", &[]),
            ("?state=FAILED", &[1, 2]),
            ("?state=DELIVERED&limit=1&after=3", &[4]),
            ("?state=PENDING", &[]),
        ];
        for (path, expected) in pages {
            let (status, body) = get(path).await?;
            let listed = body["dispatches"].as_array().into_iter().flatten();
            let listed: Vec<u64> = listed.filter_map(|one| one["orderId"].as_u64()).collect();
            assert_eq!((status, listed.as_slice()), (200, expected), "{path}: {body}");
        }
        for path in ["?limit=0", "?limit=1001", "?limit=x", "?after=-1", "?state=failed", "?what=1", "/abc"] {
            let (status, body) = get(path).await?;
            assert_eq!((status, &body["errorCode"]), (400, &json!("INVALID_REQUEST")), "{path}: {body}");
        }
        for path in ["/0", "/99", "/18446744073709551615"] {
            assert_eq!(get(path).await?.0, 404, "{path}");
        }
        for path in ["/admin/dispatches", "/admin/dispatches/1"] {
            assert_eq!(operate(&process, Method::GET, path, None).await?.0, 401, "{path}");
        }
        let (_, one) = get("/2").await?;
        let told = (&one["state"], &one["attempts"], &one["lastError"], &one["paidAmount"], &one["userId"]);
        let expected = (&json!("FAILED"), &json!(ATTEMPTS), &json!("HTTP 400"), &json!(2_000), &json!(USER));
        assert_eq!(told, expected, "{one}");
        until_true("/health counts what was given up", async || {
            Ok(dispatcher(&process).await?["failed"] == 2)
        })
        .await?;
        process.stop().await
    })
    .await
}

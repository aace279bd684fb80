//! Whatever the partner answers: what becomes of the row, and that an order has its effect exactly once.

use super::*;
use crate::world::in_world;
use dispatches::{DELIVERED, FAILED, PENDING};
use schemas::facts::DispatchDelivered;
use stack::platform::Mode;

/// Nothing is tried again within a test unless it says so: the first pause is 50 s.
const SLOWLY: f64 = 10.0;
/// The partner's wish, in seconds; between the first pause and the second.
const WISH_S: u64 = 200;
/// MySQL's clock, which leases and attempts go by.
const NOW_MS: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

struct Answer {
    mode: Mode,
    error: &'static str,
    /// Whether the effect happens although the order seems not to be taken.
    effect: bool,
    /// Whether the partner reads the call.
    read: bool,
}

const fn answer(mode: Mode, error: &'static str, effect: bool) -> Answer {
    Answer { mode, error, effect, read: true }
}

const ANSWERS: [Answer; 10] = [
    answer(Mode::Slow { ms: 600_000 }, "no answer within 3000 ms", true),
    answer(Mode::RateLimited { retry_after_s: WISH_S }, "HTTP 429", false),
    answer(Mode::ErrorAfterEffect, "HTTP 500", true),
    answer(Mode::Unavailable, "HTTP 503", false),
    answer(Mode::Refusal { status: 400 }, "HTTP 400", false),
    answer(Mode::Refusal { status: 422 }, "HTTP 422", false),
    answer(Mode::Garbage, "no HTTP answer", true),
    answer(Mode::HalfAnswer, "no HTTP answer", true),
    answer(Mode::Redirect, "HTTP 307", false),
    Answer { mode: Mode::Refusing, error: "no connection", effect: false, read: false },
];

/// A paid order meets this answer, and the next time a partner that is well.
async fn meets(world: &World, partner: &Platform, order: u64, answer: &Answer) -> anyhow::Result<()> {
    let Answer { mode, error, effect, read } = answer;
    let key = order.to_string();
    partner.set_mode(*mode)?;
    pay(world, order as i64..=order as i64).await?;
    let row = row_when(world, order, "was tried", |row| row.attempts > 0).await?;
    let seen = (row.state, row.attempts, row.last_error.as_deref(), row.lease_owner.as_deref());
    assert_eq!(seen, (PENDING, 1, Some(*error), None), "{mode:?}");
    assert_eq!(partner.calls_of(&key), u64::from(*read), "{mode:?}");
    assert_eq!(partner.effects().get(&key).copied(), effect.then_some(1), "{mode:?}");
    let due = format!("SELECT next_attempt_at_ms - {NOW_MS} AS n FROM external_dispatches");
    let due_ms = world.number(&format!("{due} WHERE order_id = {order}")).await?;
    let least_ms = if matches!(mode, Mode::RateLimited { .. }) { 50_000 } else { 0 };
    let most_ms = if matches!(mode, Mode::RateLimited { .. }) { WISH_S as i64 * 1_000 } else { 50_000 };
    assert!(least_ms < due_ms && due_ms <= most_ms, "{mode:?}: due in {due_ms} ms");

    partner.set_mode(Mode::Fast)?;
    assert_eq!(make_due(world).await?, 1);
    let row = row_when(world, order, "was delivered", |row| row.state == DELIVERED).await?;
    let ended = (row.attempts, row.last_error, row.lease_owner, row.lease_until_ms, row.failed_at_ms);
    assert_eq!(ended, (2, None, None, 0, None), "{mode:?}");
    assert_eq!(partner.calls_of(&key), 1 + u64::from(*read), "{mode:?}");
    assert_eq!(partner.effects().get(&key).copied(), Some(1), "{mode:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_partner_answers_an_order_has_its_effect_once() -> anyhow::Result<()> {
    in_world(async |world| {
        let (partner, config) = scene(world, ALL, SLOWLY).await?;
        let config = Config { platform_timeout_ms: SHORT_TIMEOUT_MS, ..config };
        let process = start(world, &config).await?;
        let orders = ANSWERS.len() as u64;
        for (order, answer) in (1..).zip(&ANSWERS) {
            meets(world, &partner, order, answer).await?;
        }
        // One that is well from the beginning, and one that only takes its time.
        for (order, mode) in [(orders + 1, Mode::Fast), (orders + 2, Mode::Slow { ms: 500 })] {
            partner.set_mode(mode)?;
            pay(world, order as i64..=order as i64).await?;
            let row = row_when(world, order, "was delivered", |row| row.state == DELIVERED).await?;
            assert_eq!((row.attempts, row.last_error), (1, None), "{mode:?}");
            assert_eq!(partner.calls_of(&order.to_string()), 1, "{mode:?}");
        }
        assert_one_effect_each(&partner, 1..=orders + 2);
        assert_eq!(partner.totals().followed, 0, "nobody is sent elsewhere with an order");
        let ends = ends(world).await?;
        assert_eq!(ends.len() as u64, orders + 2, "{ends:?}");
        for (order, end) in (1..).zip(ends) {
            let (found, attempts) = (end.0, if order <= orders as i64 { 2 } else { 1 });
            let Fact::DispatchDelivered(DispatchDelivered { attempts: told, .. }) = end.1 else {
                panic!("{end:?}")
            };
            assert_eq!((found, told), (order, attempts));
        }
        assert_eq!(process.not_ready().await?, None);
        world.clean_audit().await?;
        process.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_does_something_else_every_time_still_has_each_order_once() -> anyhow::Result<()> {
    in_world(async |world| {
        const ORDERS: usize = 60;
        let (partner, config) = scene(world, SHOP, 1e-4).await?;
        let config = Config { platform_concurrency: 16, ..config };
        partner.set_mode(Mode::Flaky { seed: 7 })?;
        let process = start(world, &config).await?;
        pay(world, 1..=ORDERS as i64).await?;
        until_true("every order is delivered, those that were given up at a second try", async || {
            let rows = rows(world).await?;
            for row in rows.iter().filter(|row| row.state == FAILED) {
                let path = format!("/admin/dispatches/{}/redrive", row.order_id);
                let token = Some(world.config.admin_token.as_str());
                let (status, _) = operate(&process, Method::POST, &path, token).await?;
                assert!(status == 202 || status == 409, "{status}");
            }
            Ok(rows.len() == ORDERS && rows.iter().all(|row| row.state == DELIVERED))
        })
        .await?;
        assert_one_effect_each(&partner, 1..=ORDERS as u64);
        let totals = partner.totals();
        assert!(totals.calls > ORDERS as u64, "it broke nothing: {totals:?}");
        process.stop().await
    })
    .await
}

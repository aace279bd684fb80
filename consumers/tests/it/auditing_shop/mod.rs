//! The audit must be able to fail, also about the shop: one thing is wrong in an otherwise clean world, in MySQL or in
//! what others were told, and the audit names it; it is mended, and the audit is silent again.

mod forged;
mod rows;
mod told;

use crate::{
    patience::{patient, until},
    paying,
    records::{claim, fresh, open},
    shop_mixture::{every_group, until_expired},
    shop_records as shop,
    world::{World, in_bare_world},
};
use consumers::{audit, config::Config};
use schemas::{
    Fact, FactTopic,
    facts::{DispatchDelivered, DispatchFailed, DispatchRequested, PlatformEventReceived},
};
use std::time::Duration;

/// Unpaid orders live this long, in ms: above what it takes to pay one, also where the machine stands still for a moment,
/// and short enough to wait for.
const TTL_MS: i64 = 6_000;
/// Runs a test on a log with paid, declined, expired and open orders, dispatches in every state, and nothing wrong.
async fn in_busy_world(test: impl AsyncFnOnce(&World) -> anyhow::Result<()>) -> anyhow::Result<()> {
    in_bare_world(async |world| {
        world.found_with_ttl(TTL_MS).await?;
        let process = world.start_with(every_group(world)).await?;
        sell(world).await?;
        dispatch(world).await?;
        assert_is_busy(&world.clean_audit().await?);
        process.stop().await?;
        test(world).await
    })
    .await
}

/// Orders 1, 2, 4, 5 and 6 are paid, 3 expires, 7 and 8 stay open; three payments are declined.
async fn sell(world: &World) -> anyhow::Result<()> {
    let mut records = vec![open(fresh(), 1, 5)];
    records.extend((1..=5).map(|user| claim(fresh(), 1, user)));
    records.extend([
        shop::list(fresh(), "shoe", 1_000, &[30, 5, 0]),
        shop::list(fresh(), "withdrawn boots", 500, &[9]),
        shop::adjust(fresh(), 3, 10),
        shop::set(fresh(), 1, 10_000),
        shop::charge(fresh(), 1, 500),
        shop::charge(fresh(), 2, 5_000),
        shop::set(fresh(), 4, 4_000),
    ]);
    records.extend([
        shop::order(fresh(), 1, &[(1, 2)]),
        shop::pay(fresh(), 1, 1),
        shop::order(fresh(), 2, &[(1, 1), (2, 1)]),
        shop::pay_with(fresh(), 2, 2, (1, 2)),
        shop::order(fresh(), 3, &[(1, 3)]),
        shop::pay(fresh(), 3, 3),
        shop::order(fresh(), 4, &[(2, 1)]),
        shop::pay_with(fresh(), 4, 4, (1, 4)),
        shop::order(fresh(), 1, &[(1, 1)]),
        shop::pay(fresh(), 5, 1),
        shop::order(fresh(), 2, &[(1, 1)]),
        shop::pay(fresh(), 6, 2),
    ]);
    world.append(&records).await?;
    until_expired(world).await?;
    let late = [
        shop::pay(fresh(), 3, 3),
        shop::order(fresh(), 1, &[(2, 1)]),
        shop::order(fresh(), 3, &[(1, 1)]),
        shop::pay(fresh(), 8, 3),
    ];
    world.append(&late).await?;
    paying::until_projected(world).await
}

/// Orders 1 and 2 are delivered, 4 is given up, 5 was and is tried again, 6 waits.
async fn dispatch(world: &World) -> anyhow::Result<()> {
    let asked: Vec<DispatchRequested> = until("all that is paid is to be dispatched", async || {
        let told = world.facts(FactTopic::ExternalPlatform).await?.into_iter();
        let asked = told.filter_map(|standing| match standing.fact {
            Fact::DispatchRequested(fact) => Some(fact),
            _ => None,
        });
        Ok(Some(asked.collect::<Vec<_>>()).filter(|asked| asked.len() == 5))
    })
    .await?;
    let delivered =
        |order_id| Fact::from(DispatchDelivered { order_id, attempts: 1, at_ms: 1_000 + order_id });
    let failed = |order_id| {
        let (reason, at_ms) = ("HTTP 500".to_owned(), 2_000 + order_id);
        Fact::from(DispatchFailed { order_id, attempts: 8, reason, at_ms })
    };
    let event = |event_id: &str, order_id| {
        let (event_id, kind) = (event_id.to_owned(), "SHIPPED".to_owned());
        Fact::from(PlatformEventReceived { event_id, order_id, kind, occurred_at_ms: 3_000 })
    };
    let mut again: Vec<DispatchRequested> = asked.into_iter().filter(|fact| fact.order_id == 5).collect();
    again[0].redriven = true;
    world
        .append_facts(&[
            delivered(1),
            delivered(2),
            failed(4),
            failed(5),
            again.remove(0).into(),
            event("event", 1),
            event("other", 4),
        ])
        .await
}

fn assert_is_busy(report: &audit::Report) {
    let audit::Orders { placed, paid, expired, open } = report.orders;
    assert_eq!((placed, paid, expired, open), (8, 5, 1, 2), "{report}");
    let audit::Facts { captured, declined, requested, delivered, failed, waiting, missing, twice } =
        report.facts;
    assert_eq!((captured, declined, requested, delivered, failed), (5, 3, 5, 2, 1), "{report}");
    assert_eq!((waiting, missing, twice), (0, 0, 0), "{report}");
    assert_eq!((report.money.captured, report.stock.sold, report.stock.reserved), (6_700, 7, 2), "{report}");
    assert!(report.money.balanced && report.stock.balanced, "{report}");
}

/// What the audit says of the world as it stands, or of another database with its log.
async fn audit_of(config: &Config) -> anyhow::Result<audit::Report> {
    audit::run(&patient(config), Duration::ZERO).await
}

/// Why this is not the report that was to come; nothing if it is.
fn unnamed(what: &str, expected: &str, report: &audit::Report) -> Option<String> {
    let named = report.findings.iter().any(|finding| finding.contains(expected));
    (!named || report.clean).then(|| format!("{what}: {expected:?} is not said: {:#?}", report.findings))
}

/// Fails with all that the audit did not name.
fn none_of(unseen: Vec<String>) -> anyhow::Result<()> {
    anyhow::ensure!(unseen.is_empty(), "the audit missed {}:\n{}", unseen.len(), unseen.join("\n"));
    Ok(())
}

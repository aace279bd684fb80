//! The external platform hears of every paid order, once, whatever it answers and whoever dies: a real partner, and
//! orders that were really paid.

mod answers;
mod breaker;
mod compacted;
mod poison;
mod redriving;
mod refilling;
mod resting;
mod taking_over;

use crate::{
    patience::{until, until_right, until_true},
    paying,
    process::Process,
    world::World,
};
use consumers::{
    config::Config,
    dispatch::Dispatches,
    group::{Work, opening},
};
use migrations::entity::{
    external_dispatches::{self as dispatches, Model},
    projection_offset,
};
use reqwest::Method;
use schemas::{Fact, FactTopic};
use serde_json::Value;
use stack::platform::Platform;

/// Partitions of the topic.
const PARTITIONS: i32 = 8;
/// Longest wait for an answer of a partner that does answer, in ms: beyond what machines stand still. Not too long for
/// the lease that follows from it.
const TIMEOUT_MS: u64 = 30_000;
/// Where the partner is not to answer in time, in ms.
const SHORT_TIMEOUT_MS: u64 = 3_000;
/// Who pays all orders.
const USER: i64 = 1;
/// Beside `order-projection`.
const SHOP: &str = "order-projection,external-platform";
/// As an audit needs it.
const ALL: &str = "signup-projection,coupon-projection,order-projection,external-platform";

/// A shop with money, a partner, and the settings of a process that tells the one about the other. Retries and pauses
/// are `scale` times as long as in production.
async fn scene(world: &World, groups: &str, scale: f64) -> anyhow::Result<(Platform, Config)> {
    paying::open_shop(world, USER).await?;
    let partner = Platform::start()?;
    let config = Config {
        groups: groups.into(),
        platform_url: partner.url(),
        platform_timeout_ms: TIMEOUT_MS,
        platform_concurrency: 4,
        platform_retry_scale: scale,
        ..world.config.clone()
    };
    Ok((partner, config))
}

async fn start(world: &World, config: &Config) -> anyhow::Result<Process> {
    let process = world.start_with(config.clone()).await?;
    process.until_it_owns(if config.groups == ALL { 13 + PARTITIONS } else { 1 + PARTITIONS }).await?;
    Ok(process)
}

/// Orders with these ids, which must be the next ones.
async fn pay(world: &World, orders: std::ops::RangeInclusive<i64>) -> anyhow::Result<()> {
    paying::order_and_pay(world, orders, |_| USER).await
}

async fn rows(world: &World) -> anyhow::Result<Vec<Model>> {
    Ok(dispatches::page(&world.db, None, 0, u64::MAX >> 1).await?)
}

/// An order's row, once it is as wanted.
async fn row_when(
    world: &World,
    order: u64,
    what: &str,
    wanted: impl Fn(&Model) -> bool,
) -> anyhow::Result<Model> {
    until_right(&format!("the dispatch of order {order} {what}"), async || {
        let row = dispatches::find(&world.db, order).await?;
        Ok(if row.as_ref().is_some_and(&wanted) { row.ok_or(None) } else { Err(row) })
    })
    .await
}

/// Waits until so many orders, and all that there are, were told.
async fn until_delivered(world: &World, orders: usize) -> anyhow::Result<()> {
    until_right(&format!("{orders} orders are delivered"), async || {
        let rows = rows(world).await?;
        let waiting: Vec<_> = rows.iter().filter(|row| row.state != dispatches::DELIVERED).collect();
        Ok(if rows.len() == orders && waiting.is_empty() {
            Ok(())
        } else {
            Err(format!("{} rows, of these {waiting:?}", rows.len()))
        })
    })
    .await
}

/// Lets the time until the next attempts pass.
async fn make_due(world: &World) -> anyhow::Result<u64> {
    world.sql("UPDATE external_dispatches SET next_attempt_at_ms = 0 WHERE state = 0").await
}

/// All facts of how dispatches ended, by order.
async fn ends(world: &World) -> anyhow::Result<Vec<(i64, Fact)>> {
    let facts = world.facts(FactTopic::ExternalPlatform).await?.into_iter();
    let mut ends: Vec<_> = facts
        .filter_map(|standing| match &standing.fact {
            Fact::DispatchDelivered(fact) => Some((fact.order_id, standing.fact)),
            Fact::DispatchFailed(fact) => Some((fact.order_id, standing.fact)),
            _ => None,
        })
        .collect();
    ends.sort_by_key(|(order, _)| *order);
    Ok(ends)
}

/// That these orders, and no others, took effect exactly once.
fn assert_one_effect_each(partner: &Platform, orders: std::ops::RangeInclusive<u64>) {
    let expected: std::collections::BTreeMap<String, u64> = orders.map(|o| (o.to_string(), 1)).collect();
    assert_eq!(partner.effects(), expected);
}

/// What `/health` says of the dispatcher.
async fn dispatcher(process: &Process) -> anyhow::Result<Value> {
    Ok(process.get("/health", false).await?.1["dispatch"].clone())
}

/// Where the group stands.
async fn place(world: &World, partition: i32) -> anyhow::Result<projection_offset::Model> {
    let key = opening::key::<Dispatches>(&world.config, partition);
    let place = projection_offset::load(&world.db, &key).await?;
    place.ok_or_else(|| anyhow::anyhow!("{}-{partition} has no place", Dispatches::GROUP))
}

/// Asks the admin listener as an operator does.
async fn operate(
    process: &Process,
    method: Method,
    path: &str,
    token: Option<&str>,
) -> anyhow::Result<(u16, Value)> {
    let mut request = process.client.request(method, format!("{}{path}", process.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

//! Orders and their payments over HTTP, against requests that do nothing: what two decisions cost.

use super::wrk::{self, Asks, CONNECTIONS, Run, Said, USERS_PER_RUN};
use super::{Measured, Row};
use crate::commands::system::System;
use crate::commands::system::counter::Served;
use serde::Deserialize;
use serde_json::json;
use stack::{Error, Result, http};

/// Orders placed and paid a second.
const MIN_PAIRS: f64 = 8_000.0;
/// Routes by their names in the API's counter.
const PLACE: &str = "/api/orders";
const PAY: &str = "/api/orders/{id}/payment";
/// Products of the sample data.
const PRODUCTS: u64 = 10;
/// Runs of wrk that order: the first one warms up.
const RUNS: u64 = 2;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    is_available: bool,
    options: Vec<ProductOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProductOption {
    product_option_id: u64,
    available_stock: u64,
}

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    system.set("TIDEMARK_BENCH_NOOP", "true");
    let log = system.log("tools");
    system.tool(&["init"], &log)?;
    system.tool(&["seed"], &log)?;
    let public = system.stack().state().ports.public;
    system.start_api(public.to_vec())?;
    let options = options(system)?;
    let mut number = 0;
    let mut run = |system: &System, what, seconds, asks| {
        number += 1;
        wrk::run(system, &Run { what, seconds, first_user: number * USERS_PER_RUN, asks })
    };
    let noop = Asks::Path("/noop", false);
    // Kafka is Java: it needs some thousand requests until it is compiled.
    let warm_up = run(system, "warm-up", 5, Asks::Orders(&options))?;
    let first = run(system, "requests that do nothing", 10, noop)?;
    let orders = run(system, "orders and payments", 15, Asks::Orders(&options))?;
    let second = run(system, "requests that do nothing", 10, noop)?;
    system.require_alive()?;
    let served = system.served()?;
    Ok(judged([warm_up, orders], [first, second], &served))
}

/// Options for sale with stock.
fn options(system: &System) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for id in 1..=PRODUCTS {
        let url = format!("{}/api/products/{id}", system.base_url());
        let wrong = |said: String| Error::prepare(format!("repair the API: GET {url}: {said}"));
        let said = http::get(&url).map_err(wrong)?;
        let product: Product =
            serde_json::from_str(&said.body).map_err(|error| wrong(format!("{error} in {}", said.body)))?;
        let options =
            product.options.iter().filter(|option| product.is_available && option.available_stock > 0);
        found.extend(options.map(|option| option.product_option_id));
    }
    Ok(found)
}

/// What the API counted fits what wrk read: of each run it cuts off at most one answer per connection.
fn counted(served: &Served, runs: [Said; 2]) -> bool {
    let cut_off = RUNS * u64::from(CONNECTIONS);
    let fits = |served: u64, read: u64| (read..=read + cut_off).contains(&served);
    fits(served.of(PLACE, "201"), runs.iter().map(|run| run.placed).sum())
        && fits(served.of(PAY, "201"), runs.iter().map(|run| run.paid).sum())
}

fn judged(runs: [Said; 2], noops: [Said; 2], served: &Served) -> Measured {
    let [warm_up, orders] = runs;
    let noop = noops.iter().map(|said| said.per_second()).sum::<f64>() / 2.0;
    let value = orders.paid as f64 / orders.seconds;
    let ratio = orders.per_second() / noop;
    let wrong: u64 = [warm_up, orders, noops[0], noops[1]].iter().map(|said| said.status + said.socket).sum();
    let refused =
        served.of_route(PLACE) + served.of_route(PAY) - served.of(PLACE, "201") - served.of(PAY, "201");
    let rows = vec![
        Row::shown("requests that do nothing", format!("{noop:.0}/s, p99 {:.1} ms", noops[0].p99_ms)),
        Row::judged(
            "orders placed and paid",
            format!("{value:.0}/s (goal {MIN_PAIRS:.0})"),
            value >= MIN_PAIRS,
        ),
        Row::shown(
            "requests of them",
            format!("{:.0}/s, {ratio:.2} of those that do nothing", orders.per_second()),
        ),
        Row::shown("p50, p99", format!("{:.1}, {:.1} ms", orders.p50_ms, orders.p99_ms)),
        Row::judged("answers other than 201", (wrong + refused).to_string(), wrong + refused == 0),
        Row::judged(
            "counted by the API",
            format!("{} placed, {} paid", served.of(PLACE, "201"), served.of(PAY, "201")),
            counted(served, runs),
        ),
    ];
    let details = json!({
        "limits": { "pairs_per_second": MIN_PAIRS },
        "connections": CONNECTIONS,
        "noop": noops,
        "orders": orders,
        "served": { "placed": served.of(PLACE, "201"), "paid": served.of(PAY, "201") },
    });
    let p99_ms = Some(orders.p99_ms);
    Measured { value, unit: "pairs/s", limit: MIN_PAIRS, ratio, p99_ms, rows, details }
}

//! Claims over HTTP against requests that do nothing: what the log costs.

use super::wrk::{self, Asks, CONNECTIONS, Run, Said, USERS_PER_RUN};
use super::{Measured, Row, parsed};
use crate::commands::system::System;
use serde::Deserialize;
use serde_json::{Value, json};
use stack::{Error, Result, http};

/// Pieces of the coupon: more than anybody can claim here.
const PIECES: u64 = 100_000_000;
/// Claims a second in proportion to requests that do nothing.
const MIN_RATIO: f64 = 0.35;
/// Latency of a claim at full load, in ms.
const MAX_P99_MS: f64 = 15.0;
/// Memory of the API afterwards, in megabytes.
const MAX_RESIDENT_MB: f64 = 100.0;
/// The route's name in the API's counter.
const ROUTE: &str = "/api/coupons/{id}/issue";

/// The runs, in order.
struct Runs {
    warm_up: Said,
    noops: [Said; 2],
    claims: Said,
    keyed: Said,
    /// Memory before and after the claims without keys, in kilobytes.
    resident_kb: [u64; 2],
    /// Winners between these two looks.
    won_between: u64,
}

pub(super) fn measure(system: &mut System) -> Result<Measured> {
    system.set("TIDEMARK_BENCH_NOOP", "true");
    let log = system.log("tools");
    system.tool(&["init"], &log)?;
    let public = system.stack().state().ports.public;
    system.start_api(public.to_vec())?;
    let coupon = system.open_coupon(PIECES)?;
    let runs = load(system, &format!("/api/coupons/{coupon}/issue"))?;
    system.require_alive()?;
    let winners = Winners::look(system, coupon)?;
    Ok(judged(&runs, &winners))
}

fn load(system: &mut System, path: &str) -> Result<Runs> {
    let mut number = 0;
    let mut run = |system: &System, what, path, seconds, keyed| {
        number += 1;
        let asks = Asks::Path(path, keyed);
        wrk::run(system, &Run { what, seconds, first_user: number * USERS_PER_RUN, asks })
    };
    // Kafka is Java: it needs some thousand requests until it is compiled.
    let warm_up = run(system, "warm-up", path, 5, false)?;
    let first = run(system, "requests that do nothing", "/noop", 10, false)?;
    let (before, won_before) = (resident_kb(system)?, won(system)?);
    let claims = run(system, "claims", path, 15, false)?;
    let (after, won_after) = (resident_kb(system)?, won(system)?);
    let second = run(system, "requests that do nothing", "/noop", 10, false)?;
    let keyed = run(system, "claims with a key", path, 15, true)?;
    let (noops, resident_kb) = ([first, second], [before, after]);
    Ok(Runs { warm_up, noops, claims, keyed, resident_kb, won_between: won_after - won_before })
}

fn resident_kb(system: &mut System) -> Result<u64> {
    let api = system.stack().service("api-1")?;
    let unknown = || Error::prepare("read the API's log: it has ended");
    api.identity().and_then(stack::daemon::Identity::resident_kb).ok_or_else(unknown)
}

fn won(system: &System) -> Result<u64> {
    Ok(system.served()?.of(ROUTE, "201"))
}

/// Winners as three witnesses know them.
struct Winners {
    /// Answers 201 that the API gave.
    answered: u64,
    /// Answers with any other status.
    refused: u64,
    /// Pieces that are gone, by the API's fold.
    fold: u64,
    /// Records of the coupon's partition that are claims.
    log: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    remaining_quantity: u64,
}

#[derive(Deserialize)]
struct Replayed {
    topic: String,
    records: u64,
}

impl Winners {
    fn look(system: &mut System, coupon: u64) -> Result<Self> {
        let served = system.served()?;
        let answered = served.of(ROUTE, "201");
        let refused = served.of_route(ROUTE) - answered;
        // One more claim tells how many there were: its number is the next one.
        let url = format!("{}/api/coupons/{coupon}/issue", system.base_url());
        let said = http::post(&url, "", r#"{"userId":1}"#)
            .map_err(|error| Error::prepare(format!("read the API's log: {error}")))?;
        let Issued { remaining_quantity } = parsed(&said.body, "claim")?;
        let log = system.log("tools");
        let replayed: Vec<Replayed> = parsed(&system.tool(&["replay"], &log)?, "replay")?;
        let coupons = replayed.iter().filter(|partition| partition.topic.ends_with("coupon"));
        // Every partition begins with its rules; only one of them has more: the coupon, then claims.
        let claims: u64 = coupons.map(|partition| partition.records.saturating_sub(1)).sum();
        Ok(Self { answered, refused, fold: PIECES - remaining_quantity - 1, log: claims.saturating_sub(2) })
    }

    /// When wrk ends it cuts off requests whose record is in the log already: at most one per connection and run.
    fn agree(&self, runs: u64) -> bool {
        let cut_off = self.fold.saturating_sub(self.answered);
        self.fold == self.log && self.fold >= self.answered && cut_off <= runs * u64::from(CONNECTIONS)
    }
}

fn judged(runs: &Runs, winners: &Winners) -> Measured {
    let noop = runs.noops.iter().map(|said| said.per_second()).sum::<f64>() / 2.0;
    let (value, keyed) = (runs.claims.per_second(), runs.keyed.per_second());
    let (ratio, p99) = (value / noop, runs.claims.p99_ms);
    let [before, after] = runs.resident_kb.map(|kilobytes| kilobytes as f64 / 1024.0);
    let grown = runs.resident_kb[1].saturating_sub(runs.resident_kb[0]) * 1024;
    let per_winner = grown as f64 / runs.won_between.max(1) as f64;
    let all = [runs.warm_up, runs.claims, runs.keyed, runs.noops[0], runs.noops[1]];
    let wrong: u64 = all.iter().map(|said| said.status + said.socket).sum::<u64>() + winners.refused;
    let rows = vec![
        Row::shown("requests that do nothing", format!("{noop:.0}/s, p99 {:.1} ms", runs.noops[0].p99_ms)),
        Row::judged(
            "claims",
            format!("{value:.0}/s, {ratio:.2} of that (goal {MIN_RATIO})"),
            ratio >= MIN_RATIO,
        ),
        Row::judged("claims, p99", format!("{p99:.1} ms (goal {MAX_P99_MS})"), p99 < MAX_P99_MS),
        Row::shown("claims with a key", format!("{keyed:.0}/s, p99 {:.1} ms", runs.keyed.p99_ms)),
        Row::judged(
            "memory of the API",
            format!("{before:.0} MB, then {after:.0} MB (goal {MAX_RESIDENT_MB})"),
            after < MAX_RESIDENT_MB,
        ),
        Row::shown("bytes per winner", format!("{per_winner:.0} over {} winners", runs.won_between)),
        Row::judged("answers other than 201", wrong.to_string(), wrong == 0),
        Row::judged(
            "winners",
            format!(
                "201s {}, fold {}, log {} (wrk cuts off at most {CONNECTIONS} a run)",
                winners.answered, winners.fold, winners.log
            ),
            winners.agree(3),
        ),
    ];
    let details = details(runs, winners, [before, after, per_winner]);
    let limit = MIN_RATIO * noop;
    Measured { value, unit: "claims/s", limit, ratio, p99_ms: Some(p99), rows, details }
}

fn details(runs: &Runs, winners: &Winners, [before, after, per_winner]: [f64; 3]) -> Value {
    json!({
        "limits": { "ratio": MIN_RATIO, "p99_ms": MAX_P99_MS, "resident_mb": MAX_RESIDENT_MB },
        "connections": CONNECTIONS,
        "noop": runs.noops,
        "claims": runs.claims,
        "claims_with_key": runs.keyed,
        "resident_mb": { "before": before, "after": after },
        "bytes_per_winner": per_winner,
        "winners": { "answered": winners.answered, "fold": winners.fold, "log": winners.log },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winners_may_exceed_the_answers_only_by_what_wrk_cut_off() {
        let winners = |answered, fold, log| Winners { answered, refused: 0, fold, log };
        assert!(winners(100, 100, 100).agree(1));
        assert!(winners(100, 356, 356).agree(1));
        assert!(!winners(100, 357, 357).agree(1));
        assert!(!winners(100, 99, 99).agree(1));
        assert!(!winners(100, 101, 100).agree(1));
    }
}

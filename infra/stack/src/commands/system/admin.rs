//! The operators' calls that a load needs: a fresh coupon that every process knows.

use super::System;
use serde::Deserialize;
use serde_json::json;
use stack::{Error, Result, http};
use std::time::{Duration, Instant};

/// Pieces of the coupon that a load is to sell out get ids from here on; the smoke test's begin at a million.
const FIRST_ID: u64 = 1_000;
/// Ids tried when one is taken, as on a stack that was kept.
const TRIES: u64 = 1_000;
/// A process that has not folded an acknowledged record by then has stopped.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks at the processes.
const POLL: Duration = Duration::from_millis(50);
/// 2029-12-31, as all sample data.
const EXPIRES_AT: &str = "2029-12-31T23:59:59.000Z";

#[derive(Deserialize)]
struct Positions {
    positions: Vec<Position>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    topic: String,
    partition: i32,
    next_offset: u64,
}

impl System {
    /// Opens a coupon of that many pieces and waits until all API processes know it; returns its id.
    pub(in crate::commands) fn open_coupon(&mut self, pieces: u64) -> Result<u64> {
        let [first, others @ ..] = &self.api_admins()[..] else {
            return Err(Error::prepare("start an API process first"));
        };
        for id in FIRST_ID..FIRST_ID + TRIES {
            let body = json!({
                "couponId": id,
                "name": format!("LOAD-{id}"),
                "total": pieces,
                "discountRate": 10,
                "expiresAt": EXPIRES_AT,
            });
            let url = format!("{first}/admin/coupons");
            let answer = http::post(&url, &self.token(), &body.to_string())
                .map_err(|error| Error::prepare(format!("repair the API: POST {url}: {error}")))?;
            match answer.status {
                201 => {
                    self.wait_until_known(first, others)?;
                    return Ok(id);
                }
                409 => {}
                status => {
                    let said = format!("repair the API: POST {url} answers {status} {}", answer.body);
                    return Err(Error::prepare(said));
                }
            }
        }
        Err(Error::prepare("wipe this stack: it has a thousand coupons of former loads"))
    }

    fn wait_until_known(&self, first: &str, others: &[String]) -> Result<()> {
        let goal = self.positions(first)?;
        let since = Instant::now();
        for other in others {
            while !reached(&self.positions(other)?, &goal) {
                if since.elapsed() > KNOWN_WITHIN {
                    return Err(Error::prepare(format!("find out why {other} does not follow the log")));
                }
                std::thread::sleep(POLL);
            }
        }
        Ok(())
    }

    fn positions(&self, admin: &str) -> Result<Vec<Position>> {
        let url = format!("{admin}/admin/positions");
        let refused = |said: String| Error::prepare(format!("repair the API: GET {url}: {said}"));
        let answer = http::get_as(&url, &self.token()).map_err(refused)?;
        let parsed: Positions =
            serde_json::from_str(&answer.body).map_err(|error| refused(error.to_string()))?;
        Ok(parsed.positions)
    }
}

fn reached(now: &[Position], goal: &[Position]) -> bool {
    goal.iter().all(|goal| {
        now.iter().any(|now| {
            (&now.topic, now.partition) == (&goal.topic, goal.partition)
                && now.next_offset >= goal.next_offset
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, next_offset: u64) -> Position {
        Position { topic: "coupon".into(), partition, next_offset }
    }

    #[test]
    fn a_process_follows_when_it_is_at_least_as_far_everywhere() {
        let goal = [at(0, 5), at(1, 2)];
        assert!(reached(&[at(1, 9), at(0, 5)], &goal));
        assert!(!reached(&[at(0, 5), at(1, 1)], &goal));
        assert!(!reached(&[at(0, 5)], &goal));
    }
}

//! What became of orders: in MySQL, and at the partner.

use super::System;
use serde::Serialize;
use stack::platform::Totals;
use stack::{Error, Result, http};
use std::time::{Duration, Instant, SystemTime};

/// How long the partner may take to hear of everything that is paid: a first retry comes after 5 s.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks at the partner.
const POLL: Duration = Duration::from_millis(200);

/// Orders of a load as MySQL knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::commands) struct Orders {
    pub(in crate::commands) placed: u64,
    pub(in crate::commands) paid: u64,
}

/// From the log's time of a payment to the row's in MySQL, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub(in crate::commands) struct Spread {
    pub(in crate::commands) p50: Option<f64>,
    pub(in crate::commands) p99: Option<f64>,
}

impl Spread {
    /// Of sorted numbers, by the nearest rank.
    pub(in crate::commands) fn of(sorted: &[i64]) -> Self {
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.max(1) - 1).map(|value| *value as f64)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// What the partner heard, against what is paid.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Heard {
    /// All paid orders of MySQL.
    pub(in crate::commands) paid: u64,
    pub(in crate::commands) partner: Totals,
}

impl Heard {
    /// Every paid order took effect, once, and nothing else did.
    pub(in crate::commands) fn once(&self) -> bool {
        let Totals { orders, effects, max_effects_per_key, followed, .. } = self.partner;
        let once = self.paid == 0 || max_effects_per_key == 1;
        orders == self.paid && effects == self.paid && once && followed == 0
    }
}

/// Now, as the log counts: ms since the epoch. All programs of a stack share the machine's clock.
pub(in crate::commands) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl System {
    /// Orders placed from that moment on, and how many of them are paid.
    pub(in crate::commands) fn orders_since(&self, since_ms: u64) -> Result<Orders> {
        let from = format!("FROM orders WHERE placed_at_ms >= {since_ms}");
        let placed = self.number(&format!("SELECT COUNT(*) {from}"))?;
        let paid = self.number(&format!("SELECT COUNT(*) {from} AND status = 1"))?;
        Ok(Orders { placed, paid })
    }

    /// How long payments took from the log into MySQL, for orders placed from that moment on. The row's time is that
    /// of its statement: the commit comes some ms later.
    pub(in crate::commands) fn paid_in_mysql(&self, since_ms: u64) -> Result<Spread> {
        let took = "CAST(UNIX_TIMESTAMP(written_at) * 1000 AS SIGNED) - CAST(closed_at_ms AS SIGNED)";
        let query = format!(
            "SELECT {took} AS took FROM orders WHERE status = 1 AND placed_at_ms >= {since_ms} ORDER BY took"
        );
        Ok(Spread::of(&self.numbers(&query)?))
    }

    /// Waits, not for ever, until the partner has heard of everything that is paid.
    pub(in crate::commands) fn heard(&self) -> Result<Heard> {
        let since = Instant::now();
        loop {
            let paid = self.number("SELECT COUNT(*) FROM orders WHERE status = 1")?;
            let heard = Heard { paid, partner: self.partner()? };
            // Too much can only become more.
            if heard.partner.effects >= paid || since.elapsed() > HEARD_WITHIN {
                return Ok(heard);
            }
            std::thread::sleep(POLL);
        }
    }

    fn partner(&self) -> Result<Totals> {
        let url = format!("http://127.0.0.1:{}/effects", self.stack.state().ports.platform_control);
        let wrong =
            |said: String| Error::prepare(format!("find out why the partner is silent: GET {url}: {said}"));
        let answer = http::get(&url).map_err(wrong)?;
        serde_json::from_str(&answer.body).map_err(|error| wrong(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_seen() {
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!(Spread::of(&hundred), Spread { p50: Some(50.0), p99: Some(99.0) });
        assert_eq!(Spread::of(&[7]), Spread { p50: Some(7.0), p99: Some(7.0) });
        assert_eq!(Spread::of(&[]), Spread::default());
    }

    #[test]
    fn once_is_neither_less_nor_more_nor_twice_for_one_instead_of_another() {
        let heard = |paid, orders, effects, max_effects_per_key| Heard {
            paid,
            partner: Totals { orders, effects, calls: 9, max_effects_per_key, followed: 0 },
        };
        assert!(heard(3, 3, 3, 1).once() && heard(0, 0, 0, 0).once());
        for wrong in [heard(3, 2, 2, 1), heard(3, 4, 4, 1), heard(3, 2, 3, 2), heard(3, 3, 4, 2)] {
            assert!(!wrong.once(), "{wrong:?}");
        }
    }
}

//! Units sold per product and day of the log's clock (UTC); for lists of what sells best. Decides nothing.

use schemas::ProductId;
use std::collections::{BTreeMap, HashMap};

/// A day, in ms.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Days that are kept one by one; what is older counts for all time only.
pub const MAX_SALES_DAYS: i64 = 30;

/// Units by product.
type Units = HashMap<ProductId, u64>;

/// Sales by day.
#[derive(Debug, Default)]
pub struct Sales {
    days: BTreeMap<i64, Units>,
    ever: Units,
}

impl Sales {
    /// Best sellers of the last `days` days, the present one included; of all time where those hold no sale. Most units
    /// first, then the lower id.
    #[must_use]
    pub fn top(&self, now_ms: i64, days: i64, count: usize) -> Vec<(ProductId, u64)> {
        let mut units = Units::new();
        let first = now_ms.div_euclid(DAY_MS) - days.clamp(1, MAX_SALES_DAYS) + 1;
        for day in self.days.range(first..).map(|(_, units)| units) {
            for (product, sold) in day {
                *units.entry(*product).or_default() += sold;
            }
        }
        let units = if units.is_empty() { &self.ever } else { &units };
        let mut ranking: Vec<(ProductId, u64)> = units.iter().map(|(id, sold)| (*id, *sold)).collect();
        ranking.sort_unstable_by_key(|(id, sold)| (std::cmp::Reverse(*sold), *id));
        ranking.truncate(count);
        ranking
    }

    /// From when [`Self::top`] counts for these arguments, in ms since the epoch: whole UTC days. `None`: since ever,
    /// because nothing was sold in those days.
    #[must_use]
    pub fn counted_from_ms(&self, now_ms: i64, days: i64) -> Option<i64> {
        let first = now_ms.div_euclid(DAY_MS) - days.clamp(1, MAX_SALES_DAYS) + 1;
        self.days.range(first..).any(|(_, units)| !units.is_empty()).then_some(first * DAY_MS)
    }

    /// Units of a product ever sold.
    #[must_use]
    pub fn sold(&self, product: ProductId) -> u64 {
        self.ever.get(&product).copied().unwrap_or(0)
    }

    pub(super) fn sell(&mut self, now_ms: i64, product: ProductId, quantity: u64) {
        let today = now_ms.div_euclid(DAY_MS);
        *self.days.entry(today).or_default().entry(product).or_default() += quantity;
        *self.ever.entry(product).or_default() += quantity;
        while self.days.first_key_value().is_some_and(|(day, _)| *day <= today - MAX_SALES_DAYS) {
            self.days.pop_first();
        }
    }
}

//! What the partner remembers: its keys, and what took effect.
//!
//! It must never forget a key: that would be a second effect. So it is bounded by refusing new keys.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys that are remembered at most; about 150 bytes each.
const MAX_KEYS: usize = 2_000_000;
/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Calls per key, and whether the key had its effect.
    keys: BTreeMap<String, (u64, bool)>,
    /// Effects per order.
    effects: BTreeMap<String, u64>,
    calls: u64,
    followed: u64,
}

/// The sums, as `GET /effects` answers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Orders that took effect.
    pub orders: u64,
    /// Effects of all orders.
    pub effects: u64,
    /// Calls of `POST /orders`, whatever came of them.
    pub calls: u64,
    /// Effects of the order that has most: 1 unless the caller changed its keys.
    pub max_effects_per_key: u64,
    /// Calls that followed a redirection, which no caller may do with an order.
    pub followed: u64,
}

/// A key that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadKey {
    Missing,
    TooLong,
    Full,
}

impl Ledger {
    /// Counts a call and returns its number.
    pub(super) fn called(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// Counts somebody who followed a redirection.
    pub(super) fn followed(&mut self) {
        self.followed += 1;
    }

    /// Counts a call under its key.
    pub(super) fn enter(&mut self, key: &str) -> Result<(), BadKey> {
        if key.is_empty() {
            return Err(BadKey::Missing);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(BadKey::TooLong);
        }
        if let Some((calls, _)) = self.keys.get_mut(key) {
            *calls += 1;
            return Ok(());
        }
        if self.keys.len() >= MAX_KEYS {
            return Err(BadKey::Full);
        }
        self.keys.insert(key.to_owned(), (1, false));
        Ok(())
    }

    /// Lets an order take effect unless its key had its effect before; returns whether it did now.
    pub(super) fn take_effect(&mut self, key: &str, order: &str) -> bool {
        match self.keys.get_mut(key) {
            Some((_, done)) if !*done => *done = true,
            _ => return false,
        }
        *self.effects.entry(order.to_owned()).or_default() += 1;
        true
    }

    pub(super) fn effects(&self) -> BTreeMap<String, u64> {
        self.effects.clone()
    }

    pub(super) fn calls_of(&self, key: &str) -> u64 {
        self.keys.get(key).map_or(0, |(calls, _)| *calls)
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            orders: self.effects.len() as u64,
            effects: self.effects.values().sum(),
            calls: self.calls,
            max_effects_per_key: self.effects.values().copied().max().unwrap_or(0),
            followed: self.followed,
        }
    }
}

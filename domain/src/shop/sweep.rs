//! Orders that fell due: worked off before a record is judged, in bounded steps, with what they give back.

use super::{MAX_EXPIRIES, Order, Shop, ShopKey};
use crate::{fold::Context, slot::Slot};
use schemas::OptionId;
use std::{collections::BTreeMap, sync::Arc};

/// What falls due with a record.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// By id.
    pub(super) expired: Vec<Arc<Order>>,
    /// When the next open order may fall due. A lower bound: a payment does not raise it, the next sweep does.
    pub(super) next_due_ms: Option<i64>,
    /// Units that are free again.
    returned: BTreeMap<OptionId, u64>,
}

impl Sweep {
    /// Units of an option that these orders give back.
    pub(super) fn returned(&self, id: OptionId) -> u64 {
        self.returned.get(&id).copied().unwrap_or(0)
    }
}

impl Shop {
    /// What falls due with this record.
    ///
    /// # Errors
    /// Open orders, or options of theirs, that are not loaded.
    pub(super) fn sweep(&self, context: Context<'_>) -> Result<Sweep, Vec<ShopKey>> {
        let next_due_ms = context.header.earliest_due_ms;
        if next_due_ms.is_none_or(|due| due > context.now_ms) {
            return Ok(Sweep { next_due_ms, ..Sweep::default() });
        }
        let (mut expired, next_due_ms) = self
            .orders
            .due_by(context.now_ms, MAX_EXPIRIES)
            .map_err(|after| vec![ShopKey::OpenOrdersAfter(after)])?;
        expired.sort_unstable_by_key(|order| order.order_id);
        let mut returned = BTreeMap::new();
        for line in expired.iter().flat_map(|order| &order.lines) {
            *returned.entry(line.option_id).or_default() += line.quantity;
        }
        let missing: Vec<ShopKey> = returned
            .keys()
            .filter(|id| self.option(**id) == Slot::NotLoaded)
            .map(|id| ShopKey::Option(*id))
            .collect();
        if missing.is_empty() { Ok(Sweep { expired, next_due_ms, returned }) } else { Err(missing) }
    }
}

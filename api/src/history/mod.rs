//! What this process holds in memory no more: older orders and the changes of balances, read from MySQL, with copies in
//! Redis that outlive a swap of MySQL.
//!
//! Nothing here is needed for a start, for readiness or for any write, and nothing is ever written to MySQL. A table
//! says how far it has come (`projection_offset`), and the fold knows owner and status of every order: what contradicts
//! it is never shown, wherever it was read. That is [`HistoryError::Away`], not a shorter list.

mod balance_logs;
mod copies;
mod orders;
mod projected;
mod reader;

pub use balance_logs::{BalanceLog, BalanceLogPage, WhichLogs};
pub use orders::{StoredOrder, UserOrders, WhichOrders};
pub use projected::watch;

use crate::{config::Config, log::topic_log::TopicLog, recent_orders::RecentOrders, store::Store};
use domain::shop::Shop;
use projected::Projected;
use reader::Reader;
use schemas::Topic;
use sea_orm::DbErr;
use std::sync::Arc;

/// Why the past cannot be told right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// MySQL is away, or has not come far enough, and no copy does instead.
    #[error("older history is away")]
    Away,
    /// Too many ask at once.
    #[error("too many ask for older history at once")]
    Busy,
}

/// The tables of the order projection, and copies of what was read from them.
pub struct History {
    reader: Reader,
    store: Store,
    projected: Arc<Projected>,
    shop: TopicLog<Shop>,
    recent: Arc<RecentOrders>,
}

impl History {
    /// Connects when it is first used.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn new(
        config: &Config,
        store: Store,
        shop: TopicLog<Shop>,
        recent: Arc<RecentOrders>,
    ) -> Result<Self, DbErr> {
        let projected = Arc::new(Projected::new(Topic::Order.name(&config.topic_prefix)));
        let reader = Reader::new(config.reader_pool().await?, projected.clone());
        Ok(Self { reader, store, projected, shop, recent })
    }

    /// Next offset of the order projection as MySQL last said, at most a second ago; `None` while MySQL is away. It goes
    /// back where MySQL is replaced by an older copy.
    #[must_use]
    pub fn projected_offset(&self) -> Option<u64> {
        self.projected.known()
    }

    /// Closes the pool.
    pub async fn close(&self) {
        self.reader.close().await;
    }
}

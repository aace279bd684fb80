//! What this process holds in memory no more: older orders and the changes of balances, read from MySQL, with copies in
//! Redis that outlive a swap of MySQL.
//!
//! Nothing here is needed for a start, for readiness or for any write, and nothing is ever written to MySQL. A table
//! says how far it has come (`projection_offset`), and the fold knows owner and status of every order: what contradicts
//! it is never shown, wherever it was read. That is [`HistoryError::Away`], not a shorter list.

mod balance_logs;
mod copies;
mod following;
mod orders;
mod projected;
mod reader;

pub use balance_logs::{BalanceLog, BalanceLogPage, WhichLogs};
pub use following::follow;
pub use orders::{ClosedOrder, StoredOrder, UserOrders, WhichOrders};
pub use projected::watch;

use crate::{config::Config, log::topic_log::TopicLog, recent_orders::RecentOrders, store::Store};
use control::{State, acks::Report, office::PoolReport};
use domain::shop::Shop;
use projected::Projected;
use reader::{Aim, Reader};
use schemas::Topic;
use sea_orm::DbErr;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

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
    /// Offset in `control` before which everything is obeyed.
    applied: AtomicU64,
}

impl History {
    /// Connects when it is first used, to the server that counts.
    ///
    /// # Errors
    /// An address that is none.
    pub async fn new(
        config: &Config,
        wanted: &State,
        store: Store,
        shop: TopicLog<Shop>,
        recent: Arc<RecentOrders>,
    ) -> Result<Self, DbErr> {
        let projected = Arc::new(Projected::new(Topic::Order.name(&config.topic_prefix)));
        let reader = Reader::new(config, Aim::wanted(wanted), projected.clone()).await?;
        let applied = AtomicU64::new(wanted.next());
        Ok(Self { reader, store, projected, shop, recent, applied })
    }

    /// Next offset of the order projection as MySQL last said, a second ago where it answers; `None` while MySQL is away. It goes
    /// back where MySQL is replaced by an older copy.
    #[must_use]
    pub fn projected_offset(&self) -> Option<u64> {
        self.projected.known()
    }

    /// What `control.acks` is to say of it.
    #[must_use]
    pub fn report(&self, instance: &str) -> Report {
        let (database, readers) = self.reader.readers();
        Report {
            instance: instance.to_owned(),
            applied: Some(self.applied.load(Ordering::Relaxed)),
            database,
            readers: Some(readers),
            ..Report::default()
        }
    }

    /// Its pool, for operators.
    #[must_use]
    pub fn pool(&self) -> PoolReport {
        self.reader.report()
    }

    /// Closes the pool.
    pub async fn close(&self) {
        self.reader.close().await;
    }
}

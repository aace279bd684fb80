//! The changes of a balance, from MySQL alone: nothing of them is kept in memory. So an answer says how far the tables
//! were, and waits a moment for them to come as far as the log.

use super::{History, HistoryError};
use crate::limits;
use migrations::entity::balance_logs::{self, Filter, Model};
use schemas::UserId;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

const WHAT: &str = "balance_logs";

/// Which changes.
#[derive(Clone, Copy, Debug)]
pub struct WhichLogs {
    /// Whose balance.
    pub user: UserId,
    /// Which of its changes.
    pub filter: Filter,
    /// Page, from 1.
    pub page: u64,
    /// Changes in a page.
    pub size: u64,
    /// Where the log ended when somebody asked.
    pub end: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceLog {
    /// Offset of its record * 128.
    pub id: u64,
    /// As in the table.
    pub code: u8,
    /// Minor units more, or less where negative.
    pub amount: i64,
    /// Minor units afterwards.
    pub balance: u64,
    /// The order of a payment.
    pub ref_id: Option<u64>,
    /// Ms since the epoch.
    pub at_ms: i64,
}

impl From<Model> for BalanceLog {
    fn from(row: Model) -> Self {
        let Model { id, user_id: _, code, amount, balance, ref_id, at_ms } = row;
        Self { id, code, amount, balance, ref_id, at_ms }
    }
}

/// A page of changes, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BalanceLogPage {
    /// The changes.
    pub logs: Vec<BalanceLog>,
    /// How many there are in all pages.
    pub total: u64,
    /// Next offset of the projection then: changes from there on are not among them.
    pub projected: u64,
}

impl History {
    /// A page of changes; where the tables do not come to `end` within [`limits::PROJECTION_WAIT`], as far as they are.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn balance_logs(&self, which: WhichLogs) -> Result<BalanceLogPage, HistoryError> {
        self.until_projected(which.end, Instant::now() + limits::PROJECTION_WAIT).await;
        let name = name(&which);
        match self.reader.read(WHAT, self.balance_log_page(which)).await {
            Ok(page) => {
                self.store.keep(&name, &page, limits::CACHE_LIFE).await;
                Ok(page)
            }
            // An older copy says how old it is.
            Err(error) => self.store.cached(&name).await.ok_or(error),
        }
    }

    async fn balance_log_page(&self, which: WhichLogs) -> Result<BalanceLogPage, DbErr> {
        let WhichLogs { user, filter, page, size, .. } = which;
        let snapshot = self.reader.snapshot().await?;
        let projected = self.projected.read(&snapshot).await?;
        let total = balance_logs::count_of_user(&snapshot, user.get(), filter).await?;
        let before = (page - 1) * size;
        let rows = balance_logs::page_of_user(&snapshot, user.get(), filter, before, size).await?;
        snapshot.commit().await?;
        Ok(BalanceLogPage { logs: rows.into_iter().map(BalanceLog::from).collect(), total, projected })
    }
}

fn name(which: &WhichLogs) -> String {
    let WhichLogs { user, filter: Filter { from_ms, to_ms, code, ref_id }, page, size, .. } = which;
    let text = |number: Option<i64>| number.map_or(String::new(), |number| number.to_string());
    let (from, to, code) = (text(*from_ms), text(*to_ms), text(code.map(i64::from)));
    let order = text(ref_id.map(|id| id as i64));
    format!("balance-logs:{}:{from}:{to}:{code}:{order}:{page}:{size}", user.get())
}

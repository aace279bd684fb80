//! Follows what operators want of the reader pool: other settings at once, another server once it has come as far as the
//! one that is read from. Until then that one is as good as a paused projection, and delays nobody's answer.

use super::{History, projected::Reading, reader::Aim};
use crate::limits;
use chassis::shutdown::CancellationToken;
use control::{State, tail::View};
use sea_orm::DatabaseConnection;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

/// Works until shutdown; says by `changed` that there is something to report.
pub async fn follow(history: Arc<History>, view: View, changed: Arc<Notify>, shutdown: CancellationToken) {
    let mut states = view.states();
    loop {
        let wanted = states.borrow_and_update().clone();
        let obeyed = async {
            if let Some(wanted) = wanted {
                history.obey(&wanted, &changed).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = obeyed => {}
            () = shutdown.cancelled() => return,
            // What is waited for may not be wanted any more.
            heard = states.changed() => if heard.is_err() {
                return;
            },
        }
    }
}

impl History {
    async fn obey(&self, wanted: &State, changed: &Notify) {
        let aim = Aim::wanted(wanted);
        let is_elsewhere = aim.address != self.reader.aim().address;
        if is_elsewhere {
            // That it is heard of is said at once, that it is done once it is.
            self.applied.store(wanted.next(), Ordering::Relaxed);
            changed.notify_one();
        }
        if aim != self.reader.aim() {
            match self.reader.pool(&aim).await {
                Ok(pool) => {
                    if is_elsewhere {
                        self.until_as_far(&pool).await;
                        tracing::info!(to = ?aim.address, "another MySQL is read from");
                    }
                    self.reader.swap(aim, pool);
                }
                Err(error) => tracing::warn!(%error, "the reader pool stays as it is"),
            }
        }
        self.applied.store(wanted.next(), Ordering::Relaxed);
        changed.notify_one();
    }

    /// Until the other server has what this one has, or this one has been away for so long that the other is no worse.
    async fn until_as_far(&self, other: &DatabaseConnection) {
        let mut readings: watch::Receiver<Reading> = self.projected.readings();
        let mut away_since = None;
        // What was read before the writers let go of this one does not count.
        self.projected.read_anew(&mut readings).await;
        loop {
            let here = *readings.borrow_and_update();
            let there = tokio::time::timeout(limits::HISTORY_READ, self.projected.read(other)).await;
            let away = match here {
                Reading::Away => away_since.get_or_insert_with(Instant::now).elapsed(),
                Reading::At(_) | Reading::Unasked => {
                    away_since = None;
                    Duration::ZERO
                }
            };
            match (here, there) {
                (Reading::At(here), Ok(Ok(there))) if there >= here => return,
                (Reading::Away, Ok(Ok(_))) if away >= limits::READER_GIVES_UP => return,
                _ => sleep(limits::PROJECTED_RETRY).await,
            }
        }
    }
}

//! How far the order projection is: asked of MySQL by one task for all who want to know.

use super::{History, HistoryError};
use crate::{limits, metric};
use chassis::shutdown::CancellationToken;
use migrations::entity::projection_offset::{self, Key};
use parking_lot::Mutex;
use sea_orm::{ConnectionTrait, DbErr};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// The order projection's group, as `consumers` names it.
const GROUP: &str = schemas::groups::ORDER;

/// What MySQL said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It was not asked yet.
    Unasked,
    /// The next offset to be applied.
    At(u64),
    /// It does not answer.
    Away,
}

/// The last reading, and who waits for the next one.
pub(super) struct Projected {
    key: Key,
    reading: watch::Sender<Reading>,
    asked: Notify,
    /// When MySQL last answered somebody else.
    answered: Mutex<Option<Instant>>,
}

impl Projected {
    pub(super) fn new(topic: String) -> Self {
        let key = Key { group_name: GROUP.to_owned(), topic, partition_id: 0 };
        let reading = watch::Sender::new(Reading::Unasked);
        Self { key, reading, asked: Notify::new(), answered: Mutex::default() }
    }

    /// MySQL has just answered somebody else. Where it was given up meanwhile, it is asked again at once, and until then
    /// nobody is refused.
    pub(super) fn answered(&self) {
        *self.answered.lock() = Some(Instant::now());
        if !self.is_away() {
            return;
        }
        let mut was_away = false;
        self.reading.send_if_modified(|reading| {
            was_away = *reading == Reading::Away;
            if was_away {
                *reading = Reading::Unasked;
            }
            // Whoever waits for the next reading goes on waiting: this is none.
            false
        });
        if was_away {
            report(Reading::Unasked);
            self.asked.notify_one();
        }
    }

    /// Takes down what came of a question that began then. One that was not answered means nothing where somebody else
    /// was since: it may have been put to a server that came back meanwhile, and wait for its next attempt to connect.
    fn heard(&self, began: Instant, answer: Option<Reading>) {
        let (mut before, mut after) = (Reading::Unasked, Reading::Unasked);
        self.reading.send_if_modified(|reading| {
            (before, after) = (*reading, *reading);
            // Looked at in here: whoever is answered a moment later finds what is taken down now, and takes it back.
            if answer.is_none() && self.answered.lock().is_some_and(|at| at >= began) {
                return false;
            }
            after = answer.unwrap_or(Reading::Away);
            *reading = after;
            true
        });
        if (before == Reading::Away) != (after == Reading::Away) {
            report(after);
        }
    }

    pub(super) fn is_away(&self) -> bool {
        *self.reading.borrow() == Reading::Away
    }

    /// Until the question after the one that is under way is answered.
    pub(super) async fn read_anew(&self, readings: &mut watch::Receiver<Reading>) {
        for _ in 0..2 {
            readings.mark_unchanged();
            self.asked.notify_one();
            // Whoever asks is gone only when the process ends, and with it whoever waits here.
            let _ = readings.changed().await;
        }
    }

    pub(super) fn readings(&self) -> watch::Receiver<Reading> {
        self.reading.subscribe()
    }

    pub(super) fn known(&self) -> Option<u64> {
        match *self.reading.borrow() {
            Reading::At(offset) => Some(offset),
            Reading::Unasked | Reading::Away => None,
        }
    }

    /// The next offset as this connection sees it; 0 where the projection has not begun.
    pub(super) async fn read<C: ConnectionTrait>(&self, db: &C) -> Result<u64, DbErr> {
        Ok(projection_offset::load(db, &self.key).await?.map_or(0, |row| row.next_offset))
    }
}

impl History {
    /// Waits until the projection has come to `offset`, at most until `deadline`; at once where MySQL is away.
    pub(super) async fn until_projected(&self, offset: u64, deadline: Instant) {
        let Projected { reading, asked, .. } = &*self.projected;
        let mut readings = reading.subscribe();
        loop {
            match *readings.borrow_and_update() {
                Reading::At(at) if at >= offset => return,
                Reading::Away => return,
                Reading::At(_) | Reading::Unasked => {}
            }
            asked.notify_one();
            match tokio::time::timeout_at(deadline, readings.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

/// Reads how far the projection is: once a second, soon after somebody asked, and more often while MySQL is away.
pub async fn watch(history: Arc<History>, shutdown: CancellationToken) {
    let projected = history.projected.clone();
    loop {
        let began = Instant::now();
        let reading = tokio::select! {
            () = shutdown.cancelled() => return,
            reading = read(&history) => reading,
        };
        projected.heard(began, reading);
        let pause = match reading {
            None | Some(Reading::Away) => limits::PROJECTED_RETRY,
            Some(Reading::At(_) | Reading::Unasked) => limits::PROJECTED_INTERVAL,
        };
        if asked_within(&projected.asked, pause, &shutdown).await {
            // Not at once: whoever asks meanwhile is answered by the same question.
            tokio::time::sleep(limits::PROJECTED_PAUSE).await;
        }
        if shutdown.is_cancelled() {
            return;
        }
    }
}

async fn asked_within(asked: &Notify, pause: Duration, shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = asked.notified() => true,
        () = tokio::time::sleep(pause) => false,
        () = shutdown.cancelled() => false,
    }
}

/// Asks once; `None` where there was no answer.
async fn read(history: &History) -> Option<Reading> {
    let (reader, projected) = (&history.reader, &history.projected);
    match tokio::time::timeout(reader.waits.history_read(), projected.read(&reader.db())).await {
        Ok(Ok(offset)) => {
            metrics::gauge!(metric::PROJECTED_OFFSET).set(offset as f64);
            Some(Reading::At(offset))
        }
        Ok(Err(error)) => {
            if projected.is_away() {
                tracing::debug!(%error, "MySQL does not serve");
            } else {
                tracing::warn!(%error, "MySQL does not serve; it is asked again");
            }
            None
        }
        Err(_) => None,
    }
}

fn report(reading: Reading) {
    if reading == Reading::Away {
        let error = HistoryError::Away;
        tracing::warn!(%error, "MySQL does not answer; older orders come from Redis, or not at all");
    } else {
        tracing::info!("MySQL answers: older history is there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_an_answer_says_nothing_where_another_was_answered_since() {
        let projected = Projected::new("order".to_owned());
        projected.heard(Instant::now(), Some(Reading::At(7)));
        let began = Instant::now();
        projected.answered();
        projected.heard(began, None);
        assert_eq!(projected.known(), Some(7), "the server came back meanwhile");
        projected.heard(Instant::now() + Duration::from_millis(1), None);
        assert!(projected.is_away(), "an answer of before counts no more");
    }

    #[test]
    fn whoever_is_answered_a_moment_after_it_was_given_up_takes_that_back() {
        let projected = Projected::new("order".to_owned());
        let readings = projected.readings();
        projected.heard(Instant::now(), None);
        assert!(projected.is_away() && readings.has_changed().unwrap_or_default());
        let mut next = projected.readings();
        next.mark_unchanged();
        projected.answered();
        assert!(!projected.is_away());
        assert!(!next.has_changed().unwrap_or(true), "that is no reading");
    }
}

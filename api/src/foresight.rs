//! Answers without a record: a fold that is fresh enough and already knows the outcome spares the log a refusal.
//!
//! Only outcomes that change nothing may be answered so; whatever changes something is appended.

use crate::{
    ingress::{Failure, Ingress},
    log::{cell::Answer, topic_log::TopicLog},
};
use domain::{Verdict, fold::State, replays::Seen};
use schemas::Record;
use std::time::Duration;

/// How far an outcome that the fold foresees may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It never changes again.
    Final,
    /// It holds for a fold that is known to be at most this old.
    Within(Duration),
}

impl Ingress {
    /// Answers from the fold where that knows, else appends and waits. `trust` says which outcomes may be foretold by that state.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn answer<S>(
        &self,
        log: &TopicLog<S>,
        partition: i32,
        record: &Record,
        trust: impl Fn(&S, &S::Outcome) -> Option<Trust> + Send + Sync,
    ) -> Result<Answer<S::Outcome>, Failure>
    where
        S: State + Send + 'static,
        S::Outcome: Send,
    {
        if let Some((known, trust_in)) = foretell(log, partition, record, &trust) {
            match trust_in {
                Trust::Final => return Ok(known),
                Trust::Within(age) => self.fresh(log, partition, age).await?,
            }
            // Brought up to date: what is refused now is refused by all that the log held when the request came.
            if let Some((known, _)) = foretell(log, partition, record, &trust) {
                return Ok(known);
            }
        }
        self.submit(log, partition, record).await
    }
}

fn foretell<S: State>(
    log: &TopicLog<S>,
    partition: i32,
    record: &Record,
    trust: &impl Fn(&S, &S::Outcome) -> Option<Trust>,
) -> Option<(Answer<S::Outcome>, Trust)> {
    let answer = |verdict, replayed| Answer { verdict, replayed, offset: None };
    log.cell(partition).look(|fold| {
        match fold.look(record.envelope()) {
            Seen::Replay(Some(verdict)) => return Some((answer(verdict, true), Trust::Final)),
            Seen::KeyReused => return Some((answer(Verdict::KeyReused, false), Trust::Final)),
            Seen::Replay(None) | Seen::Fresh => {}
        }
        let verdict = fold.foresee(record)?;
        let Verdict::Decided(outcome) = &verdict else { return None };
        let trust = trust(fold.state(), outcome)?;
        Some((answer(verdict, false), trust))
    })
}

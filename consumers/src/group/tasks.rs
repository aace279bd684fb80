//! What a group has under way. Every task is owned and ends in something that the loop hears, also where it panics.

use super::{
    lifecycle::Database,
    looking::Looked,
    opening::{NotOpened, Opened},
    work::Work,
    worker::{Finished, Worker},
};
use futures_util::{FutureExt, future::BoxFuture};
use std::{any::Any, panic::AssertUnwindSafe};
use tokio::task::JoinSet;

/// An opening, or a transaction: of which partition, and of which of its generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Partition.
    pub partition: i32,
    /// Generation.
    pub generation: u64,
}

/// What a task ends in.
pub enum Done<W: Work> {
    /// A partition's place in MySQL was claimed and checked, or could not be.
    Opened { job: Job, result: Result<(Opened, Box<Worker<W>>), NotOpened> },
    /// A transaction is over. The worker is absent where it panicked.
    Ended { job: Job, finished: Finished, worker: Option<Box<Worker<W>>> },
    /// A seek that the client refused is to be tried again.
    Seek(Job),
    /// The pause before another try is over.
    Retry(Job),
    /// Records have waited for others as long as they may.
    Ripe,
    /// MySQL said where the partitions stand.
    Looked(Looked),
    /// The database was probed; what closes the sessions of before.
    Probed { found: Database, closing: Option<BoxFuture<'static, ()>> },
    /// The pool was changed, which nobody waits for.
    Pool,
}

/// See the module.
pub struct Tasks<W: Work> {
    set: JoinSet<Done<W>>,
}

impl<W: Work> Default for Tasks<W> {
    fn default() -> Self {
        Self { set: JoinSet::new() }
    }
}

impl<W: Work> Tasks<W> {
    /// Begins a task; one that panics ends in what `on_panic` makes of the panic's words.
    pub fn spawn(
        &mut self,
        on_panic: impl FnOnce(String) -> Done<W> + Send + 'static,
        task: impl Future<Output = Done<W>> + Send + 'static,
    ) {
        self.set.spawn(async move {
            AssertUnwindSafe(task).catch_unwind().await.unwrap_or_else(|panic| {
                let words = words_of(&*panic);
                tracing::error!(group = W::GROUP, panic = words, "a task panicked; this is a bug");
                on_panic(words)
            })
        });
    }

    /// The next task that ended; `None` where there is none.
    pub async fn next(&mut self) -> Option<Done<W>> {
        loop {
            // Only a task that was aborted ends without a word, and then nobody waits for it.
            if let Ok(done) = self.set.join_next().await? {
                return Some(done);
            }
        }
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Folding;
    use domain::coupons::Coupons;

    #[tokio::test]
    async fn a_task_that_panics_is_heard() {
        let mut tasks = Tasks::<Folding<Coupons>>::default();
        let job = Job { partition: 3, generation: 7 };
        let ended = move |words| Done::Ended { job, finished: Finished::Fatal(words), worker: None };
        tasks.spawn(ended, async { panic!("subtract with {}", "overflow") });
        tasks.spawn(|_| Done::Probed { found: Database::Away, closing: None }, async { panic!("a probe") });
        let mut heard = Vec::new();
        while let Some(done) = tasks.next().await {
            heard.push(match done {
                Done::Ended { job, finished, .. } => format!("{job:?} {finished:?}"),
                Done::Probed { found, .. } => format!("{found:?}"),
                _ => "another".to_owned(),
            });
        }
        heard.sort();
        assert_eq!(heard, ["Away", "Job { partition: 3, generation: 7 } Fatal(\"subtract with overflow\")"]);
    }
}

//! The read index: where the log ends now, asked of the leaders by one thread for all who wait.
//!
//! On a client of its own, because on the tail's it would wait behind the long-poll fetch.

use crate::limits;
use chassis::{log_reader::LogReader, shutdown::CancellationToken};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Ends of all partitions, asked after `started`.
#[derive(Debug)]
pub struct Ends {
    /// When the question was put; everything acknowledged before it is below the ends.
    pub started: Instant,
    /// In the order in which the partitions were given.
    pub ends: Vec<u64>,
}

type Reply = oneshot::Sender<Option<Arc<Ends>>>;

/// Asks for ends.
#[derive(Clone)]
pub struct ReadIndex {
    ask: mpsc::Sender<Reply>,
}

impl ReadIndex {
    /// Starts the thread, which asks for so long at most; it ends when the token is cancelled or the last asker is gone.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(
        reader: LogReader,
        partitions: Vec<(String, i32)>,
        budget: Duration,
        shutdown: CancellationToken,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (ask, asked) = mpsc::channel(limits::MAX_IN_FLIGHT);
        let thread = std::thread::Builder::new()
            .name("read-index".into())
            .spawn(move || serve((&reader, &partitions, budget), asked, &shutdown))?;
        Ok((Self { ask }, thread))
    }

    /// The ends of the log at some moment after this call began; `None` where the brokers did not say in time.
    pub async fn ends(&self) -> Option<Arc<Ends>> {
        let (reply, answer) = oneshot::channel();
        self.ask.try_send(reply).ok()?;
        answer.await.ok()?
    }
}

fn serve(
    (reader, partitions, budget): (&LogReader, &[(String, i32)], Duration),
    mut asked: mpsc::Receiver<Reply>,
    shutdown: &CancellationToken,
) {
    while let Some(first) = asked.blocking_recv() {
        let mut waiting = vec![first];
        while let Ok(another) = asked.try_recv() {
            waiting.push(another);
        }
        if shutdown.is_cancelled() {
            return;
        }
        let started = Instant::now();
        let found = reader.end_offsets(partitions, budget);
        metrics::histogram!(crate::metric::READ_INDEX_SECONDS).record(started.elapsed().as_secs_f64());
        let ends = found
            .inspect_err(|error| tracing::debug!(%error, "the read index got no answer"))
            .ok()
            .map(|ends| Arc::new(Ends { started, ends }));
        for reply in waiting {
            let _ = reply.send(ends.clone());
        }
    }
}

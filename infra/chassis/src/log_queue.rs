//! Logging blocks no work: lines wait in a bounded queue for a thread of their own. What does not fit is dropped and
//! counted, because a stderr that nobody reads must not stand in the way of a projection, a probe or SIGTERM.

use parking_lot::{Condvar, Mutex};
use std::{collections::VecDeque, io, io::Write, sync::Arc, thread, time::Duration};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait for stderr. A burst at start is some 10 KiB.
pub const QUEUE_BYTES: usize = 1 << 20;
/// How long the end of a process waits for its last lines to be read.
pub const FLUSH_WAIT: Duration = Duration::from_secs(1);
/// Counter: lines that were dropped, because stderr takes none.
pub const LINES_DROPPED: &str = "tidemark_log_lines_dropped_total";

/// Where lines are put. Clones share one queue.
#[derive(Clone, Default)]
pub struct LogQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    /// With the line that is being written.
    bytes: usize,
}

impl LogQueue {
    /// A queue that a thread empties into `out`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn into_writer(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self::default();
        let emptied = queue.clone();
        thread::Builder::new().name("logs".to_owned()).spawn(move || emptied.empty(out))?;
        Ok(queue)
    }

    /// Never waits for the writer.
    fn put(&self, line: &[u8]) {
        let mut waiting = self.0.waiting.lock();
        if waiting.bytes + line.len() > QUEUE_BYTES {
            drop(waiting);
            metrics::counter!(LINES_DROPPED).increment(1);
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.to_vec());
        self.0.changed.notify_all();
    }

    fn empty(&self, mut out: impl Write) -> ! {
        loop {
            let line = self.next();
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                metrics::counter!(LINES_DROPPED).increment(1);
            }
            self.0.waiting.lock().bytes -= line.len();
            self.0.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut waiting = self.0.waiting.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                return line;
            }
            self.0.changed.wait(&mut waiting);
        }
    }

    /// Waits until all is written, at most [`FLUSH_WAIT`].
    fn flush(&self) {
        let mut waiting = self.0.waiting.lock();
        self.0.changed.wait_while_for(&mut waiting, |waiting| waiting.bytes > 0, FLUSH_WAIT);
    }
}

/// One event's line.
pub struct Line(LogQueue);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogQueue {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(self.clone())
    }
}

/// Held by `main`: its end writes what still waits.
#[must_use = "its end writes the last lines"]
pub struct FlushAtExit(pub(crate) LogQueue);

impl Drop for FlushAtExit {
    fn drop(&mut self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, pipe};

    /// Far more than the queue and a pipe hold.
    const LINES: usize = 4_000;

    fn line(number: usize) -> Vec<u8> {
        format!("{number:>1023}\n").into_bytes()
    }

    #[test]
    fn what_a_reader_takes_comes_in_order_and_whole_and_the_end_waits_for_it() {
        let (mut reader, writer) = pipe().unwrap();
        let queue = LogQueue::into_writer(writer).unwrap();
        let mut lines = queue.make_writer();
        for number in 0..20 {
            lines.write_all(&line(number)).unwrap();
        }
        drop(FlushAtExit(queue.clone()));
        assert_eq!(queue.0.waiting.lock().bytes, 0, "all is in the pipe");
        let mut read = vec![0; 20 * 1_024];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(read, (0..20).flat_map(line).collect::<Vec<_>>());
    }

    #[test]
    fn a_pipe_that_nobody_reads_stops_nobody_and_its_excess_is_counted() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let (mut reader, writer) = pipe().unwrap();
        let queue = LogQueue::into_writer(writer).unwrap();
        metrics::with_local_recorder(&recorder, || {
            for number in 0..LINES {
                queue.make_writer().write_all(&line(number)).unwrap();
            }
        });
        drop(FlushAtExit(queue.clone()));
        let held = queue.0.waiting.lock().bytes;
        assert!(held > 0 && held <= QUEUE_BYTES, "{held} bytes wait");
        let rendered = recorder.handle().render();
        let dropped =
            rendered.lines().find_map(|line| line.strip_prefix("tidemark_log_lines_dropped_total "));
        let dropped: usize = dropped.expect("some were dropped").parse().unwrap();
        // Whoever reads again gets the rest.
        let mut read = vec![0; (LINES - dropped) * 1_024];
        reader.read_exact(&mut read).unwrap();
        assert!(read.starts_with(&line(0)));
        assert!(dropped > 0 && read.ends_with(b"\n"));
    }
}

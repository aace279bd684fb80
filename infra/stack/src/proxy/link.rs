//! One connection through the proxy: two threads, one per direction.

use super::{Mode, Shared};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

/// The largest chunk that is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Both ends of a connection.
#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    server: TcpStream,
    /// Bytes of this connection were thrown away: it can never pass bytes again.
    lost: AtomicBool,
    cut: AtomicBool,
    directions: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

impl Link {
    pub(super) fn open_between(
        client: TcpStream,
        server: TcpStream,
        shared: &Arc<Shared>,
    ) -> io::Result<Arc<Self>> {
        client.set_nonblocking(false)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let link = Arc::new(Self {
            client,
            server,
            lost: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            directions: AtomicUsize::new(2),
        });
        for direction in [Direction::Requests, Direction::Answers] {
            let (link, shared) = (Arc::clone(&link), Arc::clone(shared));
            // They end with the connection, and Proxy::drop cuts all of those.
            std::thread::Builder::new().spawn(move || {
                if link.pump(direction, &shared).is_err() {
                    link.cut();
                }
                link.directions.fetch_sub(1, Ordering::SeqCst);
            })?;
        }
        Ok(link)
    }

    pub(super) fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> bool {
        !self.cut.load(Ordering::SeqCst) && self.directions.load(Ordering::SeqCst) > 0
    }

    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        // Closed by the other side already: that is what is wanted.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn pump(&self, direction: Direction, shared: &Shared) -> io::Result<()> {
        let (mut from, mut to) = match direction {
            Direction::Requests => (&self.client, &self.server),
            Direction::Answers => (&self.server, &self.client),
        };
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = from.read(&mut buffer)?;
            let mode = self.wait_while_stalled(direction, shared);
            if self.cut.load(Ordering::SeqCst) {
                return Ok(());
            }
            if length == 0 {
                return to.shutdown(Shutdown::Write);
            }
            if let Mode::Delay(delay) = mode {
                std::thread::sleep(delay);
            }
            if mode == Mode::DropAnswers && direction == Direction::Answers {
                self.lost.store(true, Ordering::SeqCst);
                shared.dropped.fetch_add(length as u64, Ordering::SeqCst);
                continue;
            }
            if self.lost() && direction == Direction::Answers {
                return Err(io::Error::other("bytes before these were thrown away"));
            }
            to.write_all(&buffer[..length])?;
        }
    }

    fn wait_while_stalled(&self, direction: Direction, shared: &Shared) -> Mode {
        let stalled = match direction {
            Direction::Requests => Mode::StallRequests,
            Direction::Answers => Mode::StallAnswers,
        };
        let mut inner = shared.lock();
        while inner.mode == stalled && !self.cut.load(Ordering::SeqCst) {
            inner = shared.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.mode
    }
}

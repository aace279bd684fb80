//! A TCP proxy that breaks links on demand: refused, cut, stalled, delayed, or with answers lost.
//!
//! It knows no protocol. It must never pass bytes on after it has thrown some of the same direction away:
//! TCP loses no bytes in the middle of a stream, so such a connection is cut instead.

mod link;

use crate::error::{Doing, Error, Result};
use crate::ports::{Lease, lease};
use link::Link;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the accepting thread may take to follow a change of mode.
const FOLLOW: Duration = Duration::from_secs(5);
/// Pause between two looks for a new connection.
const POLL: Duration = Duration::from_millis(2);

/// What happens to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They pass.
    #[default]
    Pass,
    /// New connections are refused; open ones pass (see [`Proxy::cut`]).
    Refuse,
    /// Requests wait here, answers pass.
    StallRequests,
    /// Requests pass, answers wait here.
    StallAnswers,
    /// Requests pass, answers are thrown away: the effect happens and nobody learns of it. A connection
    /// that lost bytes is cut when this mode ends.
    DropAnswers,
    /// Every chunk of bytes waits that long, each way.
    Delay(Duration),
}

/// A proxy on a leased port of 127.0.0.1, in front of one target, until dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    lease: Lease,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    inner: Mutex<Inner>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    mode: Mode,
    listening: bool,
    closed: bool,
    links: Vec<Arc<Link>>,
}

impl Proxy {
    /// Listens on a free port and passes connections on to `target`, which need not be there yet.
    ///
    /// # Errors
    /// No port is free, or the thread does not start.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let lease = lease()?;
        let listener = listen(lease.port())?;
        let shared = Arc::new(Shared {
            target,
            inner: Mutex::new(Inner { listening: true, ..Inner::default() }),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let (for_thread, port) = (Arc::clone(&shared), lease.port());
        let acceptor = std::thread::Builder::new()
            .name(format!("proxy-{port}"))
            .spawn(move || accept_until_closed(&for_thread, listener, port))
            .doing(|| "start the proxy's thread".into())?;
        Ok(Self { shared, acceptor: Some(acceptor), lease })
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.lease.port()))
    }

    /// Changes the mode of all connections, open and new; returns when it holds.
    ///
    /// # Errors
    /// The port was taken while it was refused.
    pub fn set(&self, mode: Mode) -> Result<()> {
        let mut inner = self.shared.lock();
        inner.mode = mode;
        if mode != Mode::DropAnswers {
            inner.links.iter().filter(|link| link.lost()).for_each(|link| link.cut());
        }
        self.shared.changed.notify_all();
        let deadline = Instant::now() + FOLLOW;
        while inner.listening != (mode != Mode::Refuse) {
            if Instant::now() > deadline {
                let port = self.lease.port();
                return Err(Error::prepare(format!("free port {port}, which the proxy needs back")));
            }
            inner = self.shared.changed.wait_timeout(inner, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Closes all open connections now; new ones follow the mode.
    pub fn cut(&self) {
        let mut inner = self.shared.lock();
        inner.links.drain(..).for_each(|link| link.cut());
        self.shared.changed.notify_all();
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        let mut inner = self.shared.lock();
        inner.links.retain(|link| link.open());
        inner.links.len()
    }

    /// How many bytes of answers were thrown away so far.
    pub fn dropped_bytes(&self) -> u64 {
        self.shared.dropped.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.cut();
        if let Some(acceptor) = self.acceptor.take() {
            // It can only have panicked, and then it has let go of the port just the same.
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(port: u16) -> Result<TcpListener> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).doing(|| format!("listen on port {port}"))?;
    // Polled, so that refusing can close the port: a blocked accept cannot be woken.
    listener.set_nonblocking(true).doing(|| format!("poll port {port}"))?;
    Ok(listener)
}

fn accept_until_closed(shared: &Arc<Shared>, first: TcpListener, port: u16) {
    let mut listener = Some(first);
    loop {
        {
            let mut inner = shared.lock();
            if inner.closed {
                return;
            }
            match (inner.mode, &listener) {
                (Mode::Refuse, Some(_)) => listener = None,
                // Taken meanwhile: tried again, and `set` says so when it stays taken.
                (mode, None) if mode != Mode::Refuse => listener = listen(port).ok(),
                _ => (),
            }
            if inner.listening != listener.is_some() {
                inner.listening = listener.is_some();
                shared.changed.notify_all();
            }
        }
        match listener.as_ref().map(TcpListener::accept) {
            Some(Ok((client, _))) => connect(shared, client),
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(POLL),
            // A connection that ended before it was accepted, or no more files: the next may succeed.
            Some(Err(_)) | None => std::thread::sleep(POLL),
        }
    }
}

/// A target that does not answer closes the client's connection, as a dead service's host would.
fn connect(shared: &Arc<Shared>, client: TcpStream) {
    let Ok(server) = TcpStream::connect_timeout(&shared.target, Duration::from_secs(1)) else {
        return;
    };
    if let Ok(link) = Link::open_between(client, server, shared) {
        let mut inner = shared.lock();
        inner.links.retain(|link| link.open());
        inner.links.push(link);
    }
}

#[cfg(test)]
mod tests;

//! One port: open, or closed with everybody thrown out.
//!
//! A closed door refuses connections, as a dead host does: it must never leave somebody waiting.

use super::{Shared, answers};
use crate::error::{Doing, Result};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections at once; the next one is closed.
const MAX_CONNECTIONS: usize = 512;
/// How long waking the accepting thread may take.
const WAKE: Duration = Duration::from_secs(2);
/// Pause after a failed accept: out of files, or a connection that ended before it was accepted.
const AGAIN: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Door {
    port: u16,
    /// Held while it opens or closes, so that two changes of mode never cross.
    opened: Mutex<Option<Opened>>,
    guests: Arc<Mutex<Vec<Guest>>>,
}

#[derive(Debug)]
struct Opened {
    closing: Arc<AtomicBool>,
    acceptor: JoinHandle<()>,
}

/// An open connection: a handle to close it by, and whether its thread is gone.
#[derive(Debug)]
struct Guest {
    stream: TcpStream,
    gone: Arc<AtomicBool>,
}

impl Door {
    pub(super) fn on(port: u16) -> Self {
        Self { port, opened: Mutex::default(), guests: Arc::default() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Listens, unless it does already.
    pub(super) fn open(&self, shared: &Arc<Shared>) -> Result<()> {
        let mut opened = lock(&self.opened);
        if opened.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address()).doing(|| format!("listen on port {}", self.port))?;
        let closing = Arc::new(AtomicBool::new(false));
        let (ends, guests, shared) = (Arc::clone(&closing), Arc::clone(&self.guests), Arc::clone(shared));
        let acceptor = std::thread::Builder::new()
            .name(format!("platform-{}", self.port))
            .spawn(move || accept(&listener, &ends, &guests, &shared))
            .doing(|| "start the platform's thread".into())?;
        *opened = Some(Opened { closing, acceptor });
        Ok(())
    }

    /// Stops listening and closes every connection.
    pub(super) fn close(&self) {
        let mut opened = lock(&self.opened);
        if let Some(door) = opened.take() {
            door.closing.store(true, Ordering::SeqCst);
            // A blocked accept only wakes up for a connection. One that is refused found nobody waiting.
            let _ = TcpStream::connect_timeout(&self.address(), WAKE);
            // It can only have panicked, and then it has let go of the port just the same.
            let _ = door.acceptor.join();
        }
        for guest in lock(&self.guests).drain(..) {
            // Closed by the other side already: that is what is wanted.
            let _ = guest.stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, closing: &AtomicBool, guests: &Mutex<Vec<Guest>>, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if closing.load(Ordering::SeqCst) {
            return;
        }
        match stream {
            Ok(stream) => admit(stream, guests, shared),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

/// Serves a connection on a thread of its own. One too many, or one that cannot be served, is closed.
fn admit(stream: TcpStream, guests: &Mutex<Vec<Guest>>, shared: &Arc<Shared>) {
    let mut guests = lock(guests);
    guests.retain(|guest| !guest.gone.load(Ordering::SeqCst));
    let Ok(handle) = stream.try_clone() else { return };
    if guests.len() >= MAX_CONNECTIONS {
        return;
    }
    let gone = Arc::new(AtomicBool::new(false));
    let (shared, leaves) = (Arc::clone(shared), Arc::clone(&gone));
    let served = std::thread::Builder::new().spawn(move || {
        // A caller that breaks the connection off is everyday life for a partner.
        let _ = answers::serve(&stream, &shared);
        let _ = stream.shutdown(Shutdown::Both);
        leaves.store(true, Ordering::SeqCst);
    });
    if served.is_ok() {
        guests.push(Guest { stream: handle, gone });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

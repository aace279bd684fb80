//! An HTTP/1 server with the limits that `axum::serve` lacks: on heads, on silence, on clients that do not read, on the
//! number of connections, and a drain with a deadline.

use crate::{
    connection::{Answer, Paced, Patience, Turn},
    leftover,
};
use axum::{Router, body::Body, extract::Request};
use hyper::{
    HeaderMap, Response, Version,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections waiting to be accepted; the kernel caps it at `net.core.somaxconn`.
pub const BACKLOG: i32 = 4_096;
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A connection that fails to be accepted is told of once in this time.
const ACCEPT_TOLD: Duration = Duration::from_secs(10);
/// A connection is closed so much later than its client was told, so that a request which leaves at the last moment still
/// finds it open.
const IDLE_MARGIN: Duration = Duration::from_secs(2);

/// Limits of one server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at once; more wait in the backlog.
    pub max_connections: usize,
    /// From the first byte of a request (or from connecting) to the end of its headers.
    pub header_timeout: Duration,
    /// From an answer to the first byte of the next request; said in `Keep-Alive`. Above the 75 s for which the common
    /// proxies keep a connection, so that they close first.
    pub idle_timeout: Duration,
    /// A client that takes no byte of its answers for so long is cut off.
    pub write_timeout: Duration,
    /// How long running requests may take after shutdown began.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Of an admin listener, which closes last and has nobody to wait for.
    #[must_use]
    pub fn admin() -> Self {
        Self { drain_timeout: Duration::from_secs(2), ..Self::default() }
    }
}

/// Who is at the other end of a request's connection: a client, or the proxy before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// An address that is ours and where nobody listens yet: connections are refused, and a proxy goes elsewhere.
pub struct Reserved(Socket);

/// Takes an address.
///
/// # Errors
/// The address is taken or not ours.
pub fn reserve(address: SocketAddr) -> io::Result<Reserved> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(Reserved(socket))
}

impl Reserved {
    /// The address, with the port that was given where 0 was asked for.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()?.as_socket().ok_or_else(|| io::Error::other("no IP address"))
    }

    /// Listens with a deep backlog.
    ///
    /// # Errors
    /// Somebody else came first.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)?;
        TcpListener::from_std(self.0.into())
    }
}

/// Takes an address and listens there.
///
/// # Errors
/// The address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    reserve(address)?.listen()
}

/// Serves until the token is cancelled, then drains; returns `false` where the deadline cut somebody off.
pub async fn run(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) -> bool {
    let mut door = Door { listener, slots: Arc::new(Semaphore::new(limits.max_connections)), told: None };
    let graceful = GracefulShutdown::new();
    // Only HTTP/1: who may also speak HTTP/2 may stay silent for ever, because no timeout runs until the first bytes
    // have said which of the two it is, and none but HTTP/1's counts headers.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // The time for headers is `Paced`'s business, which knows it from idleness.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).keep_alive(true);
    let patience = Patience {
        header: limits.header_timeout,
        idle: limits.idle_timeout + IDLE_MARGIN,
        write: limits.write_timeout,
    };
    let keep_alive = keep_alive(limits.idle_timeout);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = door.accept() => accepted,
        };
        let Some(Accepted { stream, peer, slot }) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        let turn = Arc::new(Turn::default());
        let stream = Paced::new(stream, turn.clone(), patience);
        let (router, keep_alive) = (router.clone(), keep_alive.clone());
        let service = service_fn(move |request| {
            answer(router.clone(), Asked { request, peer, turn: turn.clone() }, keep_alive.clone())
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or sends nonsense is no event of ours.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(door);
    let drained = tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_ok();
    if !drained {
        tracing::warn!(
            deadline_ms = limits.drain_timeout.as_millis() as u64,
            "connections cut off at the drain's deadline"
        );
    }
    drained
}

/// A request and where it came from.
struct Asked {
    request: hyper::Request<Incoming>,
    peer: Peer,
    turn: Arc<Turn>,
}

async fn answer(
    router: Router,
    Asked { request, peer, turn }: Asked,
    keep_alive: HeaderValue,
) -> Result<Response<Answer<Body>>, Infallible> {
    let answering = turn.answering();
    let version = request.version();
    let (mut head, body) = request.into_parts();
    head.extensions.insert(peer);
    let (loan, leftover) = leftover::lend(&head.headers, body);
    let mut response = router.oneshot(Request::from_parts(head, Body::new(loan))).await?;
    leftover.discard().await;
    if version == Version::HTTP_11 && !closes(response.headers()) {
        response.headers_mut().insert("keep-alive", keep_alive);
    }
    Ok(response.map(|body| Answer::new(body, answering)))
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn keep_alive(idle: Duration) -> HeaderValue {
    HeaderValue::try_from(format!("timeout={}", idle.as_secs()))
        .unwrap_or_else(|_| HeaderValue::from_static("timeout=1"))
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    /// When it was last said that nobody gets in.
    told: Option<Instant>,
}

/// A connection and its place among those that are served at once.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    slot: OwnedSemaphorePermit,
}

impl Door {
    async fn accept(&mut self) -> Option<Accepted> {
        let slot = self.slots.clone().acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, address)) => {
                // Answers are small and must leave at once.
                let _ = stream.set_nodelay(true);
                Some(Accepted { stream, peer: Peer(address.ip().to_canonical()), slot })
            }
            Err(error) => {
                if self.told.is_none_or(|told| told.elapsed() >= ACCEPT_TOLD) {
                    tracing::warn!(%error, "connections cannot be accepted; raise the limit of open files (ulimit -n)");
                    self.told = Some(Instant::now());
                }
                None
            }
        }
    }
}

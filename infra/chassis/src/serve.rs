//! An HTTP/1 server with the limits that `axum::serve` lacks: a header timeout, a cap on connections, a drain with a
//! deadline.

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections waiting to be accepted; the kernel caps it at `net.core.somaxconn`.
pub const BACKLOG: i32 = 4_096;
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Limits of one server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at once; more wait in the backlog.
    pub max_connections: usize,
    /// From the first byte of a request (or from connecting, or from the last answer) to the end of its headers.
    pub header_timeout: Duration,
    /// How long running requests may take after shutdown began.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Binds with a deep backlog.
///
/// # Errors
/// The address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves until the token is cancelled, then drains; returns `false` where the deadline cut somebody off.
pub async fn run(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) -> bool {
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let graceful = GracefulShutdown::new();
    // Only HTTP/1: who may also speak HTTP/2 may stay silent for ever, because no timeout runs until the first bytes
    // have said which of the two it is, and none but HTTP/1's counts headers.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).keep_alive(true);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, slot)) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or sends nonsense is no event of ours.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_ok();
    if !drained {
        tracing::warn!(
            deadline_ms = limits.drain_timeout.as_millis() as u64,
            "connections cut off at the drain's deadline"
        );
    }
    drained
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and must leave at once.
            let _ = stream.set_nodelay(true);
            Some((stream, slot))
        }
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            None
        }
    }
}

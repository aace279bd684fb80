//! One connection's patience: with a client that does not send its head, that sends nothing at all, or that does not
//! read its answers. hyper has one limit for the first two and none for the third.

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// How long a connection waits for its client.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a request, or from connecting, to the end of its head.
    pub header: Duration,
    /// From an answer to the first byte of the next request.
    pub idle: Duration,
    /// Between two bytes of an answer that the client takes.
    pub write: Duration,
}

/// Whose turn it is on a connection: even while the client's next head is waited for, odd while it is answered.
#[derive(Debug, Default)]
pub struct Turn(AtomicU64);

impl Turn {
    /// A head was read; the client's turn begins again when what is returned is dropped.
    pub(crate) fn answering(self: &Arc<Self>) -> Answering {
        self.0.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An answer under way.
pub(crate) struct Answering(Arc<Turn>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of an answer, with which the answer ends.
pub(crate) struct Answer<B> {
    body: B,
    _answering: Answering,
}

impl<B> Answer<B> {
    pub(crate) const fn new(body: B, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is waited for on a connection's reading side.
#[derive(Clone, Copy)]
struct Awaited {
    turn: u64,
    has_begun: bool,
    until: Instant,
}

/// A stream that ends with an error where its client's time is over.
pub(crate) struct Paced {
    stream: TcpStream,
    turn: Arc<Turn>,
    patience: Patience,
    awaited: Awaited,
    reading: Pin<Box<Sleep>>,
    /// Set while the client takes nothing.
    writing: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(crate) fn new(stream: TcpStream, turn: Arc<Turn>, patience: Patience) -> Self {
        let until = Instant::now() + patience.header;
        let awaited = Awaited { turn: turn.now(), has_begun: true, until };
        Self { stream, turn, patience, awaited, reading: Box::pin(sleep_until(until)), writing: None }
    }

    fn heard(&mut self) {
        let turn = self.turn.now();
        let goes_on = self.awaited.turn == turn && self.awaited.has_begun;
        if turn.is_multiple_of(2) && !goes_on {
            let until = Instant::now() + self.patience.header;
            self.awaited = Awaited { turn, has_begun: true, until };
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = self.turn.now();
        if !turn.is_multiple_of(2) {
            return Poll::Pending; // A body has its own limit, and an answer that is made has its deadline.
        }
        if self.awaited.turn != turn {
            let until = Instant::now() + self.patience.idle;
            self.awaited = Awaited { turn, has_begun: false, until };
        }
        if self.reading.deadline() != self.awaited.until {
            self.reading.as_mut().reset(self.awaited.until);
        }
        self.reading.as_mut().poll(cx)
    }

    fn wrote(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.writing = None;
            return wrote;
        }
        let patience = self.patience.write;
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        ready!(writing.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answers")))
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                self.heard();
                Poll::Ready(read)
            }
            Poll::Pending => {
                ready!(self.poll_silence(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not send a head")))
            }
        }
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use crate::serve::{self, Limits};
    use axum::{Router, routing::get};
    use std::{net::SocketAddr, time::Duration};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        time::{Instant, timeout},
    };
    use tokio_util::sync::CancellationToken;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    const HALF: &[u8] = b"GET / HTTP/1.1\r\nHost:";
    /// Far beyond what a machine stands still.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(500);
    const NEVER: Duration = Duration::from_secs(3_600);

    async fn server(limits: Limits) -> SocketAddr {
        let listener = serve::bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        let address = listener.local_addr().expect("bound");
        let large = || async { "x".repeat(1 << 20) };
        let router = Router::new().route("/", get(|| async { "ok" })).route("/large", get(large));
        tokio::spawn(serve::run(listener, router, limits, CancellationToken::new()));
        address
    }

    async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(bytes).await.expect("sent");
        stream
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut buffer = [0; 4_096];
        let read = timeout(LONG, stream.read(&mut buffer)).await.expect("an answer").expect("an answer");
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }

    /// Waits until the server ends the connection.
    async fn is_cut(mut stream: TcpStream) {
        let end = async {
            let mut buffer = vec![0; 65_536];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        };
        timeout(LONG, end).await.expect("the connection is ended");
    }

    #[tokio::test]
    async fn clients_that_never_read_give_their_places_back() {
        let limits = Limits { max_connections: 3, write_timeout: SHORT, ..Limits::default() };
        let address = server(limits).await;
        let many = b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n".repeat(64);
        let mut deaf = Vec::new();
        for _ in 0..3 {
            deaf.push(connect(address, &many).await);
        }
        let mut good = connect(address, ASK).await;
        assert!(answer(&mut good).await.starts_with("HTTP/1.1 200"));
        drop(deaf);
    }

    #[tokio::test]
    async fn a_slow_reader_that_goes_on_is_served_to_the_end() {
        let address = server(Limits { write_timeout: SHORT, ..Limits::default() }).await;
        let mut slow = connect(address, b"GET /large HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").await;
        let (mut read, mut buffer) = (0, vec![0; 65_536]);
        let began = Instant::now();
        loop {
            match slow.read(&mut buffer).await.expect("the server goes on") {
                0 => break,
                more => read += more,
            }
            // Slowly until the limit is over, as long as every single wait is below it.
            if began.elapsed() < SHORT * 2 {
                tokio::time::sleep(SHORT / 5).await;
            }
        }
        assert!(read > 1 << 20, "{read} bytes");
        assert!(began.elapsed() > SHORT, "longer than the limit altogether");
    }

    #[tokio::test]
    async fn a_head_has_its_limit_and_silence_another() {
        let limits = Limits { header_timeout: SHORT, idle_timeout: NEVER, ..Limits::default() };
        let address = server(limits).await;
        is_cut(connect(address, HALF).await).await;
        is_cut(connect(address, b"").await).await;
        // An answered connection may be silent for longer than a head may take.
        let mut kept = connect(address, ASK).await;
        let said = answer(&mut kept).await.to_ascii_lowercase();
        assert!(said.contains("keep-alive: timeout=3600"), "{said}");
        tokio::time::sleep(SHORT * 3).await;
        kept.write_all(ASK).await.expect("still open");
        assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
        // But a second head has the first one's limit.
        kept.write_all(HALF).await.expect("still open");
        is_cut(kept).await;
    }

    #[tokio::test]
    async fn a_silent_connection_is_ended_after_the_time_that_was_said() {
        let address = server(Limits { idle_timeout: SHORT, ..Limits::default() }).await;
        let mut kept = connect(address, ASK).await;
        assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
        is_cut(kept).await;
    }

    #[tokio::test]
    async fn a_body_that_nobody_wants_is_read_before_the_answer() {
        let address = server(Limits::default()).await;
        let head = "POST /none HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 900000\r\n\r\n";
        for path in ["/none", "/"] {
            let mut stream = connect(address, head.replace("/none", path).as_bytes()).await;
            stream.write_all(&vec![b' '; 900_000]).await.expect("every byte is taken");
            let said = answer(&mut stream).await;
            assert!(said.starts_with("HTTP/1.1 404") || said.starts_with("HTTP/1.1 405"), "{said}");
            is_cut(stream).await;
        }
        // One that waits to be asked for its body is not asked.
        let expects = "POST /none HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
        let mut stream = connect(address, expects.as_bytes()).await;
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 404"));
    }
}

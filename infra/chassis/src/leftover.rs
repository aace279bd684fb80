//! Bodies that nobody asked for: read and thrown away before the answer, up to a limit. A client that is still sending
//! would find its connection reset, and never read why it was refused.

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap,
    body::{Frame, Incoming, SizeHint},
    header::{CONTENT_LENGTH, EXPECT},
};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};

/// Of an unread body, thrown away before the answer, in bytes; beyond it the connection is closed.
pub const MAX_DISCARDED_BYTES: usize = 1_024 * 1_024;
/// For all of it.
pub const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte for so long the answer leaves: its client waits for it.
pub const DISCARD_PAUSE: Duration = Duration::from_secs(1);

/// A body on loan: whoever drops it untouched gives it back.
pub(crate) struct Loan {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// Where an untouched body comes back.
pub(crate) struct Leftover(Option<oneshot::Receiver<Incoming>>);

/// Lends a body; nothing comes back where it is empty, too long, or only sent if it is asked for.
pub(crate) fn lend(headers: &HeaderMap, body: Incoming) -> (Loan, Leftover) {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let is_short = declared.is_none_or(|length| length <= MAX_DISCARDED_BYTES as u64);
    let comes_back = is_short && !body.is_end_stream() && !headers.contains_key(EXPECT);
    let (back, leftover) = comes_back.then(oneshot::channel).unzip();
    (Loan { body: Some(body), back }, Leftover(leftover))
}

impl Leftover {
    /// Throws away what came back.
    pub(crate) async fn discard(self) {
        let Some(mut body) = self.0.and_then(|mut back| back.try_recv().ok()) else { return };
        let discard = async {
            let mut length = 0;
            while let Ok(Some(Ok(frame))) = timeout(DISCARD_PAUSE, body.frame()).await {
                length += frame.data_ref().map_or(0, Bytes::len);
                if length > MAX_DISCARDED_BYTES {
                    return;
                }
            }
        };
        let _ = timeout(DISCARD_TIMEOUT, discard).await;
    }
}

impl HttpBody for Loan {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.back = None; // Whoever reads it has limits of its own.
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            let _ = back.send(body);
        }
    }
}

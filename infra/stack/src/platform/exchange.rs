//! HTTP/1.1 as far as a partner needs it: one request after the other, bodies of a known length.
//!
//! Head and body are bounded; what is longer or no HTTP ends the connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Longest body, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Most headers.
const MAX_HEADERS: usize = 64;
/// How long a connection may say nothing.
const IDLE: Duration = Duration::from_secs(120);

/// A request, as far as it is looked at.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// `Idempotency-Key`; empty when there is none.
    pub(super) key: String,
    pub(super) body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// One more header and its value.
    pub(super) header: Option<(&'static str, String)>,
    /// JSON.
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: impl ToString) -> Self {
        Self { status, header: None, body: body.to_string() }
    }

    pub(super) fn with(self, name: &'static str, value: impl ToString) -> Self {
        Self { header: Some((name, value.to_string())), ..self }
    }

    /// The bytes on the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let more = self.header.as_ref().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!(
            "HTTP/1.1 {} Partner\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n{}",
            self.status,
            more.unwrap_or_default(),
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

/// A connection and what was read beyond the last request.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    stream: &'a TcpStream,
    read: Vec<u8>,
}

/// A head that is whole: the request without its body, how long the head is, how long the body.
type Head = (Request, usize, usize);

impl<'a> Exchange<'a> {
    pub(super) fn on(stream: &'a TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// The next request; none when the other side is done.
    pub(super) fn next(&mut self) -> io::Result<Option<Request>> {
        let (mut request, head, length) = loop {
            if let Some(head) = parse(&self.read)? {
                break head;
            }
            if self.read.len() > MAX_HEAD {
                return Err(io::Error::other("a head without an end"));
            }
            if self.more()? == 0 {
                return Ok(None);
            }
        };
        while self.read.len() < head + length {
            if self.more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.read.split_off(head + length);
        request.body = self.read.split_off(head);
        self.read = rest;
        Ok(Some(request))
    }

    fn more(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 8 * 1024];
        let length = self.stream.read(&mut chunk)?;
        self.read.extend_from_slice(&chunk[..length]);
        Ok(length)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}

/// The head, if it is whole.
fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    if header("Transfer-Encoding").is_some() {
        return Err(io::Error::other("a body of unknown length"));
    }
    let body = match header("Content-Length").map(|text| text.parse::<usize>()) {
        None => 0,
        Some(Ok(body)) if body <= MAX_BODY => body,
        Some(_) => return Err(io::Error::other("a body that is too long")),
    };
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: head.path.unwrap_or_default().to_owned(),
        key: header("Idempotency-Key").unwrap_or_default(),
        body: Vec::new(),
    };
    Ok(Some((request, length, body)))
}

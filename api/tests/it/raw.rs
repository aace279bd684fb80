//! A connection by hand: half requests, lying lengths, silence.

use crate::client::Answer;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Bytes on a wire.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Connects and sends these bytes.
    pub(crate) async fn with(address: SocketAddr, bytes: &[u8]) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(bytes).await;
        raw
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next answer; `None` where the server says nothing for that long, or closes instead.
    pub(crate) async fn answer(&mut self, within: Duration) -> Option<Answer> {
        timeout(within, self.read()).await.ok().flatten()
    }

    async fn read(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let answer = parse(head, body);
                let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
                if body.len() >= length {
                    return Some(answer);
                }
            }
            if self.0.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Whether the server closes the connection within that time, whatever it says before.
    pub(crate) async fn is_cut(&mut self, within: Duration) -> bool {
        let drain = async {
            let mut buffer = [0; 1_024];
            // An error is an end, too.
            while self.0.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        };
        timeout(within, drain).await.is_ok()
    }
}

fn parse(head: &str, body: &str) -> Answer {
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse().unwrap();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    Answer { what: "by hand".into(), status, headers, text: body.to_owned() }
}

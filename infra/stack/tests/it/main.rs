//! The services for real: started, killed, frozen, started again.
//!
//! Each test has services of its own on leased ports; the default stack is not touched.

#![expect(clippy::unwrap_used, reason = "a test's own tools fail the test")]

mod architecture;
mod brokers;
mod command_line;
mod databases;
mod drills;
mod faults;
mod front;
mod operators;
mod programs;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends bytes to a port of 127.0.0.1 and returns the first bytes that come back; `None` when nothing does
/// within that time.
fn exchange_bytes(port: u16, bytes: &[u8], within: Duration) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(within)).ok()?;
    stream.write_all(bytes).ok()?;
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).ok()?;
    answer.truncate(length);
    Some(answer)
}

/// As [`exchange_bytes`], as text.
fn exchange(port: u16, bytes: &[u8], within: Duration) -> Option<String> {
    exchange_bytes(port, bytes, within).map(|answer| String::from_utf8_lossy(&answer).into_owned())
}

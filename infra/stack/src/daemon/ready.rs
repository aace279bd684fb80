//! When a program counts as started: it answers its own protocol, an open port is not enough.
//!
//! A probe must never wait longer than two seconds, so that a program that dies while starting is seen.

use crate::http;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Deadline of one exchange with a program.
const PROBE: Duration = Duration::from_secs(2);
/// An answer longer than this is not one that we asked for, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How to ask a program whether it is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Ready {
    /// It need only run.
    Running,
    /// A GET answers 200.
    Http {
        /// The address to ask.
        url: String,
    },
    /// `PING` is answered by `+PONG`.
    Redis {
        /// Port on 127.0.0.1.
        port: u16,
    },
    /// `mysqladmin ping` succeeds over TCP, and then the statements run (they must be repeatable).
    MySql {
        /// The folder with `mysql` and `mysqladmin`.
        programs: PathBuf,
        /// Port on 127.0.0.1.
        port: u16,
        /// SQL for root to run.
        then: String,
    },
    /// The broker answers a Metadata request and lists itself, which it does once it is unfenced.
    Kafka {
        /// Port on 127.0.0.1.
        port: u16,
        /// The broker's `node.id`.
        node: i32,
    },
}

impl Ready {
    /// Asks once.
    ///
    /// # Errors
    /// Why it is not ready, in a few words.
    pub fn probe(&self) -> Result<(), String> {
        match self {
            Self::Running => Ok(()),
            Self::Http { url } => match http::get_within(url, PROBE)? {
                answer if answer.status == 200 => Ok(()),
                answer => Err(format!("GET {url} answers {}", answer.status)),
            },
            Self::Redis { port } => redis_ping(*port),
            Self::MySql { programs, port, then } => mysql(programs, *port, then),
            Self::Kafka { port, node } => match kafka_nodes(*port) {
                Ok(nodes) if nodes.contains(node) => Ok(()),
                Ok(nodes) => Err(format!("broker {node} is not among {nodes:?} yet")),
                Err(error) => Err(format!("no metadata on port {port}: {error}")),
            },
        }
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PROBE)?;
    stream.set_read_timeout(Some(PROBE))?;
    stream.set_write_timeout(Some(PROBE))?;
    Ok(stream)
}

fn redis_ping(port: u16) -> Result<(), String> {
    let ask = || -> io::Result<[u8; 5]> {
        let mut stream = connect(port)?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if &answer == b"+PONG" => Ok(()),
        Ok(answer) => Err(format!("PING answers {}", String::from_utf8_lossy(&answer))),
        Err(error) => Err(format!("no PONG on port {port}: {error}")),
    }
}

fn mysql(programs: &std::path::Path, port: u16, then: &str) -> Result<(), String> {
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(programs.join(program))
            .args(["-uroot", "-h127.0.0.1", "--connect-timeout=2"])
            .arg(format!("-P{port}"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program}: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    };
    // A refused connection costs microseconds, a client program costs a process: look first.
    connect(port).map_err(|error| format!("no connection to port {port}: {error}"))?;
    run("mysqladmin", &["ping"])?;
    run("mysql", &["-e", then])
}

/// The node ids in a broker's answer to Metadata version 4 with no topics (the last plain version that
/// every broker speaks and that lists only unfenced brokers).
fn kafka_nodes(port: u16) -> io::Result<Vec<i32>> {
    const METADATA_V4: [u8; 19] = [
        0, 0, 0, 15, // size of what follows
        0, 3, 0, 4, // api key 3 (Metadata), version 4
        0, 0, 0, 1, // correlation id
        0xff, 0xff, // no client id
        0, 0, 0, 0, // no topics
        0, // do not create topics
    ];
    let mut stream = connect(port)?;
    stream.write_all(&METADATA_V4)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    if size > MAX_ANSWER {
        return Err(io::Error::other("that is no Kafka broker"));
    }
    let mut body = vec![0; size];
    stream.read_exact(&mut body)?;
    parse_nodes(&body).ok_or_else(|| io::Error::other("that is no answer to Metadata"))
}

/// Correlation id, throttle time, then the brokers: id, host, port, rack.
fn parse_nodes(body: &[u8]) -> Option<Vec<i32>> {
    let mut rest = body.get(8..)?;
    let count = take_i32(&mut rest)?;
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(take_i32(&mut rest)?);
        skip_string(&mut rest)?;
        take_i32(&mut rest)?;
        skip_string(&mut rest)?;
    }
    Some(nodes)
}

fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(i32::from_be_bytes(*head))
}

fn skip_string(bytes: &mut &[u8]) -> Option<()> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    // A length of -1 is a null string.
    let length = usize::try_from(i16::from_be_bytes(*head)).unwrap_or(0);
    *bytes = rest.get(length..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_out_of_a_metadata_answer() {
        let mut body = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        for node in [1, 3] {
            body.extend([0, 0, 0, node, 0, 2, b'a', b'b', 0, 0, 1, 1, 0xff, 0xff]);
        }
        assert_eq!(parse_nodes(&body), Some(vec![1, 3]));
        assert_eq!(parse_nodes(&body[..body.len() - 1]), None);
        assert_eq!(parse_nodes(&[]), None);
    }

    #[test]
    fn a_closed_port_is_not_ready() {
        let said = Ready::Redis { port: 1 }.probe().unwrap_err();
        assert!(said.starts_with("no PONG on port 1"), "{said}");
    }
}

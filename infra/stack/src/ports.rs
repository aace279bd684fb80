//! Which ports are used: fixed ones for a stack, leased ones for tests.
//!
//! Every listener stays below 32768. Above lies the range that the kernel gives to outgoing connections:
//! a readiness probe to a port nobody listens on yet can connect to itself there, and then takes it.

mod holder;
mod lease;

pub use holder::holder;
pub use lease::{Lease, lease};

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// First port of the range that the kernel gives to outgoing connections.
pub const EPHEMERAL: u16 = 32768;

/// First of the partner's two fixed ports.
const PLATFORM: u16 = 15_080;

/// The ports of one broker, all on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broker {
    /// Where clients and other brokers connect.
    pub client: u16,
    /// Where controllers talk.
    pub controller: u16,
}

/// The fixed ports of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One entry per broker.
    pub brokers: Vec<Broker>,
    /// MySQL.
    pub mysql: u16,
    /// Redis.
    pub redis: u16,
    /// The registry's API.
    pub registry: u16,
    /// The registry's health and metrics.
    pub registry_management: u16,
    /// What clients of the API use: an API process, or nginx when there are several.
    pub public: [u16; 2],
    /// First of the ports of API processes behind nginx.
    pub api: u16,
    /// First of the admin ports of API processes.
    pub api_admin: u16,
    /// First of the admin ports of consumers.
    pub consumers_admin: u16,
    /// Where the partner is called.
    #[serde(default = "fixed_platform")]
    pub platform: u16,
    /// Where the partner is controlled.
    #[serde(default = "fixed_platform_control")]
    pub platform_control: u16,
}

/// For a stack that was brought up before there was a partner: it gets one at the next `up`.
fn fixed_platform() -> u16 {
    PLATFORM
}

fn fixed_platform_control() -> u16 {
    PLATFORM + 1
}

impl Plan {
    /// The fixed ports, moved by `$TIDEMARK_PORT_BASE` (an offset, 0 when not set).
    ///
    /// # Errors
    /// The variable is no number, or moves a port out of the usable range.
    pub fn fixed(brokers: u16) -> Result<Self> {
        let shift = match std::env::var("TIDEMARK_PORT_BASE") {
            Ok(text) if !text.is_empty() => text.parse().map_err(|_| {
                Error::prepare(format!(
                    "set TIDEMARK_PORT_BASE to the number to add to every port, not to '{text}'"
                ))
            })?,
            _ => 0,
        };
        Self::shifted(brokers, shift)
    }

    /// Leased ports, for a stack that lives beside others; they are ours as long as the leases live.
    ///
    /// # Errors
    /// Too few ports are free.
    pub fn leased(brokers: u16) -> Result<(Self, Vec<Lease>)> {
        let mut leases = Vec::new();
        let mut port = || -> Result<u16> {
            leases.push(lease()?);
            Ok(leases.last().map(Lease::port).unwrap_or_default())
        };
        let mut pairs = Vec::new();
        for _ in 0..brokers {
            pairs.push(Broker { client: port()?, controller: port()? });
        }
        let plan = Self {
            brokers: pairs,
            mysql: port()?,
            redis: port()?,
            registry: port()?,
            registry_management: port()?,
            public: [port()?, port()?],
            api: port()?,
            api_admin: port()?,
            consumers_admin: port()?,
            platform: port()?,
            platform_control: port()?,
        };
        Ok((plan, leases))
    }

    /// The fixed ports plus `shift`.
    ///
    /// # Errors
    /// A port would reach the range of outgoing connections.
    pub fn shifted(brokers: u16, shift: u16) -> Result<Self> {
        let port = |base: u16| {
            base.checked_add(shift).filter(|port| *port < EPHEMERAL).ok_or_else(|| {
                Error::prepare(format!(
                    "lower TIDEMARK_PORT_BASE: port {base} plus {shift} is not below {EPHEMERAL}"
                ))
            })
        };
        let broker = |n| -> Result<Broker> {
            Ok(Broker { client: port(19092 + 2 * n)?, controller: port(19093 + 2 * n)? })
        };
        Ok(Self {
            brokers: (0..brokers).map(broker).collect::<Result<_>>()?,
            mysql: port(13306)?,
            redis: port(16379)?,
            registry: port(18081)?,
            registry_management: port(18082)?,
            public: [port(3000)?, port(8080)?],
            api: port(13001)?,
            api_admin: port(13101)?,
            consumers_admin: port(13201)?,
            platform: port(fixed_platform())?,
            platform_control: port(fixed_platform_control())?,
        })
    }
}

/// Whether a listener on 127.0.0.1 would get that port.
pub fn is_free(port: u16) -> bool {
    bind(port).is_ok()
}

/// Binds and does not listen. A process that another thread is starting holds copies of all our sockets until it has become
/// its program, and the copy of one that listened would make the port look busy to the next who asks.
fn bind(port: u16) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
}

/// Refuses a busy port, naming who holds it.
///
/// # Errors
/// Somebody listens there; the sentence says who, as far as `/proc` tells, and what to do.
pub fn require_free(port: u16, for_what: &str) -> Result<()> {
    if is_free(port) {
        return Ok(());
    }
    let who = match holder(port) {
        Some(holder) => format!("process {} ({})", holder.pid, holder.command),
        None => "a process that /proc does not show".to_owned(),
    };
    Err(Error::prepare(format!(
        "free port {port}, which {for_what} needs and {who} holds, or set TIDEMARK_PORT_BASE to move all ports"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::TcpListener;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn three_brokers_share_no_port_and_a_shift_moves_all() {
        let plan = Plan::shifted(3, 100).unwrap();
        assert_eq!(plan.brokers[0].client, 19192);
        assert_eq!((plan.mysql, plan.public), (13406, [3100, 8180]));
        let all: Vec<u16> = plan
            .brokers
            .iter()
            .flat_map(|broker| [broker.client, broker.controller])
            .chain([plan.mysql, plan.redis, plan.registry, plan.registry_management])
            .chain([plan.platform, plan.platform_control])
            .collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(Plan::shifted(1, 20_000).is_err());
        assert!(Plan::shifted(1, u16::MAX).is_err());
    }

    #[test]
    fn asking_for_a_port_does_not_make_it_busy_while_processes_are_started() {
        let lease = lease().unwrap();
        let done = AtomicBool::new(false);
        let busy = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!(Command::new("true").status().unwrap().success());
                }
            });
            let busy = (0..5_000).filter(|_| !is_free(lease.port())).count();
            done.store(true, Ordering::Relaxed);
            busy
        });
        assert_eq!(busy, 0);
        let _listener = TcpListener::bind(("127.0.0.1", lease.port())).unwrap();
        assert!(!is_free(lease.port()));
    }

    #[test]
    fn a_busy_port_names_its_holder() {
        let lease = lease().unwrap();
        let _listener = TcpListener::bind(("127.0.0.1", lease.port())).unwrap();
        let said = require_free(lease.port(), "mysql").unwrap_err().to_string();
        assert!(said.contains(&format!("port {}", lease.port())), "{said}");
        assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
    }
}

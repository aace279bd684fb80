//! Free ports for private instances, without two test processes taking the same one.
//!
//! A port is leased by a locked file in the temporary folder; the lock goes when its holder ends, however
//! it ends. It must never hand out a port that is in use, leased or not.

use super::is_free;
use crate::error::{Doing, Error, Result};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// First port that is leased.
const FIRST: u16 = 20_000;
/// How many ports are leased at most.
const COUNT: u16 = 10_000;

/// A port of ours until dropped.
#[derive(Debug)]
pub struct Lease {
    port: u16,
    _file: File,
}

impl Lease {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Leases a free port between 20000 and 29999.
///
/// # Errors
/// The folder of the leases cannot be used, or all ports are taken.
pub fn lease() -> Result<Lease> {
    // Processes begin at different places, so that they rarely try the same port.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let folder = folder()?;
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let step = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(step % u32::from(COUNT)).unwrap_or(0);
        let path = folder.join(format!("{port}.lock"));
        let file = File::create(&path).doing(|| format!("open {}", path.display()))?;
        if file.try_lock().is_ok() && is_free(port) {
            return Ok(Lease { port, _file: file });
        }
    }
    Err(Error::prepare(format!("stop some processes: no port from {FIRST} to {} is free", FIRST + COUNT - 1)))
}

fn folder() -> Result<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("tidemark-ports-{user}"));
    fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn leased_ports_are_distinct_and_below_the_ephemeral_range() {
        let leases: Vec<Lease> = (0..50).map(|_| lease().unwrap()).collect();
        let ports: HashSet<u16> = leases.iter().map(Lease::port).collect();
        assert_eq!(ports.len(), leases.len());
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)));
    }

    #[test]
    fn a_lease_is_seen_by_other_openers_of_the_lock() {
        let lease = lease().unwrap();
        let other = File::open(folder().unwrap().join(format!("{}.lock", lease.port()))).unwrap();
        assert!(other.try_lock().is_err());
        drop(lease);
        other.try_lock().unwrap();
    }
}

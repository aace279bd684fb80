//! Who listens on a port, read from `/proc/net/tcp` and the open files of all processes.
//!
//! It must never fail: without permission to look, nobody is named.

use std::fs;

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its pid.
    pub pid: u32,
    /// Its command line, cut after 80 characters.
    pub command: String,
}

/// The process that listens on that port, if `/proc` tells.
pub fn holder(port: u16) -> Option<Holder> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listener_inode(&table, port).map(str::to_owned))?;
    let socket = format!("socket:[{inode}]");
    let pid = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds(*pid, &socket))?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Holder { pid, command: command.trim().chars().take(80).collect() })
}

fn holds(pid: u32, socket: &str) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|files| {
        files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.as_os_str() == socket)
    })
}

/// The inode of the socket in state LISTEN (0A) on that port.
fn listener_inode(table: &str, port: u16) -> Option<&str> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A";
        listens.then_some(*fields.get(9)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listener_counts_not_a_connection_from_that_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:4B14 0100007F:0050 01 0:0 00:0 0 0 0 111 1\n\
             1: 0100007F:4B14 00000000:0000 0A 0:0 00:0 0 0 0 222 1\n";
        assert_eq!(listener_inode(table, 0x4B14), Some("222"));
        assert_eq!(listener_inode(table, 80), None);
    }
}

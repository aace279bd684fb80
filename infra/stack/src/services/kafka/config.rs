//! A broker's `server.properties`.
//!
//! It must never leave a replication factor at its default of three when there is one broker: the internal
//! topics would wait for ever.

use super::{KafkaOptions, local};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A second listener, for clients behind a proxy. Kafka's clients connect to the *advertised* address, so a
/// proxy in front of the first listener would only ever see the first connection.
#[derive(Debug, Clone, Copy)]
pub struct Proxied {
    /// The port the broker listens on, which is the proxy's target.
    pub listen: u16,
    /// The proxy's own address.
    pub advertised: SocketAddr,
}

/// Limits that let a cluster notice a lost or frozen broker within about three seconds, from the
/// measurements of three brokers with killed and frozen leaders.
const QUICK_FAILOVER: &str = "\
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.timeout.ms=500
controller.quorum.election.backoff.max.ms=500
";

/// Kafka refuses a session timeout below six seconds unless told otherwise. Tests and drills that wait until the
/// session of a frozen or killed consumer has ended would do nothing else for most of their time.
const SHORT_SESSIONS: &str = "group.min.session.timeout.ms=1000\n";

/// `node.id` of the broker at that index.
pub(super) fn node(index: usize) -> i32 {
    i32::try_from(index).map_or(i32::MAX, |index| index + 1)
}

/// Where a broker keeps its log.
pub(super) fn log_dir(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// Kafka's way to write a UUID: base64 for addresses, without padding. The first byte is cleared so that
/// it never starts with a dash, which the command line would take for an option.
pub(super) fn uuid(random: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = random.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first &= 0x7f;
    }
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..=chunk.len() {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[value as usize]));
        }
    }
    text
}

/// The whole file of the broker at that index.
pub(super) fn render(options: &KafkaOptions, index: usize, folder: &Path) -> String {
    let count = options.brokers.len();
    let ports = options.brokers[index];
    let (client, controller) = (local(ports.client), local(ports.controller));
    let voters: Vec<String> = options
        .brokers
        .iter()
        .enumerate()
        .map(|(index, broker)| format!("{}@{}", node(index), local(broker.controller)))
        .collect();
    let mut listeners = format!("PLAINTEXT://{client},CONTROLLER://{controller}");
    let mut advertised = format!("PLAINTEXT://{client}");
    if let Some(proxied) = options.proxied.get(index) {
        listeners += &format!(",PROXIED://{}", local(proxied.listen));
        advertised += &format!(",PROXIED://{}", proxied.advertised);
    }
    // Two of three in sync: one broker may go and an acknowledged record is still on two disks.
    let in_sync = if count == 1 { 1 } else { 2 };
    let mut text = format!(
        "# made by stack; changes are overwritten
process.roles=broker,controller
node.id={}
controller.quorum.voters={}
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={}
log.message.timestamp.type=LogAppendTime
auto.create.topics.enable=false
default.replication.factor={count}
min.insync.replicas={in_sync}
unclean.leader.election.enable=false
offsets.topic.replication.factor={count}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={count}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor={count}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
num.network.threads=3
num.io.threads=8
",
        node(index),
        voters.join(","),
        log_dir(folder).display(),
    );
    text += QUICK_FAILOVER;
    text += SHORT_SESSIONS;
    for (name, value) in &options.extra {
        // The last line of a name wins in a properties file. Writing to a String cannot fail.
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Plan;

    fn options(brokers: u16) -> KafkaOptions {
        KafkaOptions {
            brokers: Plan::shifted(brokers, 0).unwrap().brokers,
            throughput: false,
            proxied: Vec::new(),
            extra: Vec::new(),
        }
    }

    fn line<'a>(text: &'a str, name: &str) -> &'a str {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn one_broker_replicates_nothing_and_three_survive_one() {
        let one = render(&options(1), 0, Path::new("/d"));
        assert_eq!(line(&one, "offsets.topic.replication.factor"), "1");
        assert_eq!(line(&one, "min.insync.replicas"), "1");
        assert_eq!(line(&one, "log.message.timestamp.type"), "LogAppendTime");
        assert_eq!(line(&one, "group.min.session.timeout.ms"), "1000");
        let third = render(&options(3), 2, Path::new("/d"));
        assert_eq!(line(&third, "node.id"), "3");
        assert_eq!(line(&third, "offsets.topic.replication.factor"), "3");
        assert_eq!(line(&third, "min.insync.replicas"), "2");
        assert_eq!(
            line(&third, "controller.quorum.voters"),
            "1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097"
        );
    }

    #[test]
    fn clients_behind_a_proxy_are_told_the_proxys_address() {
        let mut options = options(1);
        options.proxied = vec![Proxied { listen: 20_001, advertised: local(20_002) }];
        let text = render(&options, 0, Path::new("/d"));
        assert!(line(&text, "listeners").ends_with(",PROXIED://127.0.0.1:20001"));
        assert!(line(&text, "advertised.listeners").ends_with(",PROXIED://127.0.0.1:20002"));
    }

    #[test]
    fn a_uuid_has_22_digits_and_never_starts_like_an_option() {
        assert_eq!(uuid(&[0xff; 16]), format!("f{}w", "_".repeat(20)));
        assert_eq!(uuid(&[0; 16]), "A".repeat(22));
    }
}

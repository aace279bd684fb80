//! The real programs while they wait for brokers that never come: what their admin listeners say, and how they end.

use crate::{client::Call, patience::until, raw::Raw, run};
use stack::process::binary;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::net::TcpStream;

/// Far beyond what a machine stands still.
const LONG: Duration = Duration::from_secs(60);
/// File descriptors of a process that has too few of them.
const FEW: u64 = 100;
/// For how long it is watched.
const WATCHED: Duration = Duration::from_secs(2);
/// Clock ticks of a process in one second (`USER_HZ`).
const TICKS_IN_A_SECOND: u64 = 100;

struct Waiting {
    process: Child,
    admin: SocketAddr,
    public: SocketAddr,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Waiting {
    /// Starts a program whose brokers are away; nothing but a signal ends it.
    fn start(program: &str, argument: &str, ip: IpAddr) -> Self {
        let address = || SocketAddr::new(ip, stack::ports::lease().unwrap().port());
        let (admin, public) = (address(), address());
        let path = binary(program).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {FEW}; exec {} {argument}", path.display())]);
        for (name, value) in [
            ("KAFKA", "127.0.0.1:1".to_owned()),
            ("KAFKA_WAIT_MS", "3600000".to_owned()),
            ("ADMIN_LISTEN", admin.to_string()),
            ("LISTEN", public.to_string()),
            ("ADMIN_TOKEN", "t".to_owned()),
            ("EMAIL_KEY", "11".repeat(32)),
            ("FINGERPRINT_KEY", "22".repeat(32)),
            ("SESSION_KEY", "33".repeat(32)),
        ] {
            command.env(format!("TIDEMARK_{name}"), value);
        }
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { process, admin, public }
    }

    async fn until_healthy(&self) {
        let health = async || Call::new("GET", self.admin, "/health").seen(200).await;
        until("health is answered", LONG, health).await;
    }

    fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Ticks of the clock that it has computed so far.
    fn ticks(&self) -> u64 {
        let said = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = said.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

#[test]
fn a_process_that_waits_for_its_brokers_says_so_and_ends_when_it_is_told() {
    run(async {
        let (four, six) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        for (program, argument, ip) in [("api", "", four), ("api", "", six), ("consumers", "run", six)] {
            let mut waiting = Waiting::start(program, argument, ip);
            waiting.until_healthy().await;
            let said = Call::new("GET", waiting.admin, "/ready").expect(503).await.json();
            let reason = said["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("127.0.0.1:1") && reason.contains("TIDEMARK_KAFKA"), "{said}");
            assert!(TcpStream::connect(waiting.public).await.is_err(), "nobody is let in yet");
            // Twice, for nobody knows what the first one did; not reaped yet, it is still there for the second.
            waiting.terminate();
            waiting.terminate();
            let ended =
                until("it ends", LONG, async || waiting.process.try_wait().unwrap().ok_or("it runs")).await;
            assert!(ended.success(), "{program}: {ended:?}");
        }
    });
}

#[test]
fn a_process_without_file_descriptors_does_not_spin_and_serves_again() {
    run(async {
        let waiting = Waiting::start("api", "", Ipv4Addr::LOCALHOST.into());
        waiting.until_healthy().await;
        let ask = b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n";
        let mut held = Vec::new();
        for _ in 0..FEW {
            held.push(Raw::with(waiting.admin, ask).await);
        }
        let mut last = held.pop().unwrap();
        assert!(last.answer(Duration::from_millis(500)).await.is_none(), "there is none left for it");
        let before = waiting.ticks();
        tokio::time::sleep(WATCHED).await;
        // Of one processor: a loop that spins takes all of it, and a busy machine only makes it less.
        let most = WATCHED.as_secs() * TICKS_IN_A_SECOND / 2;
        let computed = waiting.ticks() - before;
        assert!(computed < most, "{computed} ticks of {}", most * 2);
        drop(held);
        assert_eq!(last.answer(LONG).await.expect("an answer").status, 200);
    });
}

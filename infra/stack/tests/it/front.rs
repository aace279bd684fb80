//! nginx in front of two servers.

use super::exchange;
use stack::{http, private, services::Nginx};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// A path that no server can serve just now.
const UNAVAILABLE: &str = "/unavailable";

/// A path whose answer is the retry key itself.
const SHOW_KEY: &str = "/key";

/// A server that answers every request with its name and the retry key it was sent, [`UNAVAILABLE`] with 503.
fn server(name: &'static str) -> u16 {
    counting(name, Arc::default())
}

/// The same; it counts what it is asked.
fn counting(name: &'static str, asked: Arc<AtomicUsize>) -> u16 {
    let lease = stack::ports::lease().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", lease.port())).unwrap();
    let port = lease.port();
    std::thread::spawn(move || {
        let _lease = lease;
        for mut stream in listener.incoming().flatten() {
            let asked = asked.clone();
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    let request = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
                    let key = request.lines().find_map(|line| line.strip_prefix("x-retry-key: "));
                    let key = if request.contains(SHOW_KEY) { key } else { key.map(|_| "true") };
                    let body = format!("{name} {}", key.unwrap_or("false"));
                    let status = if request.contains(UNAVAILABLE) { "503 Unavailable" } else { "200 OK" };
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn unused_port() -> u16 {
    stack::ports::lease().unwrap().port()
}

fn post(port: u16, length: usize) -> String {
    let mut request =
        format!("POST /x HTTP/1.1\r\nHost: n\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            .into_bytes();
    request.extend(vec![b'a'; length]);
    exchange(port, &request, SOON).unwrap()
}

#[test]
fn a_dead_server_is_skipped_also_for_posts_and_the_retry_key_is_sent() {
    let nginx = private::nginx(vec![server("one"), unused_port()]).unwrap();
    for _ in 0..10 {
        let said = post(nginx.launch().port, 10);
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("one true"), "{said}");
    }
}

#[test]
fn what_no_server_can_serve_takes_nothing_else_away() {
    let nginx = private::nginx(vec![server("one"), server("two"), server("three")]).unwrap();
    let url = nginx.url();
    for _ in 0..10 {
        let refused = http::get(&format!("{url}{UNAVAILABLE}")).unwrap();
        assert_eq!((refused.status, refused.body.ends_with(" true")), (503, true), "{}", refused.body);
        let said = post(nginx.launch().port, 10);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
}

#[test]
fn an_answer_that_says_no_is_final() {
    let asked = Arc::new(AtomicUsize::new(0));
    let nginx =
        private::nginx(["one", "two", "three"].map(|name| counting(name, asked.clone())).to_vec()).unwrap();
    for _ in 0..8 {
        assert_eq!(http::get(&format!("{}{UNAVAILABLE}", nginx.url())).unwrap().status, 503);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 8, "nobody is asked what another has answered");
}

#[test]
fn of_two_proxies_the_first_ones_retry_key_counts() {
    let keyed = |nginx: &private::Private<Nginx>, key: &str| {
        let request = format!("GET {SHOW_KEY} HTTP/1.1\r\nHost: n\r\n{key}Connection: close\r\n\r\n");
        let said = exchange(nginx.launch().port, request.as_bytes(), SOON).unwrap();
        said.rsplit(' ').next().unwrap().to_owned()
    };
    let own = "X-Retry-Key: theirs\r\n";
    let trusting = private::nginx_behind(vec![server("s")], vec!["127.0.0.0/8".into()]).unwrap();
    assert_eq!(keyed(&trusting, own), "theirs");
    for none in ["", "X-Retry-Key: \r\n"] {
        assert_eq!(keyed(&trusting, none).len(), 32, "its own where there is none");
    }
    let strict = private::nginx(vec![server("s")]).unwrap();
    assert_eq!(keyed(&strict, own).len(), 32, "nobody else's word is taken");
    // The one in front of another: both tries of the first one bear one key.
    let outer = private::nginx(vec![trusting.launch().port]).unwrap();
    assert_eq!(keyed(&outer, own).len(), 32);
}

#[test]
fn its_own_errors_have_the_shape_of_the_api() {
    let nginx = private::nginx(vec![unused_port()]).unwrap();
    let said = post(nginx.launch().port, 10);
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("Retry-After: 1"), "{said}");
    assert!(said.contains(r#"{"errorCode":"UNAVAILABLE","message":""#), "{said}");
    let said = post(nginx.launch().port, 70_000);
    assert!(
        said.starts_with("HTTP/1.1 413") && said.contains(r#""errorCode":"PAYLOAD_TOO_LARGE""#),
        "{said}"
    );
    let said = exchange(nginx.launch().port, b"GET / HTTP/1.1\r\n\r\n", SOON).unwrap();
    assert!(said.starts_with("HTTP/1.1 400") && said.contains(r#""errorCode":"INVALID_REQUEST""#), "{said}");
}

#[test]
fn new_servers_are_taken_over_without_a_restart_and_a_kill_leaves_no_worker() {
    let mut nginx = private::nginx(vec![server("old")]).unwrap();
    let pid = nginx.pid();
    assert_eq!(http::get(&nginx.url()).unwrap().body, "old true");
    nginx.set_upstream(vec![server("new")]).unwrap();
    let deadline = std::time::Instant::now() + SOON;
    while http::get(&nginx.url()).unwrap().body != "new true" {
        assert!(std::time::Instant::now() < deadline, "the new configuration never came");
    }
    assert_eq!(nginx.pid(), pid);
    let workers = nginx.identity().unwrap().children();
    assert!(!workers.is_empty());
    nginx.kill().unwrap();
    nginx.restart().unwrap();
    assert!(workers.iter().all(|worker| !worker.is_alive()));
}

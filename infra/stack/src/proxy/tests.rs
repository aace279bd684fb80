//! An echo server stands behind the proxy; every mode is seen from the client's side.

use super::*;
use std::io::{Read, Write};

const SHORT: Duration = Duration::from_millis(150);

fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    stream.write_all(&buffer[..length]).unwrap();
                }
            });
        }
    });
    address
}

fn client(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).unwrap();
}

fn heard(stream: &mut TcpStream, length: usize) -> String {
    let mut buffer = vec![0; length];
    stream.read_exact(&mut buffer).unwrap();
    String::from_utf8(buffer).unwrap()
}

fn silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let silent = matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    silent
}

#[test]
fn bytes_pass_both_ways_and_the_end_of_a_stream_too() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = client(&proxy);
    ask(&mut stream, "hello");
    assert_eq!(heard(&mut stream, 5), "hello");
    assert_eq!(proxy.open(), 1);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn refused_connections_are_really_refused_and_open_ones_go_on() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut before = client(&proxy);
    ask(&mut before, "one");
    assert_eq!(heard(&mut before, 3), "one");
    proxy.set(Mode::Refuse).unwrap();
    let refused = TcpStream::connect(proxy.addr()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    ask(&mut before, "two");
    assert_eq!(heard(&mut before, 3), "two");
    proxy.set(Mode::Pass).unwrap();
    ask(&mut client(&proxy), "three");
}

#[test]
fn a_cut_ends_open_connections_only() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = client(&proxy);
    ask(&mut stream, "x");
    heard(&mut stream, 1);
    proxy.cut();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(proxy.open(), 0);
    let mut next = client(&proxy);
    ask(&mut next, "y");
    assert_eq!(heard(&mut next, 1), "y");
}

#[test]
fn a_stalled_direction_delivers_everything_once_healed() {
    for mode in [Mode::StallRequests, Mode::StallAnswers] {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = client(&proxy);
        proxy.set(mode).unwrap();
        ask(&mut stream, "late");
        assert!(silent(&mut stream));
        proxy.set(Mode::Pass).unwrap();
        assert_eq!(heard(&mut stream, 4), "late");
    }
}

#[test]
fn a_lost_answer_is_counted_and_its_connection_never_answers_again() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = client(&proxy);
    proxy.set(Mode::DropAnswers).unwrap();
    ask(&mut stream, "paid");
    assert!(silent(&mut stream));
    assert_eq!(proxy.dropped_bytes(), 4);
    proxy.set(Mode::Pass).unwrap();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    let mut next = client(&proxy);
    ask(&mut next, "z");
    assert_eq!(heard(&mut next, 1), "z");
}

#[test]
fn a_delay_is_added_each_way() {
    let proxy = Proxy::start(echo()).unwrap();
    let mut stream = client(&proxy);
    proxy.set(Mode::Delay(SHORT)).unwrap();
    let since = Instant::now();
    ask(&mut stream, "slow");
    assert_eq!(heard(&mut stream, 4), "slow");
    assert!(since.elapsed() >= 2 * SHORT);
}

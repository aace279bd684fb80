//! The gate of a load that another program makes: each of its iterations asks whether to begin, and says when it is over.
//! So a load can be ended at any moment, and no request is cut off that nobody would judge then.

use crate::faults::{SOON, once, wait_seeing};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request's head, in bytes.
const HEAD: usize = 4096;
/// How long its bytes may take.
const READ: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    is_dropped: bool,
    /// Iterations under way. Below zero where one ended that never began: that is never nobody.
    open: i64,
}

/// See the module. It listens until dropped.
pub struct LoadGate {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl LoadGate {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<Mutex<State>>::default());
        let of_thread = state.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.lock().unwrap().is_dropped {
                    break;
                }
                // Whoever went away is asked no more.
                let _ = stream.and_then(|stream| answer(stream, &of_thread));
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// Where iterations ask.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets nobody begin any more, and waits until all who had begun are through.
    pub fn stop(&self) {
        self.state.lock().unwrap().is_over = true;
        let open = || once(self.state.lock().unwrap().open, |open| *open == 0);
        wait_seeing("all iterations of the load are through", SOON, open);
    }
}

impl Drop for LoadGate {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.lock() {
            state.is_dropped = true;
        }
        // Only so that it looks.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ))?;
    let (mut head, mut length) = ([0; HEAD], 0);
    while !head[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut head[length..])? {
            0 => return Ok(()),
            more => length += more,
        }
    }
    let said = {
        let mut state = state.lock().unwrap();
        match &head[..length] {
            head if head.starts_with(b"GET /end ") => {
                state.open -= 1;
                "well"
            }
            _ if state.is_over => "stop",
            _ => {
                state.open += 1;
                "go"
            }
        }
    };
    let length = said.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{said}")
}

#[test]
fn a_load_is_stopped_when_all_who_began_are_through_and_nobody_begins_after_that() {
    let gate = LoadGate::open();
    let ask = |path: &str| stack::http::get(&format!("{}{path}", gate.url())).unwrap().body;
    assert_eq!([ask("/begin"), ask("/begin"), ask("/end")], ["go", "go", "well"]);
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| gate.stop());
        wait_seeing("nobody may begin", SOON, || once(gate.state.lock().unwrap().is_over, |over| *over));
        assert_eq!(ask("/begin"), "stop");
        assert!(!stopped.is_finished(), "one is under way");
        assert_eq!(ask("/end"), "well");
        stopped.join().unwrap();
    });
}

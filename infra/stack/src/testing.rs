//! What integration tests ask for: the services of the stack that runs.
//!
//! It must never start or install anything, nor return quietly when something is missing: a test without
//! its services fails, loudly.

use crate::state::Endpoints;
use crate::{Error, Result, Stack};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

/// The endpoints of the default stack, found by `$TIDEMARK_STACK_DIR` or above `$CARGO_MANIFEST_DIR`.
///
/// # Panics
/// When that stack is not running: run `cargo stack up` first.
pub fn endpoints() -> &'static Endpoints {
    static FOUND: OnceLock<Endpoints> = OnceLock::new();
    FOUND.get_or_init(|| match running() {
        Ok(stack) => stack.endpoints().clone(),
        Err(error) => panic!("run `cargo stack up` first ({error})"),
    })
}

/// The running default stack, for its keys, its folder and its ports.
///
/// # Errors
/// It was never brought up, or one of its services does not run.
pub fn running() -> Result<Stack> {
    let mut stack = Stack::attach(crate::stack::DEFAULT)?;
    for daemon in stack.daemons() {
        let address = crate::services::kafka::local(daemon.launch().port);
        let alive = daemon.is_alive();
        let answers = || TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok();
        if !alive || !answers() {
            return Err(Error::failed(
                format!("run `cargo stack up` again: {} does not run", daemon.name()),
                daemon.log(),
            ));
        }
    }
    Ok(stack)
}

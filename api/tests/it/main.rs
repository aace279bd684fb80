//! The ingress as it runs in production, in this process, against the real services of `cargo stack up`.
//!
//! Each log is founded by the real `consumers init` under a prefix of its own; one log per mode is shared by all
//! tests, which keep out of each other's way by coupons and users of their own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's own tools fail the test")]

mod apply;
mod bad_input;
mod carts;
mod client;
mod condition;
mod edge;
mod history;
mod holes;
mod issue;
mod keys;
mod lists;
mod log;
mod overload;
mod patience;
mod process;
mod quiet;
mod raw;
mod redis_away;
mod requests;
mod secure;
mod server;
mod sessions;
mod shop;
mod signup;
mod slow_clients;
mod start;
mod webhooks;

use std::{future::Future, sync::LazyLock};
use tokio::runtime::Runtime;

/// Runs a test on the one runtime of this binary, because servers that tests share must outlive each of them.
fn run(test: impl Future<Output = ()>) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        // As `main` does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Runtime::new().expect("a runtime")
    });
    RUNTIME.block_on(test);
}

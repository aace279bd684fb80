//! Starts, watches, breaks and stops the real services and our own processes, without Docker.
//!
//! Used by `cargo stack`, by the integration tests of the other crates and by the fault drills.
//! It knows nothing of events, coupons or orders, holds no Kafka or MySQL client, and never matches
//! a process by name: a process is its pid *and* its start time.

pub mod cache;
pub mod daemon;
pub mod error;
pub mod http;
pub mod install;
pub mod platform;
pub mod ports;
pub mod private;
pub mod process;
pub mod progress;
pub mod proxy;
pub mod secrets;
pub mod services;
mod spawner;
pub mod stack;
pub mod state;
pub mod testing;
pub mod workspace;

pub use error::{Error, Result};
pub use stack::{Stack, UpOptions};
pub use state::Endpoints;

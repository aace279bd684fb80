//! What every process of ours stands on: configuration from the environment, telemetry, shutdown, an HTTP server
//! with limits, an admin router, Kafka client settings and the schema registry.
//!
//! It knows no domain noun, no topic and no record type; it must never decide anything.

pub mod admin;
pub mod config;
mod connection;
pub mod front;
pub mod kafka;
pub mod leftover;
pub mod log_queue;
pub mod log_reader;
pub mod refusal;
pub mod registry;
pub mod serve;
pub mod shutdown;
pub mod telemetry;

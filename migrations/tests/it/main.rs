//! The schema and its statements on a real MySQL. Every test has a schema of its own.

mod balances;
mod claims;
mod coupons;
mod dispatches;
mod failures;
mod orders;
mod outbox;
mod products;
mod projection_offset;
mod schema;
mod server;
mod users;

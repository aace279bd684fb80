//! The ingress: takes a request, appends it to the log, folds the log, answers from the fold.
//!
//! It never writes to MySQL, and nothing in it decides but the fold.

pub mod app;
mod condition;
pub mod config;
pub mod controls;
pub mod foresight;
pub mod history;
pub mod http;
pub mod ingress;
pub mod limits;
pub mod log;
pub mod metric;
pub mod proxies;
pub mod recent_orders;
pub mod request;
pub mod session;
pub mod signature;
pub mod store;
pub mod ticker;
pub mod waits;

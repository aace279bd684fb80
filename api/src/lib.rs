//! The ingress: takes a request, appends it to the log, folds the log, answers from the fold.
//!
//! It never writes to MySQL, and nothing in it decides but the fold.

pub mod app;
pub mod config;
pub mod http;
pub mod ingress;
pub mod limits;
pub mod log;
pub mod metric;
pub mod request;
pub mod session;

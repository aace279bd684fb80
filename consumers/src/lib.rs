//! The projections: the same folds, written to MySQL. Every effect and the offset behind it are one transaction.

pub mod app;
pub mod audit;
pub mod companions;
pub mod config;
pub mod controls;
pub mod cutover;
pub mod dispatch;
pub mod group;
pub mod limits;
pub mod log;
pub mod metric;
pub mod newest;
pub mod pool;
pub mod projection;
pub mod relay;
pub mod replay;
pub mod tools;
